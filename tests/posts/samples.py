"""Wire payloads of a fictional world, one of each shape the parsers must read. All names are invented."""

import json
from typing import Any

Json = dict[str, Any]


def line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


ID = 1_899_892_978_353_176_576
"""A snowflake of 2025-03-12T18:39:19.001Z."""


def x_user(id: str, username: str, **more: object) -> Json:
    return {
        "id": id,
        "username": username,
        "name": username.title(),
        "verified": False,
        "protected": False,
        "created_at": "2019-01-01T00:00:00.000Z",
        "description": "Harbour news & tides",
        "profile_image_url": "https://pbs.example/a.jpg",
        "public_metrics": {"followers_count": 321, "following_count": 5, "tweet_count": 9, "listed_count": 0},
        **more,
    }


def x_tweet(id: int = ID, **more: object) -> Json:
    return {
        "id": str(id),
        "text": "Ferry #Aurelia docks at Port Lund &amp; all 87 are safe @mayor_lund https://t.co/abc",
        "created_at": "2025-03-12T18:39:19.000Z",
        "author_id": "11",
        "conversation_id": str(id),
        "lang": "en",
        "possibly_sensitive": False,
        "reply_settings": "everyone",
        "edit_history_tweet_ids": [str(id)],
        "public_metrics": {"retweet_count": 3, "reply_count": 2, "like_count": 5, "quote_count": 1},
        "entities": {
            "hashtags": [{"start": 6, "end": 14, "tag": "Aurelia"}],
            "mentions": [{"start": 52, "end": 63, "username": "mayor_lund", "id": "12"}],
            "urls": [
                {
                    "start": 64,
                    "end": 80,
                    "url": "https://t.co/abc",
                    "expanded_url": "https://sho.rt/1",
                    "display_url": "sho.rt/1",
                    "unwound_url": "https://lund.example/ferry?a=1&b=2",
                }
            ],
        },
        **more,
    }


def x_line(tweet: Json | None = None, **includes: object) -> Json:
    users = [x_user("11", "tidewatch"), x_user("12", "mayor_lund", verified=True)]
    return {
        "data": tweet or x_tweet(),
        "includes": {"users": users, **includes},
        "matching_rules": [{"id": 1377649934414049282, "tag": None}],
    }


def v1_status(id: int = ID, **more: object) -> Json:
    return {
        "created_at": "Wed Mar 12 18:39:19 +0000 2025",
        "id": id,
        "id_str": str(id),
        "text": "Ferry #Aurelia docks &gt; all 87 are safe @mayor_lund https://t.co/abc",
        "truncated": False,
        "in_reply_to_status_id_str": None,
        "in_reply_to_user_id_str": None,
        "in_reply_to_screen_name": None,
        "user": {
            "id": 11,
            "id_str": "11",
            "name": "Tidewatch",
            "screen_name": "tidewatch",
            "followers_count": 321,
            "verified": False,
        },
        "entities": {
            "hashtags": [{"text": "Aurelia", "indices": [6, 14]}],
            "urls": [
                {"url": "https://t.co/abc", "expanded_url": "https://lund.example/f", "display_url": "l"}
            ],
            "user_mentions": [{"screen_name": "mayor_lund", "id_str": "12", "indices": [42, 53]}],
            "symbols": [],
        },
        "favorite_count": 5,
        "retweet_count": 3,
        "lang": "en",
        "possibly_sensitive": False,
        **more,
    }


def activity(id: int = ID, **more: object) -> Json:
    """A post in Activity Streams form."""
    return {
        "objectType": "activity",
        "verb": "post",
        "id": f"tag:search.twitter.com,2005:{id}",
        "postedTime": "2025-03-12T18:39:19.000Z",
        "actor": {
            "objectType": "person",
            "id": "id:twitter.com:11",
            "displayName": "Tidewatch",
            "preferredUsername": "tidewatch",
            "followersCount": 321,
            "verified": False,
        },
        "body": "Ferry #Aurelia docks &gt; all 87 are safe @mayor_lund https://t.co/abc",
        "object": {"objectType": "note", "id": f"object:search.twitter.com,2005:{id}"},
        "favoritesCount": 5,
        "retweetCount": 3,
        "twitter_lang": "en",
        "twitter_entities": v1_status()["entities"],
        **more,
    }


DID = "did:plc:aaaabbbbccccddddeeeeffff"
OTHER = "did:plc:gggghhhhiiiijjjjkkkkllll"
TIME_US = 1_783_175_888_085_434
"""2026-07-04T14:38:08.085434Z"""


def sky_record(**more: object) -> Json:
    return {
        "$type": "app.bsky.feed.post",
        "text": "Ferry docks in Port Lund, 87 safe. #Aurelia lund.example/…",
        "createdAt": "2026-07-04T14:38:07.999Z",
        "langs": ["en-GB"],
        **more,
    }


def sky_commit(operation: str = "create", kind: str = "post", record: Json | None = None) -> Json:
    commit: Json = {
        "rev": "3mptbypluud2a",
        "operation": operation,
        "collection": f"app.bsky.feed.{kind}",
        "rkey": "3mptbyplj5d2a",
    }
    if operation != "delete":
        commit |= {"record": sky_record() if record is None else record, "cid": "bafyreifake"}
    return {"did": DID, "time_us": TIME_US, "kind": "commit", "commit": commit}


def sky_v2(kind: str, **fields: object) -> Json:
    payload = {
        "$type": f"network.bsky.jetstream.subscribeEvents#{kind}",
        "seq": 77,
        "did": DID,
        "time": "2026-07-04T14:38:08.085434Z",
        **fields,
    }
    return {"$type": "message", "payload": payload}


ROW = {
    "id": str(ID),
    "platform": "x",
    "created_at": "2025-03-12T18:39:19Z",
    "text": "tides &amp; ferries",
    "lang": "en-GB",
    "author": "tidewatch?",
    "likes": 4,
    "conv": "7",
    "urls": ["https://lund.example/?a=1&amp;b=2"],
    "event": "storm",
    "labels": {"relevance": "on-topic"},
    "is_reply": "False",
    "src": "made up",
}

LIKE = {
    "subject": {"uri": f"at://{OTHER}/app.bsky.feed.post/3k", "cid": "bafy"},
    "createdAt": "2026-07-04T14:38:07Z",
}

COMPLIANCE = [
    {"data": {"delete": {"tweet": {"id": "5", "author_id": "6"}, "event_at": "2025-03-12T18:39:19.250Z"}}},
    {"delete": {"status": {"id": 500, "id_str": "501", "user_id": 6}, "timestamp_ms": "1741804759250"}},
    {"user_withheld": {"user": {"id": 6, "id_str": "6"}, "timestampMs": "2025-03-12T18:39:19.250+00:00"}},
    {"id": "5", "action": "delete", "created_at": "2019-09-06T17:25:54.667Z", "reason": "deactivated"},
]

ALL: dict[str, list[bytes]] = {
    "x": [
        line(x_line()),
        line(x_line(x_tweet(referenced_tweets=[{"type": "retweeted", "id": "9"}]), tweets=[x_tweet(ID - 9)])),
        line(
            {"data": [x_tweet(), x_tweet(ID + 1)], "includes": {}, "errors": [{"title": "Not Found Error"}]}
        ),
        line(
            x_tweet(
                author=x_user("11", "tidewatch"), referenced_tweets=[{"type": "quoted", **x_tweet(ID - 9)}]
            )
        ),
        line(v1_status()),
        line(v1_status(retweeted_status=v1_status(ID - 9, quoted_status=v1_status(ID - 99)))),
        line({"statuses": [v1_status()], "search_metadata": {}}),
        line(
            activity(
                verb="share", object=activity(ID - 9), inReplyTo={"link": "http://twitter.com/zoe/statuses/9"}
            )
        ),
        *map(line, COMPLIANCE),
    ],
    "jetstream": [
        line(sky_commit()),
        line(sky_commit("update")),
        line(sky_commit("delete")),
        line(sky_commit(kind="like", record=LIKE)),
        line(sky_v2("commit", **sky_commit()["commit"])),
        line(sky_v2("account", account={"active": False, "status": "deleted"})),
        line(
            {
                "did": DID,
                "time_us": TIME_US,
                "kind": "identity",
                "identity": {"did": DID, "handle": "tide.example"},
            }
        ),
        line({"did": DID, "time_us": TIME_US, "kind": "account", "account": {"active": True}}),
    ],
    "jsonl": [
        line(ROW),
        line({"kind": "deleted", "platform": "x", "id": "5", "at": "2025-03-12T18:39:19Z"}),
        line({"kind": "edited", **ROW, "replaces": ["1"]}),
        line({"kind": "reacted", "platform": "bluesky", "id": "at://a", "record": "at://b", "what": "like"}),
    ],
}
