"""The partitions of a node as a live source: the messages of the stream behind a position, in order.

The node's store keeps the position in the transaction of the events that it covers (`service/listen.py`), so that
a node that is killed goes on behind exactly what it has.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import zstandard

from trinch.sources.live import Disconnected, Item, Refused
from trinch.store.cluster import stream
from trinch.store.database import StoreError

BATCH = 100
"""Messages asked for at a time."""

WAIT = 2.0
"""Seconds that the server holds a request for messages."""

CURSOR = "log"
"""Name under which a node's store keeps its position in the stream; the same whatever the server's address."""


class PartitionSource:
    """Some partitions of the stream at a NATS server."""

    name = CURSOR

    def __init__(self, address: str, partitions: Collection[int]) -> None:
        self._address, self._partitions = address, partitions

    @asynccontextmanager
    async def connect(self, cursor: str | None) -> AsyncIterator[AsyncIterator[Item]]:
        """One connection behind a position. Raises Refused where the stream does not hold what follows it."""
        from nats.errors import Error

        try:
            client = await stream.connect(self._address)
        except StoreError as error:
            raise Refused(str(error)) from None
        except (Error, TimeoutError) as error:
            raise Disconnected(str(error) or type(error).__name__) from None
        try:
            yield self._items(client, int(cursor or 0))
        finally:
            await stream.close(client)

    async def _items(self, client: Any, position: int) -> AsyncIterator[Item]:
        from nats.errors import Error
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        try:
            state = (await client.jetstream().stream_info(stream.STREAM)).state
            _check(position, state.first_seq, state.last_seq)
            wanted = ConsumerConfig(
                ack_policy=AckPolicy.NONE, inactive_threshold=60.0, filter_subjects=stream.subjects(self._partitions),
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=position + 1, mem_storage=True,
            )  # fmt: skip
            consumer = await client.jetstream().pull_subscribe("", stream=stream.STREAM, config=wanted)
            while not client.is_closed:
                try:
                    batch = await consumer.fetch(BATCH, timeout=WAIT)
                except TimeoutError:  # nothing came
                    continue
                for message in batch:
                    yield _item(message.data, message.metadata.sequence.stream)
        except (TimeoutError, Error) as error:
            raise Disconnected(str(error) or type(error).__name__) from None
        raise Disconnected("the connection closed")


def _item(payload: bytes, seq: int) -> Item:
    try:
        return Item(stream.decode(payload), str(seq))
    except (msgspec.MsgspecError, zstandard.ZstdError) as error:
        return Item((), None, payload, f"message {seq} of the stream is not one of Trinch: {error}")


def _check(position: int, first: int, last: int) -> None:
    """Raises Refused where messages behind a position are gone, so that a node never lacks events silently."""
    if position and position + 1 < first:
        raise Refused(
            f"this node has read the stream up to {position}, and the stream begins at {first}: what lies between was"
            " dropped for its age. Restore the node's folder from a newer backup, or ingest that time again"
        )
    if position > last:
        raise Refused(
            f"this node has read the stream up to {position}, but the stream ends at {last}: it was replaced, or lost"
            " its end. Restore the stream, or start the node with an empty folder"
        )
