"""The connection of a coordinator to one node: MessagePack over HTTP, kept open between requests."""

import http.client
import os
import time
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from trinch.errors import TrinchError
from trinch.store.cluster.calls import Reply, decode_reply

PATH = "/v1/node"
CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 15.0

PAUSE = 1.0
"""Seconds for which a node that did not answer is not asked again."""

TOKEN = "TRINCH_TOKEN"
"""Environment variable with the token that the nodes were started with, or one of their keys."""


class NodeAddressError(TrinchError, ValueError):
    """The address of a node that cannot be used."""


class NodeUnavailable(Exception):
    """A node that does not answer; the message says why."""


class NodeClient:
    """One node. Used by one thread at a time."""

    def __init__(self, address: str) -> None:
        """`address` is `http://HOST:PORT` or `HOST:PORT`. Raises NodeAddressError."""
        try:
            parts = urlsplit(address if "://" in address else f"http://{address}")
            self._host, self._port = (
                parts.hostname or "",
                parts.port or (443 if parts.scheme == "https" else 8377),
            )
        except ValueError:
            self._host = ""
        if not self._host or parts.scheme not in ("http", "https") or parts.path.strip("/"):
            raise NodeAddressError(f"{address!r} is no address of a node; write http://HOST:PORT")
        self.address = f"{parts.scheme}://{parts.netloc}"
        self._secure = parts.scheme == "https"
        self._connection: http.client.HTTPConnection | None = None
        self._silent_until, self._reason = 0.0, ""

    def ask(self, request: bytes) -> Reply:
        """Send an encoded call. Raises NodeUnavailable."""
        if time.monotonic() < self._silent_until:
            raise NodeUnavailable(self._reason)
        is_kept = self._connection is not None
        try:
            try:
                return self._exchange(request)
            except (OSError, http.client.HTTPException) as error:
                if not is_kept or isinstance(error, TimeoutError):
                    raise
                return self._exchange(request)  # the node closed a connection that was kept open
        except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
            self._drop()
            self._reason = str(error) or type(error).__name__
            self._silent_until = time.monotonic() + PAUSE
            raise NodeUnavailable(self._reason) from None

    def _exchange(self, request: bytes) -> Reply:
        try:
            connection = self._connection = self._connection or self._open()
            headers = {"Content-Type": "application/msgpack"}
            if token := os.environ.get(TOKEN):
                headers["Authorization"] = f"Bearer {token}"
            connection.request("POST", PATH, request, headers)
            response = connection.getresponse()
            body = response.read()
        except BaseException:
            self._drop()
            raise
        if response.status != 200:
            raise OSError(f"status {response.status}: {body[:200].decode(errors='replace')}")
        return decode_reply(body)

    def _open(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=CONNECT_SECONDS)
        connection.connect()
        connection.sock.settimeout(ANSWER_SECONDS)
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None
