"""Connect once to a NATS server: no retries of the library's own, and the reason where it fails."""

from typing import Any
from urllib.parse import SplitResult, unquote

from trinch.errors import TrinchError

PORT = 4222

CONNECT_SECONDS = 5


class Unreachable(TrinchError):
    """No connection was made; `errors` are the library's, the last one last."""

    def __init__(self, errors: list[Exception]) -> None:
        super().__init__(errors)
        self.errors = errors


async def connect(parts: SplitResult, seen: list[Exception]) -> Any:
    """A client of the server at the split address, with the user name and password, or the token, that it holds.

    `seen` takes the errors that the server reports, also later ones. The library would try 60 times, 2 s apart, before it
    says that nothing is there; here a second attempt follows at once, then Unreachable is raised. ImportError without
    nats-py."""
    import nats

    async def keep(error: Exception) -> None:
        seen.append(error)

    host, port = parts.hostname or "", parts.port or PORT
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    login = {"user": user, "password": password} if password else {"token": user} if user else {}
    try:
        return await nats.connect(
            f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=CONNECT_SECONDS,
            error_cb=keep,
            **login,
        )
    except (nats.errors.Error, OSError, TimeoutError) as error:
        raise Unreachable([*seen, error]) from None
