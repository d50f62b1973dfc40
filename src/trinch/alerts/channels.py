"""Alert channels that other packages add, through the entry point group `trinch.alert_channels`.

An alert names one with its address as `NAME:ADDRESS`, beside its webhook and e-mail. What it does is the package's own:
only the operator and keys with the scope `admin` may use one.
"""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any, NamedTuple


class Result(NamedTuple):
    """What became of one attempt."""

    delivered: bool
    note: str
    """For people: the status, or why there is none."""
    gone: bool = False
    """The receiver wants no more: the alert goes on without this channel."""
    wait: float = 0.0
    """Seconds that the receiver asked to wait."""


def _any(address: str) -> None:
    """Every address will do."""


class ChannelKind(NamedTuple):
    """What an entry point loads."""

    name: str
    """Letters, digits, `-` and `_`; not `webhook` or `email`."""
    summary: str
    """One line for the documentation."""
    send: Callable[[str, str, dict[str, Any]], Result]
    """Makes one attempt, in a thread: takes the address, the idempotency key and the notification (the JSON of a
    webhook). An attempt that raises is one that failed; it is tried again like every other."""
    check: Callable[[str], None] = _any
    """Raises ValueError on an address that it cannot use."""


@cache
def channel_kinds() -> dict[str, ChannelKind]:
    """The channels that are installed, by name."""
    found: list[ChannelKind] = [point.load() for point in entry_points(group="trinch.alert_channels")]
    return {kind.name: kind for kind in found if kind.name not in ("webhook", "email")}


def check_channel(text: str) -> None:
    """Raises ValueError where `NAME:ADDRESS` names no channel that is installed, or an address that it cannot use."""
    name, _, address = text.partition(":")
    kind = channel_kinds().get(name)
    if kind is None:
        raise ValueError(
            f"no such channel: {name!r}; there are {', '.join(sorted(channel_kinds())) or 'none'}"
        )
    kind.check(address)


def send(text: str, key: str, body: dict[str, Any]) -> Result:
    """Make one attempt through `NAME:ADDRESS`. Never raises for what the channel does."""
    name, _, address = text.partition(":")
    kind = channel_kinds().get(name)
    if kind is None:
        return Result(False, f"the package of the channel {name!r} is not installed")
    try:
        return kind.send(address, key, body)
    except Exception as error:
        return Result(False, f"{name}: {type(error).__name__}: {error}"[:300])
