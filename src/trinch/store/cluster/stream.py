"""The JetStream stream that holds the log of a cluster: its name, subjects and messages, and how to connect to it.

Each message is a group of events of one partition, or a group that goes to all partitions.
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec
import zstandard

from trinch.posts.schema import AccountGone, Event
from trinch.sources import nats_connection
from trinch.sources.address import without_credentials
from trinch.store.cluster.partitions import partition_of
from trinch.store.database import StoreError

STREAM = "TRINCH"
ALL = "trinch.all"
"""Subject of the events that every node applies."""

KEPT_SECONDS = 72 * 3600
"""Age at which JetStream drops messages from a stream that Trinch creates. A node may be away for so long; text that was
deleted since is in the stream's files for so long."""

DEDUPE_SECONDS = 600
"""Time within which JetStream recognises a message that is sent again by its id."""


def subject_of(partition: int) -> str:
    return f"trinch.p.{partition}"


def subjects(partitions: Collection[int]) -> list[str]:
    """What a node with these partitions reads."""
    return [*map(subject_of, sorted(partitions)), ALL]


def phases(events: Sequence[Event]) -> list[dict[str, list[Event]]]:
    """Events by subject, in groups: a group must be stored before the next one is sent.

    Posts, in order, come before the events for all partitions, in order. What such an event does to a post does not
    depend on which of the two comes first, or the event needs the post: so nothing changes by that. The end of an
    account is the exception: it takes the posts before it, and no post after it is sent before it."""
    groups: list[dict[str, list[Event]]] = []
    routed: dict[str, list[Event]] = {}
    for_all: list[Event] = []

    def finish() -> None:
        groups.extend(group for group in (dict(routed), {ALL: list(for_all)} if for_all else {}) if group)
        routed.clear()
        for_all.clear()

    for event in events:
        partition = partition_of(event)
        if partition is None:
            for_all.append(event)
        else:
            routed.setdefault(subject_of(partition), []).append(event)
        if isinstance(event, AccountGone):
            finish()
    finish()
    return groups


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Event]).decode


def encode(events: Sequence[Event]) -> bytes:
    """The payload of a message."""
    return zstandard.compress(_encode(events), 3)


def decode(payload: bytes) -> list[Event]:
    """The events of a message. Raises msgspec.MsgspecError and zstandard.ZstdError for one that is none of ours."""
    return _decode(zstandard.decompress(payload, max_output_size=64_000_000))


async def connect(address: str) -> Any:
    """A connection to the server at `nats://[USER:PASSWORD@]HOST[:PORT]`, with the stream created if there is none.

    Raises StoreError where nats-py is missing or the server refuses us, OSError and nats' own errors where trying again
    may help."""
    try:
        from nats.js.api import StorageType, StreamConfig
        from nats.js.errors import BadRequestError, NotFoundError
    except ImportError:
        raise StoreError("a log on NATS needs an extra: pip install 'trinch[nats]'") from None
    parts = _split(address)
    try:
        client = await nats_connection.connect(parts, [])
    except nats_connection.Unreachable as unreachable:
        if any("uthoriz" in str(error) for error in unreachable.errors):
            raise StoreError(
                f"{without_credentials(address)} refuses the credentials of TRINCH_LOG"
            ) from None
        raise OSError(f"no NATS server answers at {without_credentials(address)}") from None
    try:
        manager = client.jetstream()
        try:
            await manager.stream_info(STREAM)
        except NotFoundError:
            config = StreamConfig(
                name=STREAM, subjects=["trinch.p.*", ALL], storage=StorageType.FILE, max_age=KEPT_SECONDS,
                duplicate_window=DEDUPE_SECONDS, allow_direct=True,
            )  # fmt: skip
            with suppress(BadRequestError):  # another process was quicker
                await manager.add_stream(config)
    except BaseException:
        await close(client)
        raise
    return client


async def close(client: Any) -> None:
    """Close a connection, whatever state it is in."""
    with suppress(Exception):
        await asyncio.wait_for(client.close(), 2.0)


def _split(address: str) -> SplitResult:
    """The parts of the address. Raises StoreError where it is none of a NATS server."""
    with suppress(ValueError):
        parts = urlsplit(address)
        if (
            parts.hostname
            and parts.port != 0
            and parts.scheme in ("nats", "tls")
            and not parts.path.strip("/")
        ):
            return parts
    raise StoreError(
        f"TRINCH_LOG: {without_credentials(address)!r} is no address of a NATS server; write nats://HOST:4222"
    )
