"""The log against an oracle that shares no code with it: any events, in any order, in any grouping."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from trinch.posts import schema as ev
from trinch.posts.schema import Event, Post
from trinch.simulator.reference_state import fold
from trinch.store.log import Log

NOON = 1_366_000_000_000_000
IDS = st.sampled_from(["1", "2", "3", "4"])
AUTHORS = {"1": "a", "2": "a", "3": "b", "4": "b"}
TIMES = st.integers(0, 20).map(lambda n: NOON + n * 1_000_000)


def post(id: str, text: str, at: int, **more: str) -> Post:
    return Post(network="n", id=id, text=text, created_at=at, author_id=AUTHORS.get(id[0], "a"), **more)  # type: ignore[arg-type]


@st.composite
def events(draw: st.DrawFn) -> Event:
    at, id = draw(TIMES), draw(IDS)
    kind = draw(st.sampled_from("cccceedhrarRlu"))
    author, reason = AUTHORS[id], draw(st.sampled_from(["withheld", "dropped"]))
    match kind:
        case "c":
            return ev.Created(at=at, network="n", post=post(id, f"first {id}", at))
        case "e":
            return ev.Edited(at=at, network="n", post=post(id, f"edit {at}", at))
        case "d":
            return ev.Deleted(at=at, network="n", id=id)
        case "h":
            return ev.Hidden(at=at, network="n", id=id, reason=reason)
        case "r":
            return ev.Restored(at=at, network="n", id=id, reason=reason)
        case "a":
            return ev.AccountHidden(at=at, network="n", author_id=author, reason=reason)
        case "R":
            return ev.AccountRestored(at=at, network="n", author_id=author, reason=reason)
        case "l":
            return ev.Reacted(
                at=at, network="n", id=id, record=f"{id}/{draw(st.integers(0, 2))}", what="like"
            )
        case _:
            return ev.Unreacted(at=at, network="n", record=f"{id}/{draw(st.integers(0, 2))}")


@settings(max_examples=250, deadline=None)
@given(stream=st.lists(events(), max_size=25), group=st.integers(1, 30), as_of=st.none() | TIMES)
def test_the_log_says_what_the_oracle_says(stream: list[Event], group: int, as_of: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder) / "ocean.db")
        for start in range(0, len(stream), group):
            log.append(stream[start : start + group])
        shown = texts(log, as_of)
        expected = fold(stream).visible(as_of)
        assert shown == {id: version.text for (_, id), version in expected.items()}
        log.append(stream)
        assert texts(log, as_of) == shown, "replaying the whole stream changes nothing"
        log.close()


def texts(log: Log, as_of: int | None) -> dict[str, str]:
    seqs = [entry.seq for entry in log.read(0, 1000)]
    return {version.post.id: version.post.text for version in log.visible(seqs, as_of).values()}
