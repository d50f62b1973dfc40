"""Live client of a Kafka topic: all its partitions, without a consumer group.

The cursor is the next offset of each partition as JSON; the store keeps it with the events it covers, so nothing is
committed to the broker. Offsets that the broker no longer has are resumed at the oldest that it has.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context

from trinch.sources import messages
from trinch.sources.live import Disconnected, Item, Refused

USERNAME, PASSWORD = "KAFKA_USERNAME", "KAFKA_PASSWORD"
PROTOCOL, MECHANISM = "KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM"
"""Environment variables: user and password; PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; PLAIN or SCRAM-SHA-256, -512."""

PORT = 9092
TIMEOUT = 20_000
"""Milliseconds that the broker may take to answer."""

_offsets = msgspec.json.Decoder(dict[str, int]).decode


class Kafka:
    """The topic at `kafka://HOST[:PORT]/TOPIC`."""

    def __init__(self, address: str) -> None:
        """Raises ValueError for an address without host or topic, or with a setting that there is not."""
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port or PORT
        except ValueError as error:
            raise ValueError(f"no address of a Kafka broker: {error}") from None
        self._topic = unquote(parts.path.strip("/"))
        if parts.scheme != "kafka" or not host or not self._topic or "/" in self._topic or parts.query:
            raise ValueError("write kafka://HOST:9092/TOPIC, such as kafka://127.0.0.1:9092/posts")
        self._server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._login = _login(unquote(parts.username or ""), unquote(parts.password or ""))
        self.name = f"kafka:{self._server}/{self._topic}"

    @asynccontextmanager
    async def connect(self, cursor: str | None) -> AsyncIterator[AsyncIterator[Item]]:
        """One connection, behind `cursor`; without one from the oldest message that the broker has."""
        security = dict(self._login)
        if security["security_protocol"] in ("SSL", "SASL_SSL"):
            security["ssl_context"] = create_ssl_context()
        consumer = AIOKafkaConsumer(
            self._topic,
            bootstrap_servers=self._server,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=TIMEOUT,
            **security,
        )
        try:
            await consumer.start()
            yield self._items(consumer, _offsets(cursor) if cursor else {})
        except (
            AuthenticationFailedError,
            TopicAuthorizationFailedError,
            UnsupportedSaslMechanismError,
        ) as error:
            raise Refused(str(error)) from None
        except (KafkaError, ConnectionError) as error:
            raise Disconnected(str(error) or type(error).__name__) from None
        finally:
            await consumer.stop()

    async def _items(self, consumer: Any, offsets: dict[str, int]) -> AsyncIterator[Item]:
        try:
            for partition in consumer.assignment():
                if (offset := offsets.get(str(partition.partition))) is not None:
                    consumer.seek(partition, offset)
            while True:
                message = await consumer.getone()
                offsets[str(message.partition)] = message.offset + 1
                cursor = msgspec.json.encode(offsets, order="sorted").decode()
                for item in messages.items(message.value or b"", cursor):
                    yield item
        except (AuthenticationFailedError, TopicAuthorizationFailedError) as error:
            raise Refused(str(error)) from None
        except (KafkaError, ConnectionError) as error:
            raise Disconnected(str(error) or type(error).__name__) from None


def _login(user: str, password: str) -> dict[str, Any]:
    """The arguments of aiokafka for security. Raises ValueError for a setting that there is not."""
    user, password = user or os.environ.get(USERNAME, ""), password or os.environ.get(PASSWORD, "")
    protocol = os.environ.get(PROTOCOL, "SASL_SSL" if user else "PLAINTEXT")
    mechanism = os.environ.get(MECHANISM, "PLAIN")
    if protocol not in ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"):
        raise ValueError(f"{PROTOCOL}: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, not {protocol[:40]!r}")
    if mechanism not in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        raise ValueError(f"{MECHANISM}: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not {mechanism[:40]!r}")
    if not protocol.startswith("SASL"):
        return {"security_protocol": protocol}
    return {
        "security_protocol": protocol,
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    }
