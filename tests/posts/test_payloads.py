"""The parsers against real payloads, recorded by others. Skipped where they are absent."""

import base64
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from trinch.posts import formats, jetstream, jsonl, times, x
from trinch.posts.notes import Notes
from trinch.posts.schema import (
    AccountHidden,
    AccountRestored,
    Created,
    Deleted,
    Edited,
    Event,
    Hidden,
    Malformed,
    PlacesErased,
    Post,
    Reacted,
    Restored,
)
from trinch.sources import files as reader
from trinch.sources.files import Reject

Facts = dict[str, int]


def drunk(path: Path, format: str = "auto") -> tuple[list[Event], list[Reject]]:
    events: list[Event] = []
    rejects: list[Reject] = []
    for item in reader.events(path, format):
        if isinstance(item, Reject):
            rejects.append(item)
        else:
            events += item
    return events, rejects


def kinds(events: Iterable[Event]) -> Facts:
    return dict(Counter(type(event).__name__ for event in events))


def posts(events: Iterable[Event]) -> dict[str, Post]:
    return {event.post.id: event.post for event in events if isinstance(event, Created | Edited)}


TWARC: dict[str, Facts] = {
    "2sets": {"Created": 278, "CountsChanged": 223},
    "brexit": {"Created": 155, "CountsChanged": 122},
    "cashtags": {"Created": 1},
    "cotweet": {"Created": 1},
    "edited": {"Edited": 2, "CountsChanged": 1},
    "edited_after": {"Edited": 2, "CountsChanged": 1},
    "edited_before": {"Edited": 2, "CountsChanged": 1},
    "entities_test": {"Created": 650, "CountsChanged": 489},
    "flat": {"Created": 186, "CountsChanged": 133},
    "geo_tweets": {"Created": 3, "CountsChanged": 1},
    "kpop": {"Created": 123, "CountsChanged": 101},
    "many_urls": {"Created": 2, "CountsChanged": 1},
    "media_policy_violation_off": {"Created": 161, "CountsChanged": 103},
    "media_policy_violation_on": {"Created": 160, "CountsChanged": 102},
    "media_tweet": {"Created": 1},
    "mentions_tweet": {"Created": 2, "CountsChanged": 2},
    "noflat": {"Created": 164, "CountsChanged": 111},
    "quoted_edit": {"Created": 1, "Edited": 2, "CountsChanged": 2},
    "streaming_output_with_error": {"Created": 11, "CountsChanged": 4},
    "tweets_compliance": {"Hidden": 2, "AccountHidden": 2},
    "two_tweets": {"Created": 2, "CountsChanged": 2},
    "users": {"Created": 52, "CountsChanged": 52},
    "users_compliance": {"Hidden": 2, "AccountHidden": 2},
    "verified_type": {"Created": 1},
    "withheld": {"Created": 284, "Hidden": 14, "AccountHidden": 3, "CountsChanged": 152},
}
"""What each recorded answer of the v2 API holds: Created, Edited, CountsChanged, Hidden, AccountHidden."""


@pytest.mark.needs("payloads/x_v2_twarc_csv")
def test_x_v2_captures(shared: Path) -> None:
    files = [file for file in shared.iterdir() if file.suffix in (".json", ".jsonl")]
    assert len(files) == 28
    for file in files:
        events, rejects = drunk(file)
        assert kinds(events) == TWARC.get(file.stem, {}), file.name
        assert [reject.line for reject in rejects] == ([8] if "with_error" in file.name else []), file.name
        raw = [json.loads(line) for line in file.read_bytes().splitlines() if line and line[-1:] == b"}"]
        ids = {one["id"] for page in raw for one in listed(page.get("data")) if "text" in one}
        ids |= {one["id"] for page in raw for one in page.get("includes", {}).get("tweets", [])}
        if file.stem != "flat":
            assert set(posts(events)) == ids, file.name


def listed(data: Any) -> list[Any]:
    return data if isinstance(data, list) else [data] if data else []


@pytest.mark.needs("payloads/x_v2_twarc_csv")
def test_x_v2_facts(shared: Path) -> None:
    stream = posts(drunk(shared / "streaming_output_with_error.jsonl")[0])
    fury = stream["1377650090978992134"]
    assert (fury.text, fury.author, fury.author_followers) == (
        "Fury https://t.co/YbMgHU5xRX https://t.co/tXgDG9jrKX",
        "blackheart_265",
        881,
    )
    assert fury.created_at == ((1377650090978992134 >> 22) + 1288834974657) * 1000
    assert (fury.quote_of, fury.media) == ("1377640162566496258", ("image",))
    assert fury.urls == ("https://twitter.com/Manie_DS/status/1377640162566496258",)
    assert stream["1377640162566496258"].author == "Manie_DS"

    events, _ = drunk(shared / "edited.jsonl")
    older, edited = [event for event in events if isinstance(event, Edited)]
    assert (older.post.id, older.replaced_by) == ("1576994746135764992", ("1576994789110992896",))
    assert (edited.post.id, edited.replaces) == ("1576994789110992896", ("1576994746135764992",))
    assert edited.post.text == "hey :) https://t.co/rnwEIoNuqd"
    assert edited.post.lang == "und"
    assert edited.post.urls == ()
    assert posts(events)["1576994746135764992"].text.startswith("i miss y’all so much haha")

    quoted = posts(drunk(shared / "quoted_edit.jsonl")[0])["1576995594388000768"]
    assert (quoted.reply_to, quoted.quote_of) == ("1576994789110992896", "1576994746135764992")
    assert (quoted.reply_to_author, quoted.author) == ("wongmjane", "dappdavid99")

    for post in posts(event for file in shared.glob("*.jsonl") for event in drunk(file)[0]).values():
        assert not re.search("&(amp|lt|gt);(?!amp;)", post.text) or "&amp;amp;" in post.text
        if int(post.id) > 10**12:
            assert abs(post.created_at - ((int(post.id) >> 22) + 1288834974657) * 1000) < 1_000_000


@pytest.mark.needs("payloads/x_v2_postman")
def test_x_v2_vendor_examples(shared: Path) -> None:
    collection = json.loads((shared / "Twitter API v2.postman_collection.json").read_bytes())
    bodies = [body for body in examples(collection) if body.lstrip().startswith("{")]
    assert len(bodies) > 60
    seen: dict[str, Post] = {}
    notes = Notes()
    for body in bodies:
        seen |= posts(x.parse(body.encode(), notes))
    assert seen["20"].text == "just setting up my twttr"
    assert times.written(seen["20"].created_at) == "2006-03-21T20:50:14.000000Z"
    assert len(seen) == 99
    assert notes.forgiven == {  # placeholders of another type
        "users.public_metrics.followers_count": 4,
        "users.verified": 4,
        "users.withheld.country_codes": 4,
    }


def examples(item: dict[str, Any]) -> Iterator[str]:
    for inner in item.get("item", ()):
        yield from examples(inner)
    for response in item.get("response", ()):
        yield response.get("body") or ""


@pytest.mark.needs("payloads/x_compliance")
def test_x_compliance(shared: Path) -> None:
    both = {
        "Deleted": 1,
        "Hidden": 3,
        "Restored": 1,
        "PlacesErased": 1,
        "AccountHidden": 4,
        "AccountRestored": 3,
    }
    v2, rejects = drunk(shared / "v2_stream_events.jsonl")
    assert (kinds(v2), rejects) == (both, [])
    at = times.rfc3339("2022-12-23T12:34:56.789Z")
    assert Deleted(at=at, network="x", id="601430178305220608") in v2
    assert Restored(at=at, network="x", id="601430178305220600", reason="dropped") in v2
    enterprise, rejects = drunk(shared / "enterprise_v1_events.jsonl")
    assert (kinds(enterprise), rejects) == (both, [])
    assert Deleted(at=1432228155593000, network="x", id="601430178305220608") in enterprise
    upto = "411552403083628544"
    assert [(e.author_id, e.upto) for e in v2 if isinstance(e, PlacesErased)] == [("1375036644", upto)]
    assert [(e.author_id, e.upto) for e in enterprise if isinstance(e, PlacesErased)] == [("519761961", upto)]
    at = times.rfc3339("2014-08-27T23:49:41.839Z")
    assert AccountHidden(at=at, network="x", author_id="1375036644", reason="withheld") in enterprise
    assert (
        AccountRestored(at=1432228149062000, network="x", author_id="796250066", reason="deleted")
        in enterprise
    )
    assert [e.id for e in enterprise if isinstance(e, Hidden) and e.reason == "edited"] == [
        "1557433858676740098"
    ]


@pytest.mark.needs("payloads/x_v1.1_stocknet_raw_sample.jsonl.gz")
def test_x_v11_stream(shared: Path) -> None:
    events, rejects = drunk(shared)
    assert (kinds(events), rejects) == ({"Created": 2843 + 1378, "CountsChanged": 1378}, [])
    raw = [json.loads(line) for line in gzip.decompress(shared.read_bytes()).splitlines()]
    seen = posts(events)
    assert {status["id_str"] for status in raw} <= set(seen)
    assert sum(1 for status in raw if "retweeted_status" in status) == 1378
    for status in raw:
        post = seen[status["id_str"]]
        assert post.repost_of == status.get("retweeted_status", {}).get("id_str", "")
        assert post.author == status["user"]["screen_name"]
        assert post.tags == tuple(tag["text"] for tag in status["entities"]["hashtags"])
        # The stream's own clock stamps a post some milliseconds after its id is made.
        assert -1_000 <= int(status["timestamp_ms"]) - post.created_at // 1000 < 1_000
    penny = seen["517236469032054784"]
    assert penny.text == (
        "New, SECRET penny stock alert coming today! Check it out: http://t.co/A2y8IBJKSf $AAPL $BAC $CBIS"
    )
    assert penny.urls == ("http://tinyurl.com/lw3vzju",)


@pytest.mark.needs("payloads_bulk/x_v1.1_raw_tweets_rumoureval.jsonl.zst")
def test_x_v11_replies(shared: Path) -> None:
    events, rejects = drunk(shared)
    assert (kinds(events), rejects) == ({"Created": 4519}, [])
    post = posts(events)["552785374507175936"]
    assert (post.reply_to, post.reply_to_author) == ("552783667052167168", "euronews")
    assert times.written(post.created_at).startswith("2015-01-07T11:14:38.")
    assert sum(1 for post in posts(events).values() if post.reply_to) == 4519 - 297


@pytest.mark.needs("payloads/x_v1.1_extended_and_activitystreams")
def test_x_v11_extended(shared: Path) -> None:
    files = [file for folder in ("initial", "original") for file in (shared / folder).rglob("*.json")]
    assert len(files) == 31
    seen: dict[str, Post] = {}
    for file in files:
        events, rejects = drunk(file)
        # Two files hold more than their JSON: a line of prose, and a second JSON behind the first.
        assert [
            reject.raw for reject in rejects if file.stem not in ("compatibility_classic_13995", "tweet")
        ] == [], file.name
        assert events or rejects, file.name
        seen |= posts(events)
    long = seen["758839565989720065"]
    assert long.text.endswith(
        "this is a reply to 25 people with 140 characters of text for me to say what I want to say."
        " & I still have room to attach a photo of a puppy! https://t.co/nJXyQ8hfab"
    )
    assert (long.media, long.reply_to, len(long.mentions)) == (("image",), "758838116891242496", 26)


@pytest.mark.needs("payloads/x_v1.1_extended_and_activitystreams")
def test_x_activity_streams(shared: Path) -> None:
    """The same posts were recorded in both forms, and read the same."""
    v11, activities = {}, {}
    for file in (shared / "original").rglob("*.json"):
        v11 |= posts(drunk(file)[0])
    files = list((shared / "activity_streams").rglob("*.json"))
    assert len(files) == 22
    for file in files:
        events, rejects = drunk(file)
        assert (len(rejects), bool(events)) == (0, True), file.name
        activities |= posts(events)
    both = v11.keys() & activities.keys()
    assert len(both) > 15
    none = {"likes": None, "reposts": None}  # known of a post of its own, not of one inside another
    for id in both:
        assert msgspec.structs.replace(activities[id], **none) == msgspec.structs.replace(v11[id], **none)


@pytest.mark.needs("payloads/x_v1.1_tweepy_cassettes")
def test_recorded_exchanges(shared: Path) -> None:
    seen: dict[str, Post] = {}
    files = sorted(shared.iterdir())
    refused = Counter[str]()
    for file in files:
        for body in bodies(file):
            try:
                seen |= posts(x.parse(body))
            except Malformed as error:
                refused[str(error).partition(";")[0]] += 1
    assert len(seen) == 491
    assert set(refused) <= {
        "the line is not JSON",
        "the line",
        "no form of post or event that is known",
        "data: neither a post nor another object of X",
        "data[0]: neither a post nor another object of X",
    }
    assert all(post.text and post.author_id for post in seen.values() if post.author)


def bodies(file: Path) -> Iterator[bytes]:
    """Response bodies of a recorded exchange, in either spelling of the recorder; unpacked."""
    text = file.read_text()
    found: list[bytes] = []
    if file.suffix == ".json":
        for one in json.loads(text)["interactions"]:
            body = one["response"]["body"]
            found.append(
                base64.b64decode(body["base64_string"])
                if "base64_string" in body
                else str(body.get("string", "")).encode()
            )
    else:
        for one in re.findall(r"^ +string: !!binary \|\n((?: {8}\S+\n)+)", text, re.MULTILINE):
            found.append(base64.b64decode(one))
    for body in found:
        yield zlib.decompress(body, 47) if body[:2] == b"\x1f\x8b" else body


JETSTREAM = "payloads/bluesky_jetstream/internal"


@pytest.mark.needs(JETSTREAM)
def test_jetstream_capture(shared: Path) -> None:
    events, rejects = drunk(shared / "corpus/testdata/expected_v1.jsonl")
    assert rejects == []
    assert kinds(events) == {"Reacted": 120, "Created": 17, "Deleted": 1, "AccountRestored": 2}
    raw = [json.loads(line) for line in (shared / "corpus/testdata/expected_v1.jsonl").open()]
    assert len(raw) == 152
    commits = [(one, one["commit"]) for one in raw if one["kind"] == "commit"]
    wanted = [(o["did"], c) for o, c in commits if c["collection"].endswith("feed.post") and "record" in c]
    seen = posts(events)
    for did, commit in wanted:
        post = seen[f"at://{did}/app.bsky.feed.post/{commit['rkey']}"]
        assert (post.text, post.author_id) == (commit["record"]["text"], did)
        assert post.reply_to == commit["record"].get("reply", {}).get("parent", {}).get("uri", "")
    assert Counter(e.what for e in events if isinstance(e, Reacted)) == {"like": 105, "repost": 15}
    stamps = sorted(one["time_us"] for one in raw)
    assert all(stamps[0] <= event.at <= stamps[-1] for event in events)
    (gone,) = [event for event in events if isinstance(event, Deleted)]
    assert gone.id == "at://did:plc:4smmjsqf6l5jkzczvw6vsrqc/app.bsky.feed.post/3mpt73z3ejc2p"
    tagged = seen["at://did:plc:ynfp6wddjqpl44gordpsqkuw/app.bsky.feed.post/3mptbyo7tas2u"]
    assert (tagged.tags, tagged.media, tagged.lang) == (
        ("talesatwonderworld", "balanwonderworldoc"),
        ("image",),
        "und",
    )
    assert tagged.urls[0].startswith("https://www.tumblr.com/tempo-tales/765681292369166336/")


@pytest.mark.needs(JETSTREAM)
def test_jetstream_v2_says_the_same(shared: Path) -> None:
    """The capture, put into v2 frames as the lexicon describes them, gives the same events."""
    for line in (shared / "corpus/testdata/expected_v1.jsonl").read_bytes().splitlines():
        old = json.loads(line)
        kind = old["kind"]
        payload = {"$type": f"network.bsky.jetstream.subscribeEvents#{kind}", "seq": 1, "did": old["did"]}
        payload["time"] = times.written(old["time_us"])
        payload |= old["commit"] if kind == "commit" else {kind: old[kind]}
        frame = json.dumps({"$type": "message", "payload": payload}).encode()
        assert formats.detect(frame) == "jetstream"
        assert jetstream.parse(frame) == jetstream.parse(line)


@pytest.mark.needs(JETSTREAM)
def test_jetstream_golden_lines(shared: Path) -> None:
    events, rejects = drunk(shared / "subscribe/testdata/golden_v1.jsonl")
    assert (kinds(events), rejects) == ({"Reacted": 2, "Created": 1, "AccountRestored": 2}, [])
    (post,) = posts(events).values()
    assert post.text == "Try RSV for a good time !!"
    assert post.reply_to == "at://did:plc:j76trmiofvaxxpvx2vnb2vwf/app.bsky.feed.post/3mmojbrjwbs26"


@pytest.mark.needs("payloads/bluesky_atproto_interop/syntax")
def test_atproto_times(shared: Path) -> None:
    for line in (shared / "datetime_syntax_valid.txt").read_text().splitlines():
        # Ten and more digits of a second, and the year 0, are valid there and out of range here.
        usable = len(line.partition(".")[2]) <= 10 and not line.startswith("0000")
        if line and not line.startswith("#") and usable:
            assert isinstance(times.rfc3339(line), int)
    for name in ("datetime_syntax_invalid.txt", "datetime_parse_invalid.txt"):
        for line in (shared / name).read_text().splitlines():
            if line and not line.startswith("#") and not re.search("[tz]|-00:00$| ", line):
                with pytest.raises(ValueError, match="time"):
                    times.rfc3339(line)


@pytest.mark.needs("payloads/twitwi_x_v1_v2_bluesky")
def test_against_another_normaliser(shared: Path) -> None:
    """Twitwi normalises the same payloads; where it and we keep the same thing, it is the same."""

    def load(name: str) -> Any:
        return json.loads((shared / name).read_bytes())

    compared = 0
    v2 = {one["id"]: one for one in load("normalized-tweets-v2-all.json")}
    v2 |= {one["id"]: one for one in load("normalized-alternative-payload.json")}
    for name in (
        "payload-v2.json",
        "payload-v2-geo.json",
        "payload-v2-tweet-retweet.json",
        "payload-v2-video.json",
        "payload-v2-singletweet.json",
        "alternative-payload-v2.json",
    ):
        for id, post in posts(drunk(shared / name)[0]).items():
            if id in v2:
                compared += agrees(post, v2[id])
    for case in load("normalization.json"):
        ours = posts(x.parse(json.dumps(case["source"]).encode()))
        for theirs in case["normalized"]:
            compared += agrees(ours[theirs["id"]], theirs)
    assert compared == 194

    ours = posts(drunk(shared / "bluesky-firehose-posts.json")[0])
    for theirs in load("bluesky-normalized-firehose-posts.json"):
        post = ours[theirs["uri"]]
        assert post.text == theirs["original_text"]
        assert post.created_at // 1_000_000 == theirs["timestamp_utc"]
        assert sorted({tag.lower() for tag in post.tags}) == sorted(theirs["hashtags"])
        assert post.mentions == tuple(theirs["mentioned_user_dids"])


def agrees(post: Post, theirs: dict[str, Any]) -> int:
    assert post.created_at // 1_000_000 == theirs["timestamp_utc"]
    assert post.author == theirs["user_screen_name"]
    assert post.author_id == theirs["user_id"]
    assert post.repost_of == (theirs.get("retweeted_id") or "")
    if not post.repost_of:
        # Some of theirs lack what the payload has.
        assert (theirs.get("quoted_id") or post.quote_of) == post.quote_of
        assert (theirs.get("to_tweetid") or post.reply_to) == post.reply_to
        assert (theirs.get("to_username") or post.reply_to_author) == post.reply_to_author
        # They add a quoted post's tags, and those that X itself did not mark in the text.
        ours, others = {tag.lower() for tag in post.tags}, {tag.lower() for tag in theirs["hashtags"]}
        assert ours <= others
    return 1


SOCIAL = {
    "bluesky_to_2026-03": 5641,
    "crisislex_t26_shared": 14060,
    "crisislex_t6_boston_westtexas_oklahoma": 30010,
    "crisisnlp_crowdflower": 22099,
    "crisisnlp_volunteers": 27497,
    "reportedly2015_aug": 1594,
    "rumoureval2017_traindev": 4519,
    "stocknet_2014": 41877,
    "trump_tweets": 20761,
    "xlmt_8lang": 24264,
}


@pytest.mark.long
@pytest.mark.needs("social")
def test_every_row_of_the_collections_is_read(shared: Path) -> None:
    for name, count in SOCIAL.items():
        events, rejects = drunk(shared / f"{name}.jsonl.zst")
        assert (kinds(events), rejects) == ({"Created": count}, [])
        assert not any(event.post.author.endswith("?") for event in events if isinstance(event, Created))


@pytest.mark.needs("social/crisislex_t26_shared.jsonl.zst")
def test_rows_keep_time_and_drop_labels(shared: Path) -> None:
    with zstandard.open(shared, "rt", encoding="utf-8") as file:
        line = file.readline().encode()
    (event,) = jsonl.parse(line)
    assert isinstance(event, Created)
    assert times.written(event.at) == "2012-06-08T10:23:20.659000Z"
    assert event.post.text.endswith("Travel Destinations--->http://t.co/TIHBJKF2")
    assert b"labels" in line
    assert b"Not related" not in jsonl.dump(event)
