"""The log of a cluster, as those who append to it see it: events go to JetStream and are acknowledged when it has them.

A message carries the hash of its content as its id, so that one that is sent again after a lost acknowledgement is
stored once. Cursors of live sources are kept in the local folder, each stored after the events that it covers.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine, Mapping, Sequence
from hashlib import blake2b
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from trinch.posts.schema import AccountGone, Deleted, Event
from trinch.sources.address import without_credentials
from trinch.store.cluster import stream
from trinch.store.database import DATABASE, StoreError
from trinch.store.log import Appended, Log

PATIENCE = 30.0
"""Seconds for which a server that was reached before is tried again until appends fail."""

ACK_SECONDS = 5.0

LARGEST = 300
"""Events in one message at most."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class NatsLog:
    """Appends to the stream at a NATS server. One per process; the connection is opened when first needed."""

    def __init__(self, address: str, data: Path) -> None:
        """`data` is the local folder for cursors."""
        self._address, self._data = address, data
        self._cursors: Log | None = None
        self._client: Any = None
        self._silent_since: float | None = -inf
        """Loop time of the first failure since the last acknowledgement; -inf before a first one, so that a server that was
        never there is reported at once; None while it answers."""
        self._loop = asyncio.new_event_loop()
        self._connecting = asyncio.Lock()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="nats").start()

    @property
    def last_seq(self) -> int:
        """Always 0: what is appended here is indexed by nodes, not by this machine."""
        return 0

    def append(self, events: Sequence[Event], cursors: Mapping[str, str] | None = None) -> Appended:
        """Make events durable in the stream, in order, then the cursors of their sources.

        `duplicates` are those that the stream has already; nodes recognise older ones. Raises StoreError where the
        server was never reached, or after PATIENCE seconds without an acknowledgement, and from then on at once until it
        acknowledges again: nothing is lost where the same events are appended again."""
        accepted = duplicates = 0
        for group in stream.phases(events):
            parts = [
                (subject, some[start : start + LARGEST])
                for subject, some in group.items()
                for start in range(0, len(some), LARGEST)
            ]
            acknowledged = self._wait(self._publish_all(parts))
            for (_, some), is_known in zip(parts, acknowledged, strict=True):
                accepted += 0 if is_known else len(some)
                duplicates += len(some) if is_known else 0
        if cursors:
            self._local().append([], cursors)
        deleted = sum(isinstance(event, Deleted | AccountGone) for event in events)
        return Appended(accepted, duplicates, 0, min(deleted, accepted), 0)

    def cursor(self, source: str) -> str | None:
        """How far a live source was read, durably."""
        return self._local().cursor(source)

    def close(self) -> None:
        """Close the connection; the next append opens another."""
        client, self._client = self._client, None
        if client is not None:
            self._wait(stream.close(client))
        if self._cursors is not None:
            self._cursors.close()
            self._cursors = None

    def _local(self) -> Log:
        self._cursors = self._cursors or Log(self._data / DATABASE)
        return self._cursors

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _publish_all(self, parts: Sequence[tuple[str, Sequence[Event]]]) -> list[bool]:
        return await asyncio.gather(*(self._publish(subject, stream.encode(some)) for subject, some in parts))

    async def _publish(self, subject: str, payload: bytes) -> bool:
        """Send one message until it is acknowledged. Returns whether the stream had it already. Raises StoreError."""
        from nats.errors import Error, MaxPayloadError

        id = blake2b(payload, digest_size=16, key=subject.encode()).hexdigest()
        while True:
            try:
                client = await self._connected()
                acknowledged = await client.jetstream().publish(
                    subject, payload, timeout=ACK_SECONDS, headers={"Nats-Msg-Id": id}
                )
                self._silent_since = None
                return bool(acknowledged.duplicate)
            except MaxPayloadError:
                raise StoreError(
                    f"a group of events has {len(payload):,} bytes, more than the NATS server takes: raise its max_payload"
                ) from None
            except (TimeoutError, Error, OSError) as error:
                where = without_credentials(self._address)
                now = self._loop.time()
                if self._silent_since is None:
                    self._silent_since = now
                    _log.warning("the log at %s does not answer: trying for %.0f s", where, PATIENCE)
                if now > self._silent_since + PATIENCE:
                    raise StoreError(
                        f"the log at {where} does not acknowledge ({error or type(error).__name__}). What was acknowledged"
                        " before is safe; run the same again once the server answers: nothing is added twice"
                    ) from None
                await asyncio.sleep(0.1)

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None or self._client.is_closed:
                self._client = await stream.connect(self._address)
            return self._client
