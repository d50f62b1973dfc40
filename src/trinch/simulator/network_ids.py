"""Ids and addresses in the formats of the networks.

X snowflakes, AT Protocol record keys (TIDs), record URIs, content ids and page addresses.
"""

from base64 import b32encode
from hashlib import sha256

X_EPOCH_MS = 1_288_834_974_657
"""Milliseconds since 1970 of X's snowflake zero; `(id >> 22) + X_EPOCH_MS` is a post's time."""

_SORTABLE = "234567abcdefghijklmnopqrstuvwxyz"


def snowflake(at: int, serial: int) -> str:
    """X id of that time (microseconds; milliseconds are kept); `serial` keeps ids of one instant apart."""
    return str((at // 1000 - X_EPOCH_MS) << 22 | serial & 0x3FFFFF)


def tid(at: int, clock: int = 0) -> str:
    """Record key of that time: 13 characters of sortable base 32, microseconds then a 10-bit clock id."""
    number = at << 10 | clock & 0x3FF
    return "".join([_SORTABLE[number >> shift & 31] for shift in range(60, -1, -5)])


def record_uri(did: str, collection: str, rkey: str) -> str:
    return f"at://{did}/{collection}/{rkey}"


def cid(content: bytes) -> str:
    """A well-formed CIDv1 (dag-cbor, sha-256) of these bytes. The bytes here are JSON, not DAG-CBOR, so the
    id is stable and syntactically valid but is not the one a real server would compute."""
    return "b" + b32encode(b"\x01\x71\x12\x20" + sha256(content).digest()).decode().rstrip("=").lower()


def page(network: str, handle: str, post_id: str) -> str:
    """Where a person would read the post. Networks of our own live under the reserved `.example`."""
    if network == "x":
        return f"https://x.com/{handle}/status/{post_id}"
    if network == "bluesky":
        _, _, did, _, rkey = post_id.split("/")
        return f"https://bsky.app/profile/{did}/post/{rkey}"
    return f"https://{network}.example/@{handle}/{post_id}"
