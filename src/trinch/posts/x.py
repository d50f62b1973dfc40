"""Everything X sends, one JSON text at a time: `parse` tells the forms apart.

Owns only the telling apart; what a form means is in `x_v2.py`, `x_v1.py`, `x_activity.py` and
`x_compliance.py`.
"""

import msgspec

from trinch.posts import x_activity, x_compliance, x_v1, x_v2
from trinch.posts.schema import Event, Malformed
from trinch.posts.wire import decode

_PAGE = msgspec.json.Decoder(x_v2.Page)
_TWEET = msgspec.json.Decoder(x_v2.Tweet)
_FLAT = msgspec.json.Decoder(x_v2.Flat)
_STATUS = msgspec.json.Decoder(x_v1.Status)
_BODY = msgspec.json.Decoder(x_compliance.Body)
_BATCH = msgspec.json.Decoder(x_compliance.Batch)
_ACTIVITY = msgspec.json.Decoder(x_activity.Activity)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])

_NOT_POSTS = {
    *("errors", "error", "meta", "title", "detail", "message"),  # the API's own words
    *("limit", "disconnect", "warning", "friends", "friends_str", "control", "for_user", "event"),  # streams'
    *("screen_name", "username"),  # users
}


def parse(line: bytes) -> list[Event]:
    """Events of one line of a stream, or of one whole answer; [] for keep-alives and what is no post.

    Raises `Malformed` and nothing else."""
    if b'"data"' in line:
        page = decode(_PAGE, line)
        if isinstance(page.data, list):
            return x_v2.events(page.data, page.includes)
        if page.data and page.data.text is not None:
            return x_v2.events([page.data], page.includes)
    if not line or line.isspace():
        return []
    if line.lstrip()[:1] == b"[":
        return [event for item in decode(_ITEMS, line) for event in _object(bytes(item))]
    return _object(line)


def _object(line: bytes) -> list[Event]:
    if (b'"user"' in line and b'"text"' in line) or b'"full_text"' in line:
        status = decode(_STATUS, line)
        if status.user and (status.text is not None or status.full_text is not None):
            return x_v1.events(status)
    fields = decode(_FIELDS, line)
    if "data" in fields or "includes" in fields:
        return _page(line, fields)
    if "statuses" in fields:
        items = decode(_ITEMS, bytes(fields["statuses"]))
        return [event for item in items for event in x_v1.events(decode(_STATUS, bytes(item)))]
    if "text" in fields and "id" in fields:
        return x_v2.flat_events(decode(_TWEET, line), decode(_FLAT, line))
    if "verb" in fields and "actor" in fields:
        return x_v1.events(x_activity.status(decode(_ACTIVITY, line)))
    if "action" in fields:
        return x_compliance.batch_events(decode(_BATCH, line))
    if (found := _compliance(fields)) is not None:
        return found
    if {"text", "author_id", "retweet_count"} & fields.keys():
        missing = next((name for name in ("text", "id") if name not in fields), "user")
        raise Malformed(f"{missing}: missing from a post")
    if _NOT_POSTS & fields.keys():
        return []
    names = ", ".join(sorted(fields)[:6]) or "none"
    raise Malformed(f"neither a post nor an event of X; fields: {names[:200]}")


def _page(line: bytes, fields: dict[str, msgspec.Raw]) -> list[Event]:
    """A page without posts of its own, or an event of the v2 compliance streams."""
    if (data := fields.get("data")) and bytes(data)[:1] == b"{":
        found = _compliance(decode(_FIELDS, bytes(data)))
        if found is not None:
            return found
    page = decode(_PAGE, line)
    tweets = page.data if isinstance(page.data, list) else [page.data] if page.data else []
    return x_v2.events(tweets, page.includes)


def _compliance(fields: dict[str, msgspec.Raw]) -> list[Event] | None:
    """What the compliance event among the fields says; None where there is none."""
    for kind, body in fields.items():
        if kind in x_compliance.KINDS:
            return x_compliance.events(kind, decode(_BODY, bytes(body)))
    return None
