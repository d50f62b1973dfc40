"""One object of each further format and of each program that writes posts of X. All names are invented."""

from typing import Any

ID = "1724551110972145664"
"""A snowflake of 2023-11-14T22:13:20.123Z."""
V11 = "Tue Nov 14 22:13:20 +0000 2023"


def status(**more: Any) -> dict[str, Any]:
    """A post of X's v1.1."""
    return {
        "created_at": V11,
        "id": int(ID),
        "id_str": ID,
        "text": "Ferry docks in Port Lund",
        "user": {"id": 77, "id_str": "77", "screen_name": "quaywatch", "followers_count": 9},
        "lang": "en",
        "retweet_count": 0,
        "favorite_count": 1,
        "entities": {"urls": [], "hashtags": [{"text": "lund"}], "user_mentions": []},
        **more,
    }


def result(**more: Any) -> dict[str, Any]:
    """A post as X's web client gets it."""
    user = {"rest_id": "77", "core": {"screen_name": "quaywatch", "name": "Quay"}}
    legacy = {"full_text": "Ferry docks in Port Lund", "created_at": V11, "favorite_count": 3}
    return {"rest_id": ID, "core": {"user_results": {"result": user}}, "legacy": legacy, **more}


def view(**more: Any) -> dict[str, Any]:
    """A post as Bluesky's API shows it."""
    return {
        "uri": "at://did:plc:abc/app.bsky.feed.post/3k",
        "cid": "b",
        "author": {"did": "did:plc:abc", "handle": "quay.example", "displayName": "Quay"},
        "record": {
            "$type": "app.bsky.feed.post",
            "text": "Ferry docks in Port Lund",
            "createdAt": "2023-11-14T22:13:20.000Z",
            "langs": ["en"],
        },
        "likeCount": 3,
        "indexedAt": "2023-11-14T22:13:21.000Z",
        **more,
    }


COMMENT = {"id": "k1", "body": "Ferry docks", "author": "mud", "created_utc": 1700000000, "link_id": "t3_z"}
LISTING = {
    "kind": "Listing",
    "data": {
        "children": [
            {"kind": "t3", "data": {"id": "z", "title": "Ferry docks", "selftext": "", "created_utc": 1.7e9}},
            {
                "kind": "t1",
                "data": {
                    **COMMENT,
                    "replies": {"kind": "Listing", "data": {"children": [{"kind": "t1", "data": {**COMMENT, "id": "k2"}}]}},
                },
            },
            {"kind": "more", "data": {"children": ["k3"]}},
        ]
    },
}  # fmt: skip

OBJECTS: dict[str, dict[str, Any]] = {
    "v1": status(extended_entities={"media": [{"type": "photo", "ext_alt_text": "a ferry"}]}),
    "v1 with posts in it": status(
        retweeted_status=status(id=5, id_str="5", quoted_status=status(id_str="6"))
    ),
    "web result": result(),
    "web answer": {"data": {"tweetResult": {"result": result(note_tweet={})}}},
    "archive": {"tweet": status(favorite_count="3", edit_info={"initial": {"editTweetIds": [ID]}})},
    "snscrape": {
        "_type": "snscrape.modules.twitter.Tweet",
        "id": int(ID),
        "date": "2023-11-14 22:13:20+00:00",
        "rawContent": "Ferry docks in Port Lund",
        "user": {"id": 77, "username": "quaywatch", "followersCount": 3},
        "hashtags": ["lund"],
        "links": [{"url": "https://lund.example"}],
        "mentionedUsers": [{"username": "pier"}],
        "media": [{"_type": "snscrape.modules.twitter.Photo", "altText": "a ferry"}],
        "quotedTweet": None,
        "likeCount": 2,
    },
    "twint": {
        "id": int(ID),
        "conversation_id": ID,
        "date": "2023-11-14",
        "time": "22:13:20",
        "timezone": "+0000",
        "user_id": 77,
        "username": "quaywatch",
        "tweet": "Ferry docks in Port Lund",
        "language": "en",
        "mentions": [{"screen_name": "pier"}],
        "hashtags": ["lund"],
        "urls": ["https://lund.example"],
        "reply_to": [{"screen_name": "pier"}],
        "likes_count": 2,
    },
    "camel": {
        "type": "tweet",
        "id": ID,
        "text": "Ferry docks in Port Lund",
        "createdAt": V11,
        "likeCount": 3,
        "retweetCount": 1,
        "isReply": False,
        "author": {"userName": "quaywatch", "id": "77", "name": "Quay", "followers": 3},
        "entities": {"hashtags": [{"text": "lund"}]},
        "quoted_tweet": {"id": "5", "text": "Ferry", "createdAt": V11, "author": {"userName": "pier"}},
    },
    "scraper": {
        "ID": ID,
        "Text": "Ferry docks in Port Lund",
        "Username": "quaywatch",
        "UserID": "77",
        "Timestamp": 1700000000,
        "Likes": 3,
        "Hashtags": ["lund"],
        "Mentions": [{"Username": "pier"}],
        "URLs": ["https://lund.example"],
        "PermanentURL": f"https://twitter.com/quaywatch/status/{ID}",
    },
    "mastodon": {
        "id": "5",
        "uri": "https://masto.example/users/quay/statuses/5",
        "content": "<p>Ferry docks in Port Lund</p>",
        "created_at": "2023-11-14T22:13:20.000Z",
        "account": {"acct": "quay", "uri": "https://masto.example/users/quay", "followers_count": 3},
        "media_attachments": [{"type": "image", "description": "a ferry"}],
        "poll": {"options": [{"title": "mole"}]},
        "tags": [{"name": "lund"}],
        "card": {"title": "Lund", "description": "News"},
        "reblog": None,
        "favourites_count": 3,
    },
    "reddit": {**COMMENT, "score": 3, "over_18": False},
    "reddit listing": LISTING,
    "telegram": {
        "name": "Quay",
        "id": 99,
        "messages": [
            {
                "id": 1,
                "type": "message",
                "date": "2023-11-14T22:13:20",
                "date_unixtime": "1700000000",
                "from": "Quay",
                "from_id": "channel99",
                "text": ["Ferry ", {"type": "link", "text": "https://lund.example"}],
                "poll": {"question": "Where?", "answers": [{"text": "mole", "voters": 1}]},
            }
        ],
    },
    "bluesky": view(embed={}),
    "bluesky feed": {
        "feed": [{"post": view()}, {"post": view(uri="at://did:plc:abc/app.bsky.feed.post/4k")}]
    },
    "bluesky records": {
        "records": [{"uri": view()["uri"], "cid": "b", "value": view()["record"]}],
        "cursor": "x",
    },
}
"""What is read, by what wrote it; the first post in it is the ferry's."""
