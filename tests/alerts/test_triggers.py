"""What fires: each trigger, on posts as the consumer of the log reads them."""

from pathlib import Path
from typing import Any

import pytest

from tests.alerts.receiver import created, ingest
from trinch.alerts import database
from trinch.alerts.consumer import Consumer
from trinch.alerts.topic import topic_query
from trinch.alerts.types import HOUR, MINUTE, AlertSettings
from trinch.posts.schema import CountsChanged, Deleted, Edited, Post
from trinch.posts.times import now
from trinch.service.alerts import add_alert, show_alert
from trinch.store.store import Store


class Setting:
    """A store, its consumer of alerts, and what fired."""

    def __init__(self, data: Path) -> None:
        self.store = Store.open(data)
        self.db = database.connect(data)
        self.stories: list[dict[str, Any]] = []
        self.consumer = Consumer(self.store, self.db)

    def add(self, query: str, **settings: Any) -> str:
        return str(add_alert(self.store, AlertSettings(query=query, **settings))["id"])

    def ingest(self, *events: Any) -> None:
        ingest(self.store, *events)
        self.store.catch_up()
        while self.consumer.step():
            pass
        while self.consumer.tick(self.store, lambda *_: self.stories):
            pass

    def again(self) -> None:
        """As after a restart."""
        self.consumer = Consumer(self.store, self.db)

    def fired(self, id: str) -> list[dict[str, Any]]:
        """Oldest first."""
        return list(reversed((show_alert(self.store, id) or {})["firings"]))


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def edited(id: str, text: str, replaces: tuple[str, ...] = ()) -> Edited:
    post = Post(network="test", id=id, text=text, lang="en", created_at=now())
    return Edited(at=now(), network="test", post=post, replaces=replaces)


def test_a_match_fires_once_whatever_happens_to_the_post(setting: Setting) -> None:
    id = setting.add("flood")
    setting.ingest(created("1", "a flood"))
    setting.ingest(edited("1", "a big flood"), created("2", "rain"))
    setting.ingest(edited("1b", "a huge flood", replaces=("1",)), edited("2", "rain and flood"))
    setting.ingest(CountsChanged(at=now(), network="test", id="1b", likes=9))
    setting.again()
    setting.ingest(created("3", "no more"))
    keys = [post["key"] for one in setting.fired(id) for post in one["posts"]]
    assert keys[-1] == "test:2"
    assert len(setting.fired(id)) == 2


def test_a_post_matches_when_it_reaches_a_count_and_not_because_it_is_counted(setting: Setting) -> None:
    setting.ingest(created("0", "flood before the alerts", likes=0))
    popular, plain = setting.add("flood min_faves:10"), setting.add("flood")
    setting.ingest(created("1", "flood", likes=1))
    for likes in (5, 12, 30):
        setting.ingest(*(CountsChanged(at=now(), network="test", id=id, likes=likes) for id in ("0", "1")))
    assert sorted(p["key"] for one in setting.fired(popular) for p in one["posts"]) == ["test:0", "test:1"]
    assert [p["key"] for one in setting.fired(plain) for p in one["posts"]] == ["test:1"]


def test_a_deleted_post_neither_fires_nor_is_shown(setting: Setting) -> None:
    id = setting.add("flood")
    setting.ingest(created("1", "flood"), Deleted(at=now(), network="test", id="1"))
    assert setting.fired(id) == []
    setting.ingest(created("2", "flood"), created("3", "flood"))
    setting.ingest(Deleted(at=now(), network="test", id="2"))
    assert [[post["key"] for post in one["posts"]] for one in setting.fired(id)] == [["test:3"]]


def test_a_denial_is_quoted(setting: Setting) -> None:
    id = setting.add("dam", trigger="denial")
    setting.ingest(
        created("1", "The dam is breaking."),
        created("2", "Calm. There is no evidence that the dam is breaking."),
    )
    (one,) = setting.fired(id)
    assert [post["key"] for post in one["posts"]] == ["test:2"]
    assert one["posts"][0]["quote"] == "There is no evidence that the dam is breaking."


def test_a_burst_is_measured_against_the_usual_number(setting: Setting) -> None:
    start = now() - 30 * HOUR
    setting.ingest(*(created(f"old{n}", "flood", at=start + n * HOUR // 2) for n in range(56)))  # two an hour
    id = setting.add("flood", trigger="burst", window="1h", factor=3.0, least=5)
    setting.ingest(created("usual", "flood"))
    assert setting.fired(id) == []
    setting.ingest(*(created(f"new{n}", "flood") for n in range(9)))
    (one,) = setting.fired(id)
    assert one["count"] >= 7
    assert 1.5 <= one["facts"]["usual"] <= 2.5
    setting.again()
    setting.ingest(*(created(f"more{n}", "flood") for n in range(20)))
    assert len(setting.fired(id)) == 1  # within the window it does not fire again


def test_a_number_moves_when_independent_sources_say_so(setting: Setting) -> None:
    id = setting.add("explosion", trigger="number")
    begin = now() - HOUR

    def say(n: int, text: str) -> None:
        setting.ingest(created(str(n), text, at=begin + n * MINUTE))
        setting.consumer._looked.clear()
        setting.consumer.tick(setting.store, lambda *_: [])

    say(1, "Explosion at the port: 3 dead, police say")
    assert setting.fired(id) == []
    say(2, "At least three people were killed in the explosion, says the mayor")
    say(3, "The harbour explosion killed 3 people, officials confirm in a statement")
    say(4, "Toll of the explosion rises to 5 dead, says the hospital director")
    say(5, "Now 5 people dead after the blast and explosion, the fire brigade reports")
    values = [(one["facts"]["before"], one["facts"]["value"]) for one in setting.fired(id)]
    assert values == [(None, 3.0), (3.0, 5.0)]
    assert all(one["posts"][0]["quote"] for one in setting.fired(id))
    assert "before: 3" in setting.fired(id)[1]["summary"]


def test_a_story_is_announced_once(setting: Setting) -> None:
    id = setting.add("flood", trigger="story", window="24h")
    cited = {"key": "test:1", "id": "1", "network": "test", "start": 0, "end": 7}
    story = {"id": "flood-2026-01-01", "citations": [cited], "post_ids": ["1", "2", "3"], "posts": 3}
    setting.stories = [story]
    setting.ingest(created("1", "A flood in town"))
    (one,) = setting.fired(id)
    assert (one["facts"]["story"], one["posts"][0]["quote"]) == (story["id"], "A flood")
    for changed, count in (({}, 1), ({"id": "town-2026-01-01"}, 1), ({"id": "b", "post_ids": ["8", "9"]}, 2)):
        setting.stories = [story | changed]
        setting.again()
        setting.ingest(created(f"again{changed}", "flood"))
        assert len(setting.fired(id)) == count


def test_silence_fires_once_until_something_matches(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = setting.add("flood", trigger="silence", window="1h")
    moment = now()
    monkeypatch.setattr("trinch.alerts.consumer.now", lambda: moment)
    for hours, event, count in ((0, "flood", 0), (0.9, "rain", 0), (1.1, "rain", 1), (5, "rain", 1), (6, "flood", 1), (8, "rain", 2)):  # fmt: skip
        monkeypatch.setattr("trinch.alerts.consumer.now", lambda hours=hours: moment + int(hours * HOUR))
        setting.ingest(created(f"{hours}", event))
        setting.ingest()  # level: nothing new
        assert len(setting.fired(id)) == count, hours
    assert setting.fired(id)[0]["summary"] == "no post for 1h"


def test_alerts_that_are_added_and_removed_meanwhile(setting: Setting) -> None:
    first = setting.add("flood")
    setting.ingest(created("1", "flood"))
    second = setting.add("flood OR storm")
    ingest(setting.store, created("2", "flood"))
    late = setting.add("flood")
    database.remove(setting.db, [first])
    setting.ingest(created("3", "storm"))
    assert show_alert(setting.store, first) is None
    assert [p["key"] for one in setting.fired(second) for p in one["posts"]] == ["test:2", "test:3"]
    assert setting.fired(late) == []


@pytest.mark.parametrize(
    ("topic", "query"),
    [
        ("flooding in Port Esker", "Port Esker flooding"),
        (
            "the bridge collapse near Oslo harbour today",
            "Oslo ((bridge collapse near) OR (bridge collapse harbour) OR",
        ),
        ("power cuts", "power cuts"),
        ("#Flood 2026", "#Flood 2026"),
        ("東京の地震", "東京の地震"),
        ("OR the storm", "storm"),
    ],
)
def test_a_topic_is_a_query(topic: str, query: str) -> None:
    assert topic_query(topic).startswith(query)
    assert topic_query(topic, "lang:en") == f"({topic_query(topic)}) (lang:en)"
