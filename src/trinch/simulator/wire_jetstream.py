"""Write simulated events as Jetstream v1 and v2 frames, as a Bluesky relay sends them.

Content ids are well formed but not those a real server would compute (`network_ids.cid`).
`posts/jetstream.py` reads the frames back and shares no code with this module.
"""

from typing import Any

import msgspec

from trinch.posts.schema import (
    AccountGone,
    AccountHidden,
    AccountRenamed,
    AccountRestored,
    Created,
    Deleted,
    Edited,
    Event,
    Post,
    Reacted,
    Unreacted,
)
from trinch.simulator.marks import SHOWN_LINK, TAG
from trinch.simulator.network_ids import cid, tid
from trinch.simulator.timestamps import created_at, rfc3339_ms, rfc3339_us

_V2 = "network.bsky.jetstream.subscribeEvents#"
_FACET = "app.bsky.richtext.facet#"
_encode = msgspec.json.Encoder().encode


class JetstreamFrames:
    """Writes events one frame at a time; `version` 1 is `/subscribe`, 2 is `subscribeEvents`."""

    def __init__(self, version: int = 1) -> None:
        self._version = version
        self._seq = 0

    def frame(self, event: Event) -> bytes:
        """One JSON frame. ValueError if a relay has no frame for the event (hidden posts, counts)."""
        self._seq += 1
        match event:
            case Created() | Edited():
                operation = "create" if isinstance(event, Created) else "update"
                return self._commit(event.at, event.post.id, operation, _record(event.post))
            case Deleted():
                return self._commit(event.at, event.id, "delete", None)
            case Reacted():
                kind = f"app.bsky.feed.{event.what}"
                subject = {"uri": event.id, "cid": cid(event.id.encode())}
                record = {"$type": kind, "createdAt": rfc3339_ms(event.at), "subject": subject}
                return self._commit(event.at, event.record, "create", record)
            case Unreacted():
                return self._commit(event.at, event.record, "delete", None)
            case AccountGone():
                return self._about(
                    event.at, event.author_id, "account", {"active": False, "status": "deleted"}
                )
            case AccountHidden():
                return self._about(
                    event.at, event.author_id, "account", {"active": False, "status": event.reason}
                )
            case AccountRestored():
                return self._about(event.at, event.author_id, "account", {"active": True})
            case AccountRenamed():
                return self._about(event.at, event.author_id, "identity", {"handle": event.author})
        raise ValueError(f"Jetstream has no frame for {event}")

    def _commit(self, at: int, uri: str, operation: str, record: dict[str, Any] | None) -> bytes:
        _, _, did, collection, rkey = uri.split("/")
        commit: dict[str, Any] = {
            "rev": tid(at, self._seq),
            "operation": operation,
            "collection": collection,
            "rkey": rkey,
        }
        if record is not None:
            encoded = _encode(record)
            commit["record"] = msgspec.Raw(encoded)
            commit["cid"] = cid(encoded)
        if self._version == 1:
            return _encode({"did": did, "time_us": at, "kind": "commit", "commit": commit})
        return self._message("commit", {"seq": self._seq, "did": did, "time": rfc3339_us(at), **commit})

    def _about(self, at: int, did: str, kind: str, what: dict[str, Any]) -> bytes:
        upstream = {"did": did, "seq": 30_000_000_000 + self._seq, "time": rfc3339_ms(at), **what}
        if self._version == 1:
            return _encode({"did": did, "time_us": at, "kind": kind, kind: upstream})
        return self._message(kind, {"seq": self._seq, "did": did, "time": rfc3339_us(at), kind: upstream})

    def _message(self, kind: str, payload: dict[str, Any]) -> bytes:
        return _encode({"$type": "message", "payload": {"$type": _V2 + kind, **payload}})


def _record(post: Post) -> dict[str, Any]:
    record: dict[str, Any] = {
        "$type": "app.bsky.feed.post",
        "createdAt": rfc3339_ms(created_at(post)),
        "langs": [post.lang],
        "text": post.text,
    }
    if post.reply_to:
        record["reply"] = {"parent": _ref(post.reply_to), "root": _ref(post.conversation_id)}
    embed: dict[str, Any] | None = None
    if post.media:
        blob = {
            "$type": "blob",
            "ref": {"$link": cid(post.id.encode())},
            "mimeType": "image/jpeg",
            "size": 119_635,
        }
        embed = {"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": blob}]}
    if post.quote_of:
        quote = {"$type": "app.bsky.embed.record", "record": _ref(post.quote_of)}
        if embed:
            embed = {"$type": "app.bsky.embed.recordWithMedia", "media": embed, "record": quote}
        else:
            embed = quote
    if embed:
        record["embed"] = embed
    facets = [
        _facet(post.text, match.start(), match.end(), {"$type": _FACET + "link", "uri": url})
        for match, url in zip(SHOWN_LINK.finditer(post.text), post.urls, strict=False)
    ]
    facets += [
        _facet(post.text, match.start(), match.end(), {"$type": _FACET + "tag", "tag": match[1]})
        for match in TAG.finditer(post.text)
    ]
    if facets:
        record["facets"] = facets
    return record


def _ref(uri: str) -> dict[str, str]:
    return {"uri": uri, "cid": cid(uri.encode())}


def _facet(text: str, start: int, end: int, feature: dict[str, str]) -> dict[str, Any]:
    """Facets count UTF-8 bytes."""
    first = len(text[:start].encode())
    span = {"byteStart": first, "byteEnd": first + len(text[start:end].encode())}
    return {"features": [feature], "index": span}
