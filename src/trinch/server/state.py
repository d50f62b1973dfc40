"""What the endpoints of one server share.

Owns the bundle only. Knows nothing of what the parts do.
"""

from dataclasses import dataclass
from pathlib import Path

from starlette.requests import HTTPConnection

from trinch.server.desk import Desk
from trinch.server.live import Live


@dataclass(slots=True)
class State:
    """The parts of a running server."""

    data: Path
    readers: Desk
    """Short work: searches, look-ups."""
    askers: Desk
    """Long work: answers."""
    live: Live


def state_of(connection: HTTPConnection) -> State:
    """The state of the server that a request came to."""
    state: State = connection.app.state.trinch
    return state
