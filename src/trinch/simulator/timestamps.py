"""Format microseconds since 1970 as the wire formats write them. Cached, because every line needs several."""

from functools import lru_cache
from time import gmtime, strftime

from trinch.posts.schema import Post


@lru_cache(maxsize=8_192)
def _second(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))


def created_at(post: Post) -> int:
    """When a simulated post was made; every one has a time."""
    assert post.created_at is not None
    return post.created_at


def rfc3339_ms(at: int) -> str:
    """`2026-03-16T06:00:00.123Z`"""
    return f"{_second(at // 1_000_000)}.{at // 1000 % 1000:03d}Z"


def rfc3339_us(at: int) -> str:
    """`2026-03-16T06:00:00.123456Z`"""
    return f"{_second(at // 1_000_000)}.{at % 1_000_000:06d}Z"
