"""What the world writes, the parsers of `posts/` read back as the same events."""

import msgspec
import pytest
from msgspec.structs import replace

from trinch.posts import jetstream, jsonl, x
from trinch.posts.schema import CountsChanged, Created, Edited, Event, Reacted
from trinch.simulator.network import stream
from trinch.simulator.people import Crowd
from trinch.simulator.wire_jetstream import JetstreamFrames
from trinch.simulator.wire_x import XLines


def test_x_lines_read_back_as_the_same_events() -> None:
    crowd = Crowd(3)
    lines = XLines(crowd)
    kinds, cards = set[str](), set[str]()
    # A slow world, so that later events (edits, deletions, suspensions) come within few posts.
    for event in stream(3, posts=5_000, rate=0.1, crowd=crowd):
        read = x.parse(lines.line(event))
        if isinstance(event, Created | Edited):
            # A line also tells of the post it refers to; that is not what it is about.
            read = [one for one in read if isinstance(one, Created | Edited) and one.post.id == event.post.id]
            # The writer adds a preview card to links, which the simulated post itself does not have.
            cards |= {card.kind for one in read for card in one.post.attached or ()}
            read = [replace(one, post=replace(one.post, attached=event.post.attached)) for one in read]
        assert read == [event]
        kinds.add(type(event).__name__)
    assert cards == {"card"}
    assert {"Created", "Edited", "Deleted", "Hidden", "Restored", "AccountHidden"} <= kinds


def test_x_lines_carry_the_post_referred_to_with_its_author() -> None:
    crowd = Crowd(3)
    lines = XLines(crowd)
    texts: dict[str, str] = {}
    carried = 0
    for event in stream(3, posts=3_000, crowd=crowd):
        line = lines.line(event)
        if not isinstance(event, Created):
            continue
        texts[event.post.id] = event.post.text
        for other in x.parse(line):
            if isinstance(other, Created) and other.post.id != event.post.id:
                assert other.post.text == texts[other.post.id]
                assert other.post.author
                carried += 1
    assert carried > 800


def test_x_lines_are_as_large_as_real_ones() -> None:
    crowd = Crowd(3)
    lines = XLines(crowd)
    sizes = [len(lines.line(event)) for event in stream(3, posts=3_000, crowd=crowd)]
    assert 1_500 < sum(sizes) / len(sizes) < 3_000


@pytest.mark.parametrize("version", [1, 2])
def test_jetstream_frames_read_back_as_the_same_events(version: int) -> None:
    frames = JetstreamFrames(version)
    kinds = set()
    for event in stream(3, posts=5_000, rate=0.1, network="bluesky"):
        assert event in jetstream.parse(frames.frame(event))
        kinds.add(type(event).__name__)
    assert {"Created", "Edited", "Deleted", "Reacted", "Unreacted", "AccountHidden"} <= kinds


def test_jetstream_facets_count_bytes() -> None:
    frames = JetstreamFrames()
    seen = 0
    for event in stream(3, posts=2_000, network="bluesky"):
        if not isinstance(event, Created) or event.post.lang != "ja" or not event.post.tags:
            continue
        record = msgspec.json.decode(frames.frame(event))["commit"]["record"]
        for facet in record["facets"]:
            span = record["text"].encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode()
            feature = facet["features"][0]
            if "tag" in feature:
                assert span == "#" + feature["tag"]
                seen += 1
            else:
                assert feature["uri"].startswith("https://" + span[:-3].partition("/")[0])
    assert seen > 10


def test_our_own_lines_read_back_as_the_same_events() -> None:
    for event in stream(3, posts=2_000, rate=0.5, network="sample"):
        assert jsonl.parse(jsonl.dump(event)) == [event]


@pytest.mark.parametrize(
    ("event", "write"),
    [
        (CountsChanged(at=0, network="x", id="1", likes=3), XLines(Crowd(1)).line),
        (Reacted(at=0, network="x", id="1", record="r", what="like"), XLines(Crowd(1)).line),
        (CountsChanged(at=0, network="bluesky", id="at://d/c/r", likes=3), JetstreamFrames().frame),
    ],
)
def test_what_a_network_cannot_say_is_refused(event: Event, write: object) -> None:
    assert callable(write)
    with pytest.raises(ValueError, match="has no"):
        write(event)
