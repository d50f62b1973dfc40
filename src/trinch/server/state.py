"""What the endpoints of one server share.

Owns the bundle only. Knows nothing of what the parts do.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection

from trinch.llm.model import Setting
from trinch.server.audit import Audit
from trinch.server.children import Child
from trinch.server.desk import Desk
from trinch.server.keys import Keys
from trinch.server.live import Live
from trinch.server.memory import Memory
from trinch.server.metrics import Metrics


@dataclass(slots=True)
class State:
    """The parts of a running server."""

    data: Path
    readers: Desk
    """Short work: searches, look-ups."""
    askers: Desk
    """Long work: answers."""
    drinkers: Desk
    """Writing."""
    live: Live
    keys: Keys
    audit: Audit
    metrics: Metrics
    children: list[Child]
    writer: Setting | None = None
    """The language model that may rewrite answers."""
    memory: Memory = field(default_factory=Memory)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server has been asked to end: streams without an end must end."""


def state_of(connection: HTTPConnection) -> State:
    """The state of the server that a request came to."""
    state: State = connection.app.state.trinch
    return state
