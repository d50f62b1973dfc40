"""Which partition of the log an event belongs to: 64 virtual partitions, by the id of the first version of a post.

All that changes one post must meet in one partition, in order. An event that does not carry the id of the first version
(a deletion may name any version; an account may have posts in every partition) goes to all partitions.
"""

import re
from collections.abc import Collection
from pathlib import Path
from zlib import crc32

import msgspec

from trinch.errors import TrinchError
from trinch.posts.schema import CountsChanged, Created, Edited, Event, Reacted

PARTITIONS = 64
"""Fixed: the partition of a post must not change. More nodes serve fewer partitions each."""

PARTITIONS_FILE = "partitions.json"
"""File in the folder of a node's store: the partitions that it holds, a JSON list."""

_ONE_ID = frozenset(("bluesky", "mastodon"))
"""Networks where a post keeps its id when it is edited. On others, as on X, an id alone does not say which post it is."""


class PartitionError(TrinchError, ValueError):
    """Partitions that cannot be read, or that a folder does not hold."""


def partition_of(event: Event) -> int | None:
    """The partition of an event; None is all of them."""
    match event:
        case Created(post=post):
            return _partition(event.network, post.id)
        case Edited(post=post, replaces=older):
            return _partition(event.network, older[0] if older else post.id)
        case CountsChanged(id=id) | Reacted(id=id) if event.network in _ONE_ID:
            return _partition(event.network, id)
        case _:
            return None


def _partition(network: str, id: str) -> int:
    return crc32(f"{network}:{id}".encode(errors="surrogatepass")) % PARTITIONS


def parse_partitions(text: str) -> frozenset[int]:
    """Partitions as typed: `0-31`, `7`, `0-3,8`, or `1/3`: the second of three equal parts. Raises PartitionError."""
    if share := re.fullmatch(r"(\d{1,2})/([1-9]\d?)", text.strip()):
        number, parts = int(share[1]), int(share[2])
        if number < parts <= PARTITIONS:
            return frozenset(range(number * PARTITIONS // parts, (number + 1) * PARTITIONS // parts))
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        numbers = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", part)
        first, last = (int(numbers[1]), int(numbers[2] or numbers[1])) if numbers else (1, 0)
        if not first <= last < PARTITIONS:
            raise PartitionError(
                f"{text!r} names no partitions: write a range of 0-{PARTITIONS - 1}, such as 0-31, several with commas, or a share such as 0/3"
            )
        found.update(range(first, last + 1))
    return frozenset(found)


def written(partitions: Collection[int]) -> str:
    """Partitions as `parse_partitions` reads them."""
    runs: list[list[int]] = []
    for one in sorted(partitions):
        if runs and runs[-1][1] == one - 1:
            runs[-1][1] = one
        else:
            runs.append([one, one])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def held(data: Path) -> frozenset[int]:
    """The partitions that the store in a folder holds; none where it is no store of a node."""
    try:
        return frozenset(msgspec.json.decode((data / PARTITIONS_FILE).read_bytes(), type=list[int]))
    except FileNotFoundError:
        return frozenset()


def hold(data: Path, partitions: Collection[int]) -> None:
    """Note which partitions the store in a folder holds."""
    temporary = data / f"{PARTITIONS_FILE}.new"
    temporary.write_bytes(msgspec.json.encode(sorted(partitions)))
    temporary.replace(data / PARTITIONS_FILE)
