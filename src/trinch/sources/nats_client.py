"""Live client of a NATS subject: its JetStream stream where there is one, which is resumed exactly, else the subject itself.

The cursor is the sequence number in the stream; the store keeps it with the events it covers, so the consumer needs no
acknowledgements. A subject without a stream is not replayed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import nats
from nats.errors import AuthorizationError, ConnectionClosedError, NoServersError
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from trinch.sources import messages, nats_connection
from trinch.sources.live import Disconnected, Item, Refused

BATCH = 200
"""Messages asked for at a time."""

WAIT = 5.0
"""Seconds that the server holds a request for messages."""


class Nats:
    """The subject at `nats://HOST[:PORT]/SUBJECT`, which may have a user name and a password or a token."""

    def __init__(self, address: str) -> None:
        """Raises ValueError for an address without host or subject."""
        try:
            self._parts = urlsplit(address)
            host, port = self._parts.hostname or "", self._parts.port or nats_connection.PORT
        except ValueError as error:
            raise ValueError(f"no address of a NATS server: {error}") from None
        self._subject = unquote(self._parts.path.strip("/"))
        if self._parts.scheme != "nats" or not host or not self._subject or " " in self._subject:
            raise ValueError("write nats://HOST:4222/SUBJECT, such as nats://127.0.0.1:4222/posts.>")
        self.name = f"nats:{f'[{host}]' if ':' in host else host}:{port}/{self._subject}"

    @asynccontextmanager
    async def connect(self, cursor: str | None) -> AsyncIterator[AsyncIterator[Item]]:
        """One connection, behind `cursor`."""
        errors: list[Exception] = []

        try:
            client = await nats_connection.connect(self._parts, errors)
        except nats_connection.Unreachable as unreachable:
            raise _failure(unreachable.errors) from None
        try:
            yield self._items(client, cursor, errors)
        finally:
            with suppress(NatsError, OSError, asyncio.TimeoutError):
                await client.close()

    async def _items(self, client: Any, cursor: str | None, errors: list[Exception]) -> AsyncIterator[Item]:
        try:
            stream = await self._stream(client)
            found = self._replayed(client, stream, cursor) if stream else self._live(client)
            async for item in found:
                yield item
        except (NatsError, APIError, OSError) as error:
            raise _failure([*errors, error]) from None

    async def _stream(self, client: Any) -> str:
        """The name of the stream that keeps the subject; "" where there is none, or JetStream is off."""
        try:
            name: str = await client.jetstream().find_stream_name_by_subject(self._subject)
        except (NotFoundError, ServiceUnavailableError, nats.errors.NoRespondersError):
            return ""
        return name

    async def _replayed(self, client: Any, stream: str, cursor: str | None) -> AsyncIterator[Item]:
        start = (
            {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": int(cursor) + 1}
            if cursor
            else {"deliver_policy": DeliverPolicy.ALL}
        )
        wanted = ConsumerConfig(ack_policy=AckPolicy.NONE, inactive_threshold=60.0, **start)
        consumer = await client.jetstream().pull_subscribe(self._subject, stream=stream, config=wanted)
        while not client.is_closed:
            try:
                batch = await consumer.fetch(BATCH, timeout=WAIT)
            except TimeoutError:  # nats-py raises a subclass; nothing came
                continue
            for message in batch:
                for item in messages.items(message.data, str(message.metadata.sequence.stream)):
                    yield item
        raise ConnectionClosedError

    async def _live(self, client: Any) -> AsyncIterator[Item]:
        subscription = await client.subscribe(self._subject)
        while not client.is_closed:
            try:
                message = await subscription.next_msg(timeout=1.0)
            except TimeoutError:
                continue
            for item in messages.items(message.data, None):
                yield item
        raise ConnectionClosedError


def _failure(errors: list[Exception]) -> Exception:
    """Refused where the server does not accept the credentials, otherwise Disconnected."""
    said = [str(error) or type(error).__name__ for error in errors]
    if any(isinstance(error, AuthorizationError) or "uthoriz" in str(error) for error in errors):
        return Refused(f"the server refuses the credentials: {said[0]}")
    if any(isinstance(error, APIError) and "permission" in str(error).lower() for error in errors):
        return Refused(said[-1])
    known = [text for text, error in zip(said, errors, strict=True) if not isinstance(error, NoServersError)]
    return Disconnected((known or said)[0])
