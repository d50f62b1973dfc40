"""A wire format for Trinch: lines of a harbour's logbook, `{"berth": "5", "at": "2026-05-01T10:00Z", "entry": "Ferry docks"}`."""

import msgspec

from trinch.posts import times
from trinch.posts.formats import Format
from trinch.posts.schema import Created, Malformed, Post


def parse(line, notes=None, found=None):
    entry = msgspec.json.decode(line)
    if not isinstance(entry, dict) or not entry.get("entry"):
        raise Malformed("entry: missing")
    at = times.parse(entry["at"])
    post = Post(network="logbook", id=f"{entry['berth']}/{entry['at']}", created_at=at, text=entry["entry"])
    return [Created(at=at, network="logbook", post=post)]


LOGBOOK = Format("logbook", "A harbour's logbook", lambda found: {"berth", "entry"} <= found.keys(), parse)
