"""Posts are found by where they were written, and an author's places are erased on request, bytes included."""

from pathlib import Path

import msgspec
import pytest

from trinch.posts.schema import Created, Event, PlacesErased, Post
from trinch.posts.times import now
from trinch.service.places import places_json
from trinch.store.erase import purge
from trinch.store.query import QueryError
from trinch.store.store import Store

NOON = 1_773_748_800_000_000
PIER = {"place": "Pier 2, Port Esker", "country": "FR", "latitude": 48.7274, "longitude": -3.979}
PARIS = {"place": "Paris", "country": "FR", "latitude": 48.857, "longitude": 2.352}


def _created(id: str, author: str = "a1", **where: object) -> Created:
    post = Post(
        network="x", id=id, created_at=NOON, text=f"note {id}", lang="en", author_id=author, author=author
    )
    return Created(at=NOON, network="x", post=msgspec.structs.replace(post, **where))


POSTS: list[Event] = [
    _created("1", **PIER),
    _created("2", **PIER | {"latitude": 48.7282}),
    _created("3", **PARIS),
    _created("4", latitude=48.731, longitude=-3.975),
    _created("5"),
    _created("9", author="b2", **PIER),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store.open(tmp_path)
    found.ingest(POSTS)
    found.catch_up()
    return found


def _found(store: Store, query: str) -> str:
    return "".join(sorted(hit.post.id for hit in store.search(query, limit=20)))


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("has:geo", "12349"),
        ("-has:geo", "5"),
        ('place:"Port Esker"', "129"),
        ('place:"pier 2, port esker"', "129"),
        ("place:paris", "3"),
        ("place:port", ""),
        ("-place:paris has:geo", "1249"),
        ("place_country:fr", "1239"),
        ("geocode:48.73,-3.98,2km", "1249"),
        ("geocode:48.73,-3.98,2mi from:b2", "9"),
        ("-geocode:48.73,-3.98,2km", "35"),
        ("geocode:48.73,-3.98,1000km", "12349"),
        ("geocode:48.73,-3.98,0.1km", ""),
    ],
)
def test_every_operator_of_places(store: Store, query: str, ids: str) -> None:
    assert _found(store, query) == ids


@pytest.mark.parametrize(
    "value", ["48.7", "48.7,-3.9", "48.7,-3.9,5", "91,0,5km", "x,y,5km", "0,0,5km", "1,1,5furlong"]
)
def test_a_circle_that_cannot_be_read_is_an_error(store: Store, value: str) -> None:
    with pytest.raises(QueryError, match="geocode"):
        store.search(f"geocode:{value}")


def test_places_of_a_search_are_counted(store: Store) -> None:
    found = places_json(store)
    assert [(place["name"], place["posts"]) for place in found["places"]] == [
        ("Pier 2, Port Esker", 3),
        (None, 1),
        ("Paris", 1),
    ]
    assert found["total"] == {"posts": 5, "exact": True}
    assert found["places"][0]["latitude"] == pytest.approx(48.7277)
    assert places_json(store, "from:b2")["total"]["posts"] == 1
    cut = places_json(store, limit=1)
    assert (len(cut["places"]), cut["left_out"], cut["total"]["posts"]) == (1, 2, 5)


def test_the_places_of_an_author_are_erased_and_the_posts_stay(store: Store) -> None:
    erased = PlacesErased(at=now(), network="x", author_id="a1", upto="3")
    assert store.ingest([erased]).accepted == 1
    assert store.ingest([erased]).duplicates == 1
    store.catch_up()
    assert _found(store, "has:geo") == "49", "those up to the id, of that author"
    assert _found(store, "place_country:fr") == "9"
    assert _found(store, "note") == "123459", "the posts stay"
    hit = store.get("x:1")
    assert hit is not None
    assert (hit.post.place, hit.post.country, hit.post.latitude, hit.post.longitude) == ("", "", None, None)
    assert store.ingest([PlacesErased(at=now(), network="x", author_id="a1")]).accepted == 1
    store.catch_up()
    assert _found(store, "has:geo") == "9"
    assert store.ingest(POSTS).accepted == 0, "a repetition brings no place back"
    assert store.log.visible([1]), "no account is hidden by that"


def test_erased_places_leave_no_bytes(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.ingest(
        [_created("1", place="Zanzibarville", latitude=1.25, longitude=2.5), _created("2", author="b2")]
    )
    store.catch_up()
    store.ingest([PlacesErased(at=now(), network="x", author_id="a1")])
    store.catch_up()
    purge(store)
    stored = store.log.stored_bodies([1])
    store.close()
    assert stored
    assert all(
        b"zanzibarville" not in path.read_bytes().lower() for path in tmp_path.rglob("*") if path.is_file()
    )


def test_an_author_who_posts_and_erases_at_once(tmp_path: Path) -> None:
    """Both events in one batch: the index meets the post and the erasure together."""
    store = Store.open(tmp_path)
    store.ingest(
        [_created("1", **PIER), PlacesErased(at=now(), network="x", author_id="a1"), _created("2", **PIER)]
    )
    store.catch_up()
    assert _found(store, "has:geo") == "2", "what comes after it is another place"
