"""Posts of X as other programs write them: X's own archive, scrapers, and the answers of X's web client.

Each form becomes a v1.1 status, which `x_v1.py` reads. Field names: the archive's `tweets.js`, snscrape's and twscrape's
`Tweet.json()`, Twint's `--json` output, the camel-case objects of twitterapi.io and of Apify's scrapers, the `Tweet` of
twitter-scraper (Go), and `tweet_results` of the web client's GraphQL answers.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from trinch.posts import x_v1
from trinch.posts.forgive import fit
from trinch.posts.notes import Notes
from trinch.posts.schema import Event, Malformed
from trinch.posts.wire import decode

_ANY: "msgspec.json.Decoder[Any]" = msgspec.json.Decoder()


def form(found: dict[str, msgspec.Raw]) -> str:
    """Which program's post these are the fields of: `snscrape`, `twint`, `camel`, `scraper`, `web`, or ""."""
    keys = found.keys()
    if {"rawContent", "content", "renderedContent"} & keys and {"id", "user"} <= keys and _is_scraped(found):
        return "snscrape"
    if "tweet" in keys and {"username", "user_id", "link"} & keys and "id" in keys:
        return "twint"
    if (
        {"id", "createdAt", "author"} <= keys
        and {"text", "fullText"} & keys
        and {"retweetCount", "isReply"} & keys
    ):
        return "camel"
    if {"ID", "Text", "Username"} <= keys and {"PermanentURL", "Timestamp", "Retweets"} & keys:
        return "scraper"
    return "web" if {"legacy", "rest_id"} <= keys or {"tweet_results", "tweetResult"} & keys else ""


def _is_scraped(found: dict[str, msgspec.Raw]) -> bool:
    """Whether a snscrape object is of X: that program reads other networks too."""
    module = bytes(found.get("_type", msgspec.Raw(b"")))
    if module:
        return b"twitter" in module
    of_x = {"rawContent", "renderedContent", "retweetCount", "inReplyToTweetId", "quotedTweet"}
    return bool(of_x & found.keys()) or bool(_ON_X(bytes(found.get("url", msgspec.Raw(b"")))))


_ON_X = re.compile(rb'"https?:(?:\\?/){2}(?:www\.|mobile\.)?(?:twitter|x)\.com\\?/').match


def events(form: str, line: bytes, notes: Notes | None) -> list[Event]:
    """The events of one line of that form."""
    value = decode(_ANY, line, notes)
    status = _FORMS[form](value)
    return x_v1.events(fit(status, x_v1.Status, notes), notes)


def archived(raw: bytes, notes: Notes | None) -> list[Event]:
    """The events of `{"tweet": {...}}`, an element of the archive's `tweets.js`."""
    value = decode(_ANY, raw, notes)
    history = _at(value, "edit_info", "initial", "editTweetIds") or _at(
        value, "edit_info", "edit", "editTweetIds"
    )
    if isinstance(history, list):
        value = {**value, "edit_history": {"edit_tweet_ids": history}}
    return x_v1.events(fit(_counted(value), x_v1.Status, notes), notes)


_NUMBERS = ("favorite_count", "retweet_count", "reply_count", "quote_count")


def _counted(value: dict[str, Any]) -> dict[str, Any]:
    """The status with its counts as numbers: the archive always writes them as text."""
    counts = {
        name: int(value[name])
        for name in _NUMBERS
        if str(value.get(name)).isdecimal() and len(str(value[name])) < 19
    }
    return {**value, **counts}


def _snscrape(value: dict[str, Any], depth: int = 3) -> dict[str, Any]:
    user = value.get("user") or {}
    text = next(
        (value[name] for name in ("rawContent", "content", "renderedContent") if value.get(name)), None
    )
    status = {
        "id_str": str(value.get("id")),
        "created_at": value.get("date"),
        "full_text": text,
        "lang": value.get("lang"),
        "user": _user(user, "id", "username", "displayname", "followersCount", "verified"),
        "in_reply_to_status_id_str": _number(value.get("inReplyToTweetId")),
        "in_reply_to_screen_name": _at(value, "inReplyToUser", "username"),
        "favorite_count": value.get("likeCount"),
        "retweet_count": value.get("retweetCount"),
        "reply_count": value.get("replyCount"),
        "quote_count": value.get("quoteCount"),
        "entities": {
            "hashtags": [{"text": tag} for tag in _items(value, "hashtags")],
            "user_mentions": [
                {"screen_name": _at(one, "username")} for one in _items(value, "mentionedUsers")
            ],
            "urls": [
                {"expanded_url": one if isinstance(one, str) else _at(one, "url")}
                for one in _items(value, "links") or _items(value, "outlinks")
            ],
        },
        "extended_entities": {
            "media": [
                {
                    "type": _SNSCRAPE_MEDIA.get(str(_at(one, "_type")).rpartition(".")[2]),
                    "ext_alt_text": _at(one, "altText"),
                }
                for one in _items(value, "media")
            ]
        },
    }
    for name, ours in (("retweetedTweet", "retweeted_status"), ("quotedTweet", "quoted_status")):
        if isinstance(value.get(name), dict) and depth:
            status[ours] = _snscrape(value[name], depth - 1)
    return status


_SNSCRAPE_MEDIA = {"Photo": "photo", "Video": "video", "Gif": "animated_gif"}


def _twint(value: dict[str, Any]) -> dict[str, Any]:
    zone = value.get("timezone")
    whole = value.get("created_at")
    if value.get("date") and value.get("time"):
        whole = f"{value['date']}T{value['time']}{zone if isinstance(zone, str) and zone[:1] in '+-' else ''}"
    conversation = _number(value.get("conversation_id"))
    return {
        "id_str": str(value.get("id")),
        "created_at": whole,
        "full_text": value.get("tweet"),
        "lang": value.get("language"),
        "user": _user(value, "user_id", "username", "name", "", ""),
        "in_reply_to_status_id_str": conversation
        if value.get("reply_to") and conversation != str(value.get("id"))
        else None,
        "in_reply_to_screen_name": _at(next(iter(_items(value, "reply_to")), None), "screen_name"),
        "favorite_count": value.get("likes_count"),
        "retweet_count": value.get("retweets_count"),
        "reply_count": value.get("replies_count"),
        "entities": {
            "hashtags": [{"text": str(tag).removeprefix("#")} for tag in _items(value, "hashtags")],
            "user_mentions": [
                {"screen_name": one if isinstance(one, str) else _at(one, "screen_name")}
                for one in _items(value, "mentions")
            ],
            "urls": [{"expanded_url": url} for url in _items(value, "urls") if isinstance(url, str)],
        },
    }


def _camel(value: dict[str, Any], depth: int = 3) -> dict[str, Any]:
    """The objects of twitterapi.io and of Apify's scrapers."""
    status = {
        "id_str": _number(value.get("id")),
        "created_at": value.get("createdAt"),
        "full_text": value.get("fullText") or value.get("text"),
        "lang": value.get("lang"),
        "user": _user(value.get("author"), "id", "userName", "name", "followers", "isVerified"),
        "in_reply_to_status_id_str": _number(value.get("inReplyToId")),
        "in_reply_to_screen_name": value.get("inReplyToUsername"),
        "favorite_count": value.get("likeCount"),
        "retweet_count": value.get("retweetCount"),
        "reply_count": value.get("replyCount"),
        "quote_count": value.get("quoteCount"),
        "entities": value.get("entities"),
        "extended_entities": value.get("extendedEntities"),
    }
    nested = {"retweeted_status": ("retweet", "retweeted_tweet"), "quoted_status": ("quote", "quoted_tweet")}
    for ours, names in nested.items():
        inner = next((value[name] for name in names if isinstance(value.get(name), dict)), None)
        if inner and depth:
            status[ours] = _camel(inner, depth - 1)
    return status


def _scraper(value: dict[str, Any]) -> dict[str, Any]:
    """The `Tweet` of twitter-scraper, a library in Go."""
    return {
        "id_str": _number(value.get("ID")),
        "created_at": value.get("TimeParsed") or value.get("Timestamp"),
        "full_text": value.get("Text"),
        "user": _user(value, "UserID", "Username", "Name", "", ""),
        "in_reply_to_status_id_str": _number(value.get("InReplyToStatusID")),
        "favorite_count": value.get("Likes"),
        "retweet_count": value.get("Retweets"),
        "reply_count": value.get("Replies"),
        "possibly_sensitive": value.get("SensitiveContent"),
        "quoted_status_id_str": _number(value.get("QuotedStatusID")),
        "entities": {
            "hashtags": [{"text": tag} for tag in _items(value, "Hashtags")],
            "urls": [{"expanded_url": url} for url in _items(value, "URLs") if isinstance(url, str)],
            "user_mentions": [{"screen_name": _at(one, "Username")} for one in _items(value, "Mentions")],
        },
    }


_FORMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "snscrape": _snscrape,
    "twint": _twint,
    "camel": _camel,
    "scraper": _scraper,
}


def _user(value: Any, id: str, handle: str, name: str, followers: str, verified: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {
        "id_str": _number(value.get(id)),
        "screen_name": value.get(handle),
        "name": value.get(name),
        "followers_count": value.get(followers),
        "verified": value.get(verified),
    }


def _number(value: Any) -> str | None:
    """An id as text; None where there is none."""
    return None if value in (None, "") or isinstance(value, float | bool) else str(value)


def _items(value: dict[str, Any], key: str) -> list[Any]:
    """The list under a key; none where there is something else."""
    found = value.get(key)
    return found if isinstance(found, list) else []


def _object(value: Any, key: str) -> dict[str, Any]:
    """The object under a key; an empty one where there is something else."""
    found = _at(value, key)
    return found if isinstance(found, dict) else {}


def _at(value: Any, *path: str) -> Any:
    """The value at a path of keys; None where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def web_posts(data: bytes, notes: Notes | None) -> list[Event] | None:
    """The events of the posts in an answer of X's web client; None where it holds none."""
    found: list[Event] = []
    seen = False
    value = decode(_ANY, data, notes)
    if isinstance(value, dict) and "legacy" in value:  # a result by itself
        value = {"tweet_results": {"result": value}}
    for number, result in enumerate(_results(value)):
        seen = True
        try:
            found += x_v1.events(fit(_web(result), x_v1.Status, notes), notes)
        except Malformed as error:
            if notes is None:
                raise
            notes.reject(f"data: result {number + 1}: {error}", msgspec.json.encode(result))
    return found if seen else None


def _results(value: Any) -> Iterator[dict[str, Any]]:
    """Every `tweet_results.result` and `tweetResult.result`, in order; posts nested in posts are left to `_web`."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += reversed(one)
        elif isinstance(one, dict):
            result = _at(one, "tweet_results", "result") or _at(one, "tweetResult", "result")
            if isinstance(result, dict):
                result = result.get("tweet") or result  # with a limit on who may answer, one level deeper
                if isinstance(result, dict) and "legacy" in result:
                    yield result
                    continue
            left += reversed(list(one.values()))


def _web(result: dict[str, Any], depth: int = 3) -> dict[str, Any]:
    """A result of the web client as a v1.1 status."""
    legacy = result.get("legacy")
    if not isinstance(legacy, dict):
        raise Malformed("legacy: missing from a post")
    user = _at(result, "core", "user_results", "result") or {}
    status = {
        **legacy,
        "id_str": legacy.get("id_str") or result.get("rest_id"),
        "user": {**_object(user, "legacy"), **_object(user, "core"), "id_str": _at(user, "rest_id")},
        "note": {"text": _at(result, "birdwatch_pivot", "subtitle", "text")},
    }
    if isinstance(long := _at(result, "note_tweet", "note_tweet_results", "result", "text"), str):
        status["full_text"] = long
    bindings = _at(result, "card", "legacy", "binding_values")
    if isinstance(bindings, list):
        status["card"] = {"binding_values": {str(_at(one, "key")): _at(one, "value") for one in bindings}}
    nested = (
        ("retweeted_status", _at(legacy, "retweeted_status_result", "result")),
        ("quoted_status", _at(result, "quoted_status_result", "result")),
    )
    for name, inner in nested:
        if isinstance(inner, dict) and "legacy" in inner and depth:
            status[name] = _web(inner, depth - 1)
    return status
