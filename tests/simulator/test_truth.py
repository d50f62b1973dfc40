"""The side table agrees with what the stream emitted, and nothing of it leaks into the events."""

from itertools import pairwise

import pytest

from trinch.posts.schema import AccountGone, Created, Deleted, Edited, Event
from trinch.simulator.ground_truth import GroundTruth
from trinch.simulator.network import stream


@pytest.fixture(scope="module")
def played() -> tuple[list[Event], GroundTruth]:
    truth = GroundTruth()
    return list(stream(21, posts=12_000, rate=0.4, truth=truth)), truth


@pytest.fixture(scope="module")
def posts(played: tuple[list[Event], GroundTruth]) -> dict[str, Created]:
    return {event.post.id: event for event in played[0] if isinstance(event, Created)}


def test_labels_and_copies_name_posts_that_exist(
    played: tuple[list[Event], GroundTruth], posts: dict[str, Created]
) -> None:
    _, truth = played
    edited = {version for versions in truth.versions.values() for version in versions}
    assert truth.labels.keys() <= posts.keys()
    assert truth.copies.keys() <= posts.keys()
    assert set(truth.copies.values()) <= posts.keys() | edited
    assert {
        "eyewitness",
        "count",
        "correction",
        "news",
        "rumour",
        "denial",
        "reaction",
        "bot",
        "injection",
    } <= {label.role for label in truth.labels.values()}


def test_happenings_are_spoken_of_by_name_and_in_their_time(
    played: tuple[list[Event], GroundTruth], posts: dict[str, Created]
) -> None:
    _, truth = played
    assert len(truth.incidents) >= 3
    for incident in truth.incidents.values():
        spoken = [posts[post_id] for post_id in truth.posts_of(incident.id)]
        assert spoken
        assert all(incident.began <= event.at + 1_000 for event in spoken)
        assert sum(incident.place in event.post.text for event in spoken) > len(spoken) / 4


def test_facts_are_stated_by_their_source(
    played: tuple[list[Event], GroundTruth], posts: dict[str, Created]
) -> None:
    _, truth = played
    assert len(truth.facts) > 10
    for fact in truth.facts:
        source = posts[fact.source]
        assert source.at == fact.at
        assert str(fact.value) in source.post.text
        assert truth.value_at(fact.incident, fact.at) == fact.value
        assert truth.labels[fact.source].value == fact.value


def test_a_number_moves_and_may_be_corrected_downwards() -> None:
    truth = GroundTruth()
    list(stream(8, posts=20_000, rate=0.5, truth=truth))
    falls = 0
    for incident in truth.incidents:
        values = [fact.value for fact in truth.facts if fact.incident == incident]
        falls += any(later < earlier for earlier, later in pairwise(values))
        assert truth.value_at(incident, 0) is None
    assert falls > 0


def test_deletions_are_recorded_when_they_happen(played: tuple[list[Event], GroundTruth]) -> None:
    events, truth = played
    deleted = {event.id: event.at for event in events if isinstance(event, Deleted)}
    assert len(deleted) > 50
    assert {post_id: truth.deleted[post_id] for post_id in deleted} == deleted
    gone = {event.author_id: event.at for event in events if isinstance(event, AccountGone)}
    assert gone == truth.accounts_gone


def test_nobody_reposts_answers_or_edits_what_was_deleted(played: tuple[list[Event], GroundTruth]) -> None:
    events, truth = played
    for event in events:
        if isinstance(event, Created):
            for other in (event.post.repost_of, event.post.reply_to, event.post.quote_of):
                assert event.at <= truth.deleted.get(other, event.at)
        elif isinstance(event, Edited):
            assert event.at <= truth.deleted.get(event.post.id, event.at)
            assert truth.versions[event.post.id][-1] >= event.post.id


def test_copies_lead_back_to_an_original_with_nearly_the_same_words(
    played: tuple[list[Event], GroundTruth], posts: dict[str, Created]
) -> None:
    _, truth = played
    assert len(truth.copies) > 1_000
    alike = 0
    for copy, source in truth.copies.items():
        original = truth.original(copy)
        assert original not in truth.copies
        if source in posts:
            alike += posts[source].post.text[:40].lower() in posts[copy].post.text.lower()
    assert alike / len(truth.copies) > 0.95


def test_truth_stays_out_of_the_events(played: tuple[list[Event], GroundTruth]) -> None:
    events, truth = played
    written = repr(events[:4_000])
    assert not any(incident in written for incident in truth.incidents)
    again = list(stream(21, posts=12_000, rate=0.4))
    assert again == events
