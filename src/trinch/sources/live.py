"""The interface of a live source: a stream of posts over the network that can be resumed at a cursor.

A source connects, resumes and parses. It stores nothing: `service/listen.py` writes what it yields, stores each
cursor in the transaction of the events it covers, and reconnects after a failure.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from trinch.posts.schema import Event


class Item(NamedTuple):
    """One frame, line or page of a stream."""

    events: Sequence[Event] = ()
    cursor: str | None = None
    """Where to resume once `events` are stored; None leaves the stored cursor as it is."""
    raw: bytes = b""
    """The frame as it came."""
    reject: str = ""
    """Why the frame could not be read; empty where it was read."""


class Disconnected(Exception):
    """The stream ended or could not be opened; worth another try.

    `wait` is the number of seconds the server asked for; None leaves it to the usual back-off."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Refused(Exception):
    """The server refuses this client for good (wrong credentials, no such stream); trying again does not help."""


class LiveSource(Protocol):
    """A stream of posts. `name` identifies its stored cursor."""

    name: str

    def connect(self, cursor: str | None) -> AbstractAsyncContextManager[AsyncIterator[Item]]:
        """Open one connection behind `cursor` and iterate over what it brings.

        Raises Disconnected or OSError where trying again may help, Refused where it does not."""
        ...
