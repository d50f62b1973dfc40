"""The oracle keeps to the words of `posts/schema.py`."""

from hypothesis import given
from hypothesis import strategies as st

from trinch.posts.schema import (
    AccountGone,
    AccountHidden,
    AccountRenamed,
    AccountRestored,
    CountsChanged,
    Created,
    Deleted,
    Edited,
    Event,
    Hidden,
    Post,
    Reacted,
    Restored,
    Unreacted,
)
from trinch.simulator.network import stream
from trinch.simulator.reference_state import State, fold

N = "x"


def post(post_id: str, text: str = "first words", author: str = "ann") -> Post:
    return Post(network=N, id=post_id, created_at=0, text=text, author_id=author, likes=1)


def created(post_id: str, at: int = 10, text: str = "first words", author: str = "ann") -> Created:
    return Created(at=at, network=N, post=post(post_id, text, author))


def edited(post_id: str, at: int, text: str, *replaces: str) -> Edited:
    return Edited(at=at, network=N, post=post(post_id, text), replaces=replaces)


def shown(*events: Event, as_of: int | None = None) -> dict[str, str]:
    return {key[1]: one.text for key, one in fold(events).visible(as_of).items()}


def test_a_second_created_is_a_duplicate_whatever_it_holds() -> None:
    assert shown(created("1"), created("1", text="other")) == {"1": "first words"}


def test_an_edit_with_a_new_id_replaces_all_older_ids() -> None:
    events = (created("1"), edited("2", 20, "two", "1"), edited("3", 30, "three", "1", "2"))
    assert shown(*events) == {"3": "three"}
    assert shown(*events, as_of=25) == {"2": "two"}
    assert shown(*events, as_of=15) == {"1": "first words"}
    assert shown(*events, as_of=5) == {}
    assert fold(events).stored() == 1


def test_an_edit_that_arrives_first_makes_the_older_post_a_duplicate() -> None:
    assert shown(edited("2", 20, "two", "1"), created("1")) == {"2": "two"}


def test_an_edit_that_keeps_the_id_wins_by_time() -> None:
    events = (created("1"), edited("1", 30, "three"), edited("1", 20, "two"))
    assert shown(*events) == {"1": "three"}
    assert shown(*events, as_of=25) == {"1": "two"}


def test_deleting_any_version_deletes_all_for_good() -> None:
    events = (created("1"), edited("2", 20, "two", "1"))
    for post_id in ("1", "2"):
        gone = (*events, Deleted(at=40, network=N, id=post_id))
        assert shown(*gone, created("1", at=50), edited("2", 60, "back", "1")) == {}
        assert shown(*gone, as_of=30) == {}
    assert shown(Deleted(at=5, network=N, id="1"), created("1")) == {}


def test_hiding_needs_a_restoring_with_the_same_reason() -> None:
    hidden = (created("1"), Hidden(at=20, network=N, id="1", reason="dropped"))
    assert shown(*hidden) == {}
    assert shown(*hidden, Restored(at=30, network=N, id="1", reason="withheld")) == {}
    assert shown(*hidden, Restored(at=30, network=N, id="1", reason="dropped")) == {"1": "first words"}
    assert fold(hidden).stored() == 1


def test_an_account_hides_all_its_posts_also_later_ones() -> None:
    events = (
        created("1"),
        AccountHidden(at=20, network=N, author_id="ann", reason="suspended"),
        created("2", at=30),
        created("3", at=30, author="bob"),
    )
    assert shown(*events) == {"3": "first words"}
    back = AccountRestored(at=40, network=N, author_id="ann", reason="suspended")
    assert set(shown(*events, back)) == {"1", "2", "3"}


def test_a_gone_account_takes_its_earlier_posts_with_it() -> None:
    gone = AccountGone(at=20, network=N, author_id="ann")
    assert set(shown(created("1"), created("2", author="bob"), gone, created("3", at=30))) == {"2", "3"}
    assert shown(created("1"), gone, created("1"), created("4", at=15)) == {}


def test_a_diverged_account_may_send_its_posts_again() -> None:
    gone = AccountGone(at=20, network=N, author_id="ann", diverged=True)
    assert shown(created("1"), gone) == {}
    assert shown(created("1"), gone, created("1", at=30, text="again")) == {"1": "again"}


def test_counts_are_replaced_and_reactions_added_once() -> None:
    like = Reacted(at=20, network=N, id="1", record="r1", what="like")
    events = [created("1"), like, like, Reacted(at=21, network=N, id="1", record="r2", what="repost")]
    key = (N, "1")
    assert fold(events).counts(key) == {"likes": 2, "reposts": 1, "replies": 0, "quotes": 0}
    events.append(Unreacted(at=22, network=N, record="r1"))
    assert fold(events).counts(key)["likes"] == 1
    events += [
        CountsChanged(at=30, network=N, id="1", likes=50),
        CountsChanged(at=25, network=N, id="1", likes=7),
    ]
    assert fold(events).counts(key) == {"likes": 50, "reposts": 1, "replies": 0, "quotes": 0}


def test_a_handle_is_the_last_one_told() -> None:
    state = fold([AccountRenamed(at=20, network=N, author_id="ann", author="anna")])
    assert state.handle(N, "ann") == "anna"
    assert state.handle(N, "bob") is None


WORLDS = {
    network: list(stream(4, posts=250, rate=0.02, network=network)) for network in ("x", "bluesky", "own")
}
networks = st.sampled_from(sorted(WORLDS))
stretches = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 200)), max_size=3)


def same(one: State, other: State) -> bool:
    seen = one.visible()
    return seen == other.visible() and all(one.counts(key) == other.counts(key) for key in seen)


@given(networks, stretches)
def test_replaying_stretches_of_the_stream_changes_nothing(
    network: str, again: list[tuple[int, int]]
) -> None:
    once = WORLDS[network]
    replayed = list(once)
    for start, length in again:
        replayed += once[start : start + length]
    assert same(fold(replayed), fold(once))


@given(networks, st.integers(0, 400))
def test_as_of_shows_nothing_later_and_nothing_taken_away(network: str, cut: int) -> None:
    events = WORLDS[network]
    moment = events[min(cut, len(events) - 1)].at
    state = fold(events)
    then, now = state.visible(moment), state.visible()
    first_seen: dict[str, int] = {}
    for event in events:
        if isinstance(event, Created | Edited):
            first_seen.setdefault(event.post.id, event.at)
    assert all(first_seen[post_id] <= moment for _, post_id in then)
    assert {one.conversation_id for one in then.values()} <= {one.conversation_id for one in now.values()}
    deleted = {event.id for event in events if isinstance(event, Deleted)}
    assert not deleted & {post_id for _, post_id in now}


@given(networks)
def test_every_created_post_is_shown_or_was_taken_away(network: str) -> None:
    events = WORLDS[network]
    seen = {post_id for _, post_id in fold(events).visible()}
    taken = {event.id for event in events if isinstance(event, Deleted | Hidden)}
    taken |= {old for event in events if isinstance(event, Edited) for old in event.replaces}
    away = {event.author_id for event in events if isinstance(event, AccountGone | AccountHidden)}
    for event in events:
        if isinstance(event, Created) and event.post.id not in taken and event.post.author_id not in away:
            assert event.post.id in seen
