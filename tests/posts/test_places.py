"""Where a post was written: read from each format of X, and kept only where it is a place on the earth."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.posts.samples import ROW, line
from trinch.posts import x
from trinch.posts.jsonl import parse
from trinch.posts.places import coordinates, distance_km, middle, place_fields, point
from trinch.posts.schema import Created, Post

V2 = {
    "id": "1500000000000000001",
    "text": "seen from pier 2",
    "created_at": "2022-03-05T06:00:00.000Z",
    "author_id": "7",
}
PLACE = {
    "id": "ab12",
    "full_name": "Port Esker, Verrane",
    "country_code": "FR",
    "geo": {"type": "Feature", "bbox": [-4.1, 48.6, -3.9, 48.8]},
}
V1: dict[str, Any] = {
    "id_str": "1500000000000000002",
    "created_at": "Sat Mar 05 06:00:00 +0000 2022",
    "text": "seen from pier 4",
    "user": {"id_str": "7", "screen_name": "gus"},
    "retweet_count": 0,
}


def _read(value: object) -> Post:
    found = [event for event in x.parse(line(value)) if isinstance(event, Created)]
    return found[-1].post


def _where(post: Post) -> tuple[str, str, float | None, float | None]:
    return post.place, post.country, post.latitude, post.longitude


def test_a_point_of_the_post_comes_before_the_middle_of_its_place() -> None:
    geo = {"place_id": "ab12", "coordinates": {"type": "Point", "coordinates": [-3.979, 48.7274]}}
    found = _read({"data": V2 | {"geo": geo}, "includes": {"places": [PLACE]}})
    assert _where(found) == ("Port Esker, Verrane", "FR", 48.7274, -3.979)
    found = _read({"data": V2 | {"geo": {"place_id": "ab12"}}, "includes": {"places": [PLACE]}})
    assert _where(found) == ("Port Esker, Verrane", "FR", pytest.approx(48.7), pytest.approx(-4.0))
    assert _where(_read({"data": V2 | {"geo": {"place_id": "unknown"}}})) == ("", "", None, None)


def test_the_older_form_has_a_polygon() -> None:
    ring = [[-4.1, 48.6], [-4.1, 48.8], [-3.9, 48.8], [-3.9, 48.6]]
    place = {
        "full_name": "Port Esker",
        "country_code": "fr",
        "bounding_box": {"type": "Polygon", "coordinates": [ring]},
    }
    found = _read(V1 | {"place": place, "coordinates": None})
    assert _where(found) == ("Port Esker", "FR", pytest.approx(48.7), pytest.approx(-4.0))
    found = _read(V1 | {"place": None, "coordinates": {"type": "Point", "coordinates": [-3.9, 48.7]}})
    assert _where(found) == ("", "", 48.7, -3.9)
    assert _where(_read(V1)) == ("", "", None, None)


def test_a_row_carries_its_place() -> None:
    (event,) = parse(
        line(ROW | {"place": " Port\n Esker", "country": "xx1", "latitude": 48.7, "longitude": -3.9})
    )
    assert isinstance(event, Created)
    assert _where(event.post) == ("Port Esker", "", 48.7, -3.9)


@pytest.mark.parametrize(
    "geo", [[], {}, "x", {"coordinates": {"coordinates": ["a", None]}}, {"coordinates": 5}]
)
def test_a_place_that_cannot_be_read_loses_no_post(geo: object) -> None:
    assert _read({"data": V2 | {"geo": geo}}).text == V2["text"]


@given(st.floats() | st.none(), st.floats() | st.none())
def test_coordinates_are_a_point_on_the_earth_or_none(north: float | None, east: float | None) -> None:
    found = coordinates(north, east)
    fields = place_fields("a", "FR", north, east)
    if found is None:
        assert fields["latitude"] is None
        assert fields["longitude"] is None
    else:
        assert (fields["latitude"], fields["longitude"]) == found
        assert abs(found[0]) <= 90
        assert abs(found[1]) <= 180
        assert found != (0, 0), "what devices without a position send"


@given(st.recursive(st.none() | st.floats() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=5)))
def test_any_json_in_place_of_coordinates_is_read_or_left_out(value: object) -> None:
    for north, east in (point(value), middle(value)):
        assert (north is None) == (east is None)


def test_distances() -> None:
    assert distance_km(48.857, 2.352, 51.507, -0.128) == pytest.approx(343.6, abs=1)  # Paris to London
    assert distance_km(0, 179.9, 0, -179.9) == pytest.approx(22.2, abs=0.1)
    assert distance_km(10, 20, 10, 20) == 0
