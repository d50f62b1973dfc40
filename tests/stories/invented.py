"""Invented posts: ordinary days of small talk, and happenings that come on top of them."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from trinch.posts.schema import Created, Event, Post
from trinch.store.query import parse_time
from trinch.store.store import Store
from trinch.stories.detect import HOUR

DAY = 24 * HOUR
START = parse_time("2026-03-01")
"""Midnight of the first ordinary day."""
ORDINARY = 10
"""Days of small talk before the day of the happenings."""
NEWS_DAY = START + ORDINARY * DAY
MINUTE = HOUR // 60

_SUBJECTS = [
    "garden",
    "kitchen",
    "bicycle",
    "teacher",
    "sister",
    "neighbour",
    "library",
    "market",
    "orchestra",
    "football",
    "river",
    "mountain",
]
_VERBS = [
    "painted",
    "repaired",
    "visited",
    "borrowed",
    "cleaned",
    "photographed",
    "measured",
    "sketched",
    "carried",
    "described",
]
_OBJECTS = [
    "window",
    "piano",
    "ladder",
    "notebook",
    "lantern",
    "teapot",
    "curtain",
    "violin",
    "jacket",
    "umbrella",
    "basket",
    "carpet",
]
_PLACES = ["Brinholm", "Castavel", "Dornwick", "Elmsford", "Farrow", "Glenhythe", "Harbury", "Ilmere"]


def post(id: str, at: int, text: str, author: str = "", lang: str = "en", **more: object) -> Created:
    """One new post."""
    made = Post(
        network="x", id=id, created_at=at, text=text, lang=lang, author_id=author, author=author, **more
    )  # type: ignore[arg-type]
    return Created(at=at, network="x", post=made)


def small_talk(days: int = ORDINARY + 1, a_day: int = 150) -> Iterator[Event]:
    """The same kinds of sentences every day, at all hours."""
    chance = random.Random(7)
    for day in range(days):
        for number in range(a_day):
            words = [chance.choice(row) for row in (_SUBJECTS, _VERBS, _OBJECTS, _PLACES)]
            text = f"the {words[0]} was {words[1]} near a {words[2]} in {words[3]} {chance.randrange(10_000)}"
            at = START + day * DAY + chance.randrange(DAY)
            yield post(f"talk{day}-{number}", at, text, f"talker{chance.randrange(400)}")


FERRY = [
    "Ferry Corvina runs aground off Tarnish Point",
    "BREAKING: the ferry Corvina has run aground near Tarnish Point, passengers on deck",
    "Coastguard says ferry Corvina is aground at Tarnish Point with 80 aboard",
    "Helicopters over Tarnish Point, the Corvina ferry is leaning",
    "At least 4 injured as ferry Corvina runs aground, coastguard says",
    "4 injured on the ferry Corvina, aground off Tarnish Point since noon",
    "Passengers leave the ferry Corvina in boats at Tarnish Point",
    "Coastguard: all passengers of the Corvina ferry are ashore, 9 injured",
    "9 injured after ferry Corvina ran aground at Tarnish Point, hospital says",
    "The ferry Corvina aground at Tarnish Point: what we know",
]
"""A happening, in the order in which it is told; the injured are 4, then 9."""

MAYOR = [
    "Mayor Ostrander resigns over the Velden bridge contract",
    "Velden: mayor Ostrander steps down after bridge contract inquiry",
    "Ostrander, mayor of Velden, announces resignation at noon",
    "Resignation of mayor Ostrander welcomed by Velden council",
    "Bridge contract costs Velden mayor Ostrander the office",
    "Velden council names deputy after mayor Ostrander resigns",
]


def happening(name: str, texts: Iterable[str], at: int, apart: int = 6 * MINUTE) -> list[Event]:
    """Posts of different authors, one after the other."""
    return [post(f"{name}{n}", at + n * apart, text, f"{name}-author{n}") for n, text in enumerate(texts)]


FERRY_AT = NEWS_DAY + 12 * HOUR
MAYOR_AT = NEWS_DAY + 9 * HOUR
NEWS = [*happening("ferry", FERRY, FERRY_AT), *happening("mayor", MAYOR, MAYOR_AT)]
AS_OF = NEWS_DAY + 15 * HOUR


def store_of(path: Path, *events: Iterable[Event]) -> Store:
    """A store of these events, searchable."""
    store = Store.open(path)
    everything = [event for some in events for event in some]
    everything.sort(key=lambda event: event.at)
    store.ingest(everything)
    store.catch_up()
    return store
