"""Everything X sends, one JSON text at a time: `parse` finds the form and calls its module.

The forms are in `x_v2.py`, `x_v1.py`, `x_activity.py`, `x_compliance.py`, and those of other programs in
`x_exports.py`. What is none of them is malformed, so that nothing is dropped silently.
"""

import re
from collections.abc import Set

import msgspec

from trinch.posts import x_activity, x_compliance, x_exports, x_v1, x_v2
from trinch.posts.notes import Notes
from trinch.posts.schema import Event, Malformed
from trinch.posts.wire import decode, fields

_PAGE = msgspec.json.Decoder(x_v2.Page)
_TWEET = msgspec.json.Decoder(x_v2.Tweet)
_INCLUDES = msgspec.json.Decoder(x_v2.Includes)
_FLAT = msgspec.json.Decoder(x_v2.Flat)
_STATUS = msgspec.json.Decoder(x_v1.Status)
_BODY = msgspec.json.Decoder(x_compliance.Body)
_BATCH = msgspec.json.Decoder(x_compliance.Batch)
_ACTIVITY = msgspec.json.Decoder(x_activity.Activity)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])

Fields = dict[str, msgspec.Raw]

# Beginnings that only these forms have, so that their lines are decoded once.
_V2 = re.compile(
    rb'\s*\{\s*"data"\s*:\s*(?:\{\s*"(?:id|text|author_id|edit_history_tweet_ids|attachments|'
    rb"conversation_id|context_annotations|created_at|entities|public_metrics|lang|source|"
    rb'referenced_tweets|possibly_sensitive|reply_settings|in_reply_to_user_id|geo)"|\[\s*\{)'
).match
_V1 = re.compile(rb'\s*\{\s*"created_at"\s*:\s*"[^"\\]*"\s*,\s*"id"\s*:\s*\d+\s*,\s*"id_str"\s*:').match

_V2_ONLY = {
    *("edit_history_tweet_ids", "public_metrics", "referenced_tweets", "reply_settings", "edit_controls"),
    *("context_annotations", "note_tweet", "in_reply_to_user_id"),
}
_V2_OFTEN = {"author_id", "conversation_id", "author"}
"""Keys that other networks use as well: they mark a post of X only where the id is as long as X's are."""
_LONG_ID = re.compile(rb'"?\d{9,19}"?').fullmatch
_V1_ONLY = {
    *("id_str", "user_id_str", "in_reply_to_status_id_str", "in_reply_to_user_id_str", "favorite_count"),
    *("retweeted_status", "quoted_status", "is_quote_status", "extended_tweet", "display_text_range"),
}
_USER = re.compile(rb'\{.*"(?:screen_name|id_str)"', re.DOTALL).match
_WEIBO = {"idstr", "mid", "mblogid", "attitudes_count"}
"""Keys of posts of Weibo, whose form is otherwise that of X's v1.1."""
_PAGES = ("statuses", "results", "tweets")
"""Keys under which answers hold a list of posts: v1.1 search, enterprise search, and other programs."""
_MESSAGES: tuple[set[str], ...] = (
    *(
        {"limit"},
        {"disconnect"},
        {"warning"},
        {"friends"},
        {"friends_str"},
        {"control"},
        {"for_user"},
        {"event"},
    ),
    *({"errors"}, {"error"}, {"meta"}, {"title", "detail"}, {"title", "type"}, {"message", "code"}),
)
"""Keys of messages of the streams and the API themselves, which hold no post."""
_MESSAGE_KEYS = {
    *(
        "limit",
        "disconnect",
        "warning",
        "friends",
        "friends_str",
        "control",
        "for_user",
        "event",
        "errors",
        "error",
    ),
    *(
        "meta",
        "title",
        "detail",
        "type",
        "status",
        "message",
        "code",
        "connection_issue",
        "request",
        "value",
        "reason",
    ),
    *(
        "client_id",
        "required_enrollment",
        "registration_url",
        "resource_type",
        "parameter",
        "resource_id",
        "account_id",
    ),
    *("period", "scope", "matching_rules", "sent", "parameters"),
}
_OTHER_OBJECTS: tuple[set[str], ...] = (
    *(
        {"username"},
        {"screen_name"},
        {"tweet_count"},
        {"member_count"},
        {"owner_id"},
        {"deleted"},
        {"hidden"},
    ),
    *(
        {"media_key"},
        {"liked"},
        {"following"},
        {"retweeted"},
        {"blocking"},
        {"muting"},
        {"is_member"},
        {"pinned"},
    ),
    *({"bookmarked"}, {"pending_follow"}, {"updated"}, {"state"}, {"upload_url"}, {"value"}, {"trend_name"}),
    *(
        {"creator_id"},
        {"tag", "value"},
        {"sender_id"},
        {"dm_event_id"},
        {"country_code"},
        {"participant_ids"},
    ),
)
"""Keys that mark the other objects of the API: users, lists, counts, spaces, jobs, direct messages, outcomes."""


def parse(line: bytes, notes: Notes | None = None, found: Fields | None = None) -> list[Event]:
    """The events of one line of a stream, or of one whole answer; [] for keep-alives and what holds no post.

    `found` are the top-level fields where they are known already. Raises `Malformed` and nothing else."""
    if _V2(line):
        page = _whole_page(line, notes)
        if page is not None:
            return page
    elif _V1(line):
        status = decode(_STATUS, line, notes)
        if status.text is not None or status.full_text is not None:
            return x_v1.events(status, notes)
    if not line or line.isspace():
        return []
    if line.lstrip()[:1] == b"[":
        return _each(decode(_ITEMS, line), notes)
    return _object(line, found or fields(line, notes), notes)


def _is_user(keys: Set[str]) -> bool:
    return keys >= {"id_str", "screen_name"} or keys >= {"id", "username", "public_metrics"}


def _whole_page(line: bytes, notes: Notes | None) -> list[Event] | None:
    """The events of a stream line or page all of whose elements are posts; None where they are not."""
    try:
        page = decode(_PAGE, line, notes)
    except Malformed:
        return None
    tweets = page.data if isinstance(page.data, list) else [page.data] if page.data else []
    if not tweets or any(tweet.text is None for tweet in tweets):
        return None
    return x_v2.events(tweets, page.includes, "data", notes)


def _form(found: Fields) -> str:
    """Which form of a post the fields are; "" for none."""
    keys = found.keys()
    if {"text", "full_text"} & keys and {"id", "id_str"} & keys and (form := _plain_form(found)):
        return form
    if "tweet" in keys and bytes(found["tweet"])[:1] == b"{":
        return "archive"
    if "verb" in keys and "actor" in keys:
        return "activity"
    if "action" in keys and "id" in keys:
        return "batch"
    return x_exports.form(found)


def _plain_form(found: Fields) -> str:
    """`v1`, `flat` or "": whether an object with a text and an id is a post of X, by what only X's posts have."""
    keys, none = found.keys(), msgspec.Raw(b"")
    if _WEIBO & keys or x_exports.form(found):
        return ""
    long_id = _LONG_ID(bytes(found.get("id", found.get("id_str", none))))
    if _V1_ONLY & keys or _USER(bytes(found.get("user", none))) or ("full_text" in keys and long_id):
        return "v1"
    return "flat" if _V2_ONLY & keys or (_V2_OFTEN & keys and long_id) else ""


def _object(line: bytes, found: Fields, notes: Notes | None) -> list[Event]:  # noqa: C901 - one case per form
    match _form(found):
        case "v1":
            return x_v1.events(decode(_STATUS, line, notes), notes)
        case "flat":
            return x_v2.flat_events(decode(_FLAT, line, notes), notes)
        case "archive":
            return x_exports.archived(bytes(found["tweet"]), notes)
        case "activity":
            return x_v1.events(x_activity.status(decode(_ACTIVITY, line, notes)), notes)
        case "batch":
            return x_compliance.batch_events(decode(_BATCH, line, notes), notes)
        case "snscrape" | "twint" | "camel" | "scraper" as form:
            return x_exports.events(form, line, notes)
        case "web":
            return x_exports.web_posts(line, notes) or []
    if "data" in found or "includes" in found:
        return _page(line, found, notes)
    for name in _PAGES:
        if bytes(found.get(name, b""))[:1] == b"[":
            return _each(decode(_ITEMS, bytes(found[name])), notes)
    if (events := _compliance(found, notes)) is not None:
        return events
    return _no_post(found)


def _no_post(found: Fields) -> list[Event]:
    """[] for a message or object of the API that holds no post. Raises Malformed on anything else."""
    keys = found.keys()
    if _is_user(keys) or (keys <= _MESSAGE_KEYS and any(message <= keys for message in _MESSAGES)):
        return []
    if {"text", "author_id", "retweet_count"} & keys:
        missing = next((name for name in ("text", "id") if name not in found), "")
        if missing:
            raise Malformed(f"{missing}: missing from a post")
    names = ", ".join(sorted(found)[:6]) or "none"
    raise Malformed(f"no form of post or event that is known; fields: {names[:200]}")


def _page(line: bytes, found: Fields, notes: Notes | None) -> list[Event]:
    """A page that is not of posts alone: compliance events, other objects, or posts that cannot be read."""
    data = bytes(found.get("data", msgspec.Raw(b"null")))
    includes = _includes(found, notes)
    if data[:1] == b"{":
        inner = fields(data, notes)
        if (events := _compliance(inner, notes)) is not None:
            return events
        if "text" in inner:
            return x_v2.events([_tweet(data, notes)], includes, "data", notes)
        if (posts := x_exports.web_posts(data, notes)) is not None:
            return posts
        _check_other(inner, "data")
        return x_v2.events([], includes, "data", notes)
    if data[:1] != b"[":
        if data != b"null":
            raise Malformed("data: expected an object or an array")
        if "includes" not in found:
            return _no_post({key: value for key, value in found.items() if key != "data"})
        return x_v2.events([], includes, "data", notes)
    return x_v2.events(_tweets(decode(_ITEMS, data), notes), includes, "data", notes)


def _tweet(data: bytes, notes: Notes | None) -> x_v2.Tweet:
    try:
        return decode(_TWEET, data, notes)
    except Malformed as error:
        raise Malformed(f"data.{error}") from None


def _includes(found: Fields, notes: Notes | None) -> x_v2.Includes | None:
    raw = bytes(found.get("includes", msgspec.Raw(b"null")))
    if raw == b"null":
        return None
    try:
        return decode(_INCLUDES, raw, notes)
    except Malformed:
        if notes:
            notes.forgive("includes")
        return None


def _tweets(items: list[msgspec.Raw], notes: Notes | None) -> list[x_v2.Tweet]:
    """The posts among the elements of a page; one that cannot be read is rejected by itself."""
    tweets = []
    for number, item in enumerate(items):
        raw = bytes(item)
        try:
            inner = fields(raw, notes)
            if "text" in inner:
                tweets.append(decode(_TWEET, raw, notes))
            else:
                _check_other(inner, f"data[{number}]")
        except Malformed as error:
            if notes is None or len(items) == 1:
                raise
            place, reason = f"data[{number}]", str(error)
            notes.reject(reason if reason.startswith(place) else f"{place}.{reason}", raw)
    return tweets


def _check_other(inner: Fields, where: str) -> None:
    """Raises Malformed where an object without text is not another object of the API."""
    keys = inner.keys()
    if {"author_id", "conversation_id", "referenced_tweets", "edit_history_tweet_ids"} & keys:
        raise Malformed(f"{where}.text: missing from a post")
    if not any(marks <= keys for marks in _OTHER_OBJECTS):
        names = ", ".join(sorted(inner)[:6]) or "none"
        raise Malformed(f"{where}: neither a post nor another object of X; fields: {names[:200]}")


def _each(items: list[msgspec.Raw], notes: Notes | None) -> list[Event]:
    """The events of the elements of an array; one that cannot be read is rejected by itself."""
    events: list[Event] = []
    for number, item in enumerate(items):
        raw = bytes(item)
        try:
            if raw[:1] != b"{":
                raise Malformed("expected a JSON object")
            events += parse(raw, notes)
        except Malformed as error:
            if notes is None or len(items) == 1:
                raise
            notes.reject(f"[{number}] {error}", raw)
    return events


def _compliance(found: Fields, notes: Notes | None) -> list[Event] | None:
    """The events of the compliance event among the fields; None where there is none."""
    for kind, body in found.items():
        if kind in x_compliance.KINDS and bytes(body)[:1] == b"{":
            return x_compliance.events(kind, decode(_BODY, bytes(body), notes), notes)
    return None
