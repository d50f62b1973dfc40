"""Write simulated events as X sends them: v2 stream lines and v2 compliance lines.

The JSON has the fields, expansions and sizes of real captures (about 2 KB a line).
Two liberties: `created_at` keeps its milliseconds (X writes whole seconds, the exact time being in the
id), and addresses of pictures lead to `.example`. The reading is done by `posts/x.py`, which shares no code
with this module.
"""

from typing import Any

import msgspec

from trinch.posts.schema import (
    AccountHidden,
    AccountRenamed,
    AccountRestored,
    Created,
    Deleted,
    Edited,
    Event,
    Hidden,
    Post,
    Restored,
)
from trinch.simulator.marks import MENTION, SHORT_LINK, TAG
from trinch.simulator.people import Crowd, Person
from trinch.simulator.timestamps import created_at, rfc3339_ms

_REMEMBERED = 20_000
_HALF_HOUR = 1_800_000_000
_HIDE = {"dropped": "drop", "withheld": "withheld"}
_HIDE_ACCOUNT = {"suspended": "user_suspend", "protected": "user_protect", "deleted": "user_delete"}
_SHOW_ACCOUNT = {"suspended": "user_unsuspend", "protected": "user_unprotect", "deleted": "user_undelete"}
_encode = msgspec.json.Encoder().encode


class XLines:
    """Writes events one line at a time, remembering recent posts for `includes.tweets`, as X does."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._seen: dict[str, Post] = {}
        self._reposts: dict[str, int] = {}

    def line(self, event: Event) -> bytes:
        """One line without its newline. ValueError if X has no words for the event (counts, reactions)."""
        if isinstance(event, Created | Edited):
            return self._post_line(event.post, event.replaces if isinstance(event, Edited) else ())
        return _encode({"data": _compliance(event)})

    def _post_line(self, post: Post, replaces: tuple[str, ...]) -> bytes:
        self._remember(post)
        data = self._tweet(post, replaces)
        users = [_user(self._crowd, post)]
        includes: dict[str, Any] = {"users": users}
        referred = self._seen.get(post.repost_of or post.quote_of or post.reply_to)
        if referred is not None:
            if referred.author_id != post.author_id:
                users.append(_user(self._crowd, referred))
            includes["tweets"] = [self._tweet(referred, ())]
        if post.reply_to_author:
            author = self._crowd.find_handle(post.reply_to_author)
            if author is not None:
                data["in_reply_to_user_id"] = author.id
                if all(user["id"] != author.id for user in users):
                    users.append(_profile(author))
        if post.media:
            key = data["attachments"]["media_keys"][0]
            url = f"https://pictures.example/media/{post.id}.jpg"
            includes["media"] = [
                {"media_key": key, "type": "photo", "url": url, "width": 1200, "height": 675}
            ]
        rule = {"id": 1_377_649_934_414_049_282, "tag": None}
        return _encode({"data": data, "includes": includes, "matching_rules": [rule]})

    def _remember(self, post: Post) -> None:
        self._seen[post.id] = post
        if len(self._seen) > _REMEMBERED:
            oldest = next(iter(self._seen))
            del self._seen[oldest]
            self._reposts.pop(oldest, None)
        if post.repost_of in self._seen:
            self._reposts[post.repost_of] = self._reposts.get(post.repost_of, 0) + 1

    def _tweet(self, post: Post, replaces: tuple[str, ...]) -> dict[str, Any]:
        text = post.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        data: dict[str, Any] = {
            "author_id": post.author_id,
            "conversation_id": post.conversation_id,
            "created_at": rfc3339_ms(created_at(post)),
            "edit_controls": {
                "edits_remaining": str(5 - len(replaces)),
                "is_edit_eligible": not post.reply_to,
                "editable_until": rfc3339_ms(created_at(post) + _HALF_HOUR),
            },
            "edit_history_tweet_ids": [*replaces, post.id],
            "id": post.id,
            "lang": post.lang,
            "possibly_sensitive": post.sensitive,
            "public_metrics": {
                "retweet_count": self._reposts.get(post.repost_of or post.id, 0),
                "reply_count": 0,
                "like_count": 0,
                "quote_count": 0,
                "bookmark_count": 0,
                "impression_count": 0,
            },
            "reply_settings": "everyone",
            "source": "X for Android",
            "text": text,
        }
        references = [
            {"type": kind, "id": other}
            for kind, other in (
                ("retweeted", post.repost_of),
                ("quoted", post.quote_of),
                ("replied_to", post.reply_to),
            )
            if other
        ]
        if references:
            data["referenced_tweets"] = references
        entities = self._entities(text, post.urls)
        if entities:
            data["entities"] = entities
        if post.media:
            data["attachments"] = {"media_keys": [f"3_{int(post.id) - 4_194_304}"]}
        if int(post.id) % 3 == 0:
            data["context_annotations"] = _CONTEXT
        return data

    def _entities(self, text: str, urls: tuple[str, ...]) -> dict[str, Any]:
        entities: dict[str, Any] = {}
        if urls:
            entities["urls"] = [
                {
                    "start": match.start(),
                    "end": match.end(),
                    "url": match[0],
                    "expanded_url": url,
                    "display_url": url[8:34] + "…",
                    "status": 200,
                    "title": "Read more at " + url[8:].partition("/")[0],
                    "description": "",
                    "unwound_url": url,
                }
                for match, url in zip(SHORT_LINK.finditer(text), urls, strict=False)
            ]
        if "@" in text:
            entities["mentions"] = [
                self._mention(match.start(), match.end(), match[1]) for match in MENTION.finditer(text)
            ]
        if "#" in text:
            entities["hashtags"] = [
                {"start": match.start(), "end": match.end(), "tag": match[1]} for match in TAG.finditer(text)
            ]
        return {kind: found for kind, found in entities.items() if found}

    def _mention(self, start: int, end: int, username: str) -> dict[str, Any]:
        mention: dict[str, Any] = {"start": start, "end": end, "username": username}
        person = self._crowd.find_handle(username)
        if person is not None:
            mention["id"] = person.id
        return mention


def _user(crowd: Crowd, post: Post) -> dict[str, Any]:
    person = crowd.find(post.author_id)
    if person is not None:
        return _profile(person)
    return {"id": post.author_id, "username": post.author, "name": post.author_name}


def _profile(person: Person) -> dict[str, Any]:
    link = f"https://t.co/{person.id[-10:]}"
    site = f"{person.handle.lower()}.example"
    return {
        "id": person.id,
        "username": person.handle,
        "name": person.name,
        "created_at": rfc3339_ms(person.joined),
        "description": person.bio,
        "location": person.place,
        "protected": False,
        "verified": person.verified,
        "verified_type": "government" if person.role == "official" else "none",
        "profile_image_url": f"https://pictures.example/profile_images/{person.id}/{person.handle}_normal.jpg",
        "url": link,
        "entities": {
            "url": {
                "urls": [
                    {
                        "start": 0,
                        "end": 23,
                        "url": link,
                        "expanded_url": f"https://{site}/",
                        "display_url": site,
                    }
                ]
            }
        },
        "public_metrics": {
            "followers_count": person.followers,
            "following_count": person.following,
            "tweet_count": person.posts,
            "listed_count": person.followers // 90,
            "like_count": person.posts * 2,
        },
    }


def _compliance(event: Event) -> dict[str, Any]:
    body: dict[str, Any] = {"event_at": rfc3339_ms(event.at)}
    match event:
        case Deleted():
            return {"delete": {"tweet": {"id": event.id}, **body}}
        case Hidden(reason="withheld"):
            return {"withheld": {"tweet": {"id": event.id}, "withheld_in_countries": ["XY"], **body}}
        case Hidden(reason="dropped"):
            return {"drop": {"tweet": {"id": event.id}, **body}}
        case Restored(reason="dropped"):
            return {"undrop": {"tweet": {"id": event.id}, **body}}
        case AccountHidden(reason=reason) if reason in _HIDE_ACCOUNT:
            return {_HIDE_ACCOUNT[reason]: {"user": {"id": event.author_id}, **body}}
        case AccountRestored(reason=reason) if reason in _SHOW_ACCOUNT:
            return {_SHOW_ACCOUNT[reason]: {"user": {"id": event.author_id}, **body}}
        case AccountRenamed():
            change = {"profile_field": "profile.screen_name", "new_value": event.author}
            return {"user_profile_modification": {"user": {"id": event.author_id}, **body, **change}}
    raise ValueError(f"X has no line for {event}")


_CONTEXT = [
    {
        "domain": {
            "id": str(number),
            "name": name,
            "description": f"A grouping of {name.lower()} entities, as the network sees them",
        },
        "entity": {"id": str(848_920_371_311_001_600 + number), "name": entity},
    }
    for number, name, entity in (
        (65, "Interests and Hobbies Vertical", "Everyday life"),
        (66, "Interests and Hobbies Category", "Around town"),
        (131, "Unified Taxonomy", "Conversation"),
    )
]
