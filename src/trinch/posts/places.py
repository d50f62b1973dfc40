"""Where a post was written, as far as its author shared it: the fields of a place, and distances on the earth.

Coordinates are WGS 84 in degrees, north and east positive. X lists a place as a polygon or a box: its middle is taken for
it. Sources: docs.x.com, "Geo objects", of the API v2 and v1.1; RFC 7946 for GeoJSON, which writes longitude first.
"""

import math
import re
from collections.abc import Sequence
from typing import Any, TypedDict

EARTH_KM = 6371.0
"""Mean radius of the earth."""


class PlaceFields(TypedDict):
    """The fields of a `Post` that say where it was written."""

    place: str
    country: str
    latitude: float | None
    longitude: float | None


NOWHERE = PlaceFields(place="", country="", latitude=None, longitude=None)


def place_fields(
    name: str | None, country: str | None, latitude: float | None, longitude: float | None
) -> PlaceFields:
    """The fields of a post, without coordinates that are none and without a country that is no two-letter code."""
    code = (country or "").strip().upper()
    here = coordinates(latitude, longitude)
    return PlaceFields(
        place=" ".join((name or "").split()),
        country=code if re.fullmatch(r"[A-Z]{2}", code) else "",
        latitude=here[0] if here else None,
        longitude=here[1] if here else None,
    )


def coordinates(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    """Both coordinates if they are a point on the earth; the point 0, 0 is what devices without a position send."""
    if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return None
    return None if latitude == longitude == 0 else (float(latitude), float(longitude))


def point(value: Any) -> tuple[float | None, float | None]:
    """Latitude and longitude of a GeoJSON position `[longitude, latitude]`; (None, None) for anything else."""
    if isinstance(value, Sequence) and len(value) >= 2 and all(isinstance(n, int | float) for n in value[:2]):
        return float(value[1]), float(value[0])
    return None, None


def middle(value: Any) -> tuple[float | None, float | None]:
    """Latitude and longitude of the middle of a GeoJSON polygon, or of a box `[west, south, east, north]`."""
    if isinstance(value, Sequence) and len(value) == 4 and all(isinstance(n, int | float) for n in value):
        return (value[1] + value[3]) / 2, (value[0] + value[2]) / 2
    ring = value[0] if isinstance(value, Sequence) and value and isinstance(value[0], Sequence) else ()
    found = [(north, east) for north, east in map(point, ring) if north is not None and east is not None]
    if not found:
        return None, None
    north, east = zip(*found, strict=True)
    return (min(north) + max(north)) / 2, (min(east) + max(east)) / 2


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Kilometres between two points on the surface of the earth (haversine formula)."""
    here, there = math.radians(latitude), math.radians(other_latitude)
    across = math.radians(other_longitude - longitude)
    half = math.sin((there - here) / 2) ** 2 + math.cos(here) * math.cos(there) * math.sin(across / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half)))
