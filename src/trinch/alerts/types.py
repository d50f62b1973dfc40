"""The data types of alerts, and the check of what a user sets. Times are UTC, integer microseconds since 1970."""

import re
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from trinch.alerts.channels import check_channel
from trinch.alerts.topic import topic_query
from trinch.errors import TrinchError
from trinch.store.query import QueryError, parse

Trigger = Literal["match", "burst", "story", "number", "denial", "silence"]
TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
Channel = str
"""`webhook`, `email`, or the name of a channel that a package adds."""

MOST_PER_HOUR = 3600
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
_UNITS = {"s": 1_000_000, "m": MINUTE, "h": HOUR, "d": DAY}
_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
"""An address as HTML's `input type=email` reads it."""


class AlertError(TrinchError, ValueError):
    """An alert that cannot be saved; `param` is the field at fault."""

    def __init__(self, param: str, reason: str) -> None:
        super().__init__(param, reason)  # both, so that it can be pickled
        self.param, self.reason = param, reason

    def __str__(self) -> str:
        return f"{self.param}: {self.reason}"


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user sets of an alert."""

    query: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    """Search operators that a post must match."""
    topic: Annotated[str, msgspec.Meta(max_length=500)] = ""
    """A topic in plain words; it becomes a query, joined to `query` where both are given."""
    name: Annotated[str, msgspec.Meta(max_length=100)] = ""
    trigger: Trigger = "match"
    window: Annotated[str, msgspec.Meta(max_length=10)] = "1h"
    """`burst`: the time whose posts are counted. `silence`: how long nothing matches. `story`: how far back."""
    factor: Annotated[float, msgspec.Meta(ge=1.1, le=1000)] = 3.0
    """`burst`: how many times the usual number of posts."""
    least: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 5
    """`burst`: fewest posts in the window."""
    webhook: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    """Address that notifications are sent to."""
    email: Annotated[str, msgspec.Meta(max_length=254)] = ""
    channel: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    """`NAME:ADDRESS` of a channel that a package adds."""
    quiet: Annotated[str, msgspec.Meta(max_length=11)] = ""
    """Hours without deliveries, such as `22:00-07:00`; what happens then is delivered afterwards."""
    zone: Annotated[str, msgspec.Meta(max_length=64)] = "UTC"
    """Time zone of `quiet`, such as `Europe/Paris`."""
    digest: Annotated[str, msgspec.Meta(max_length=10)] = ""
    """Deliver once in such a time (`1h`, `1d`), all of it together; empty: at once."""
    cap: Annotated[int, msgspec.Meta(ge=1, le=MOST_PER_HOUR)] = 60
    """Most deliveries in an hour; what is beyond is delivered later, together."""


class Alert(AlertSettings, frozen=True, kw_only=True):
    """A saved alert. `query` holds the topic too."""

    id: str
    owner: str = ""
    """Id of the API key that made it; empty for the operator."""
    created: int
    after: int
    """Position of the log: only posts behind it count."""
    secret: str
    """Signs its webhooks: `whsec_` and 32 random bytes in base64."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """How it is delivered besides the event stream."""
        addresses = {
            "webhook": self.webhook,
            "email": self.email,
            self.channel.partition(":")[0]: self.channel,
        }
        return tuple(channel for channel, address in addresses.items() if address)

    @property
    def window_micros(self) -> int:
        return parse_duration(self.window)


class Firing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One time that an alert fired. Holds positions and spans of posts, never their text, so that it is looked up
    again whenever it is shown: a post that was deleted is not."""

    alert: str
    at: int
    kind: Trigger
    posts: tuple[str, ...] = ()
    """Keys `network:id`, at most MOST_POSTS."""
    count: int = 0
    """Posts it is about; of a burst also those that are not named."""
    spans: dict[str, tuple[int, int]] = {}
    """Part of the text of a post that is quoted, in code points."""
    facts: dict[str, Any] = {}
    """`burst`: `expected`, `window`. `number`: `quantity`, `before`, `value`. `story`: `id`. `silence`: `since`."""


MOST_POSTS = 20
"""Posts of one firing that are named."""


def parse_duration(text: str) -> int:
    """Microseconds of `30s`, `15m`, `24h` or `7d`. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text.strip().lower(), re.ASCII)
    if match is None:
        raise ValueError(f"cannot read {text!r}: write a number and s, m, h or d, such as 15m")
    return int(match[1]) * _UNITS[match[2]]


def parse_quiet(text: str) -> tuple[int, int]:
    """First and last minute of the day of `22:00-07:00`. Raises ValueError."""
    match = _QUIET.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"cannot read {text!r}: write two times of day, such as 22:00-07:00")
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if start == end:
        raise ValueError("begins when it ends: nothing would ever be delivered")
    return start, end


def checked(given: AlertSettings) -> AlertSettings:
    """The settings with the topic as operators, after a check of each. Raises AlertError."""
    try:
        query = topic_query(given.topic, given.query)
        parse(query)
    except QueryError as error:
        raise AlertError("query", str(error)) from None
    except ValueError as error:
        raise AlertError("topic", str(error)) from None
    _check_time("window", given.window, 60_000_000, 31 * DAY)
    if given.digest:
        _check_time("digest", given.digest, MINUTE, 7 * DAY)
    if given.quiet:
        _checked("quiet", parse_quiet, given.quiet)
    if given.webhook:
        _checked("webhook", check_address, given.webhook)
    if given.channel:
        _checked("channel", check_channel, given.channel)
    if given.email and not _EMAIL.fullmatch(given.email):
        raise AlertError("email", f"{given.email!r} is no e-mail address")
    try:
        ZoneInfo(given.zone)
    except (ValueError, OSError, KeyError):
        raise AlertError("zone", f"{given.zone!r} is no time zone; write one such as Europe/Paris") from None
    if any(ord(letter) < 32 for letter in given.name):
        raise AlertError("name", "must be one line")
    return msgspec.structs.replace(given, query=query, name=given.name.strip() or given.topic or query[:100])


def check_address(address: str) -> None:
    """Raises ValueError for what is no http(s) address of a receiver."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with https:// or http://")
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password; the signature says who sends")
    if not address.isascii() or any(letter <= " " for letter in address):
        raise ValueError("must be ASCII without spaces: percent-encode the path, write the host in punycode")
    _ = parts.port  # raises ValueError where it is no number


def _check_time(param: str, text: str, least: int, most: int) -> None:
    micros = _checked(param, parse_duration, text)
    if not least <= micros <= most:
        raise AlertError(param, f"{text!r} is not between {least // MINUTE}m and {most // DAY}d")


def _checked(param: str, read: Any, text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise AlertError(param, str(error)) from None
