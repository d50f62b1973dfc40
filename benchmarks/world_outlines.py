"""Make the outlines of the page's map from Natural Earth, at a scale of 1 : 110 million.

python -m benchmarks.world_outlines countries-110m.json

The argument is the file of that name of the npm package `world-atlas` 2.0.2: Natural Earth's public-domain outlines as
TopoJSON. Longitude and latitude become x and y of an SVG path, in degrees with one decimal, north up.
"""

import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "src/trinch/server/web/static/world.json"

Line = list[tuple[float, float]]


def arcs(topology: dict[str, Any]) -> list[Line]:
    """The arcs with their delta-coding undone: longitudes and latitudes."""
    (scale_x, scale_y), (left, bottom) = topology["transform"]["scale"], topology["transform"]["translate"]
    found = []
    for arc in topology["arcs"]:
        x = y = 0
        line = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            line.append((x * scale_x + left, y * scale_y + bottom))
        found.append(line)
    return found


def path(lines: Iterator[Line]) -> str:
    """An SVG path through lines, with relative steps of a tenth of a degree."""
    parts = []
    for line in lines:
        points = [(round(x * 10), round(-y * 10)) for x, y in line]
        points = [one for i, one in enumerate(points) if i == 0 or one != points[i - 1]]
        if len(points) < 2:
            continue
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]
        parts.append(f"M{points[0][0]} {points[0][1]}l" + " ".join(f"{x} {y}" for x, y in steps))
    return "".join(parts).replace(" -", "-")


def rings(topology: dict[str, Any], lines: list[Line]) -> Iterator[Line]:
    """The closed outlines of the land."""
    for country in topology["objects"]["land"]["geometries"]:
        polygons = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
        for polygon in polygons:
            for ring in polygon:
                yield unwrapped([p for n in ring for p in (lines[n] if n >= 0 else lines[~n][::-1])])


def unwrapped(ring: Line) -> Line:
    """A ring that goes on beyond 180 degrees instead of jumping to the other side; one around the pole is closed there."""
    turn, found = 0, [ring[0]]
    for (before, _), (x, y) in pairwise(ring):
        turn += -360 if x - before > 180 else 360 if x - before < -180 else 0
        found.append((x + turn, y))
    return [*found, (found[-1][0], -90.0), (found[0][0], -90.0)] if turn else found


def borders(topology: dict[str, Any], lines: list[Line]) -> Iterator[Line]:
    """The arcs that two countries share."""
    users: dict[int, int] = {}
    for country in topology["objects"]["countries"]["geometries"]:
        polygons = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
        for n in (n for polygon in polygons for ring in polygon for n in ring):
            users[max(n, ~n)] = users.get(max(n, ~n), 0) + 1
    return (lines[n] for n, times in sorted(users.items()) if times > 1)


def main() -> None:
    topology = json.loads(Path(sys.argv[1]).read_bytes())
    lines = arcs(topology)
    made = {
        "source": "Natural Earth, 1:110m, public domain (naturalearthdata.com), as in the npm package world-atlas 2.0.2",
        "unit": "a tenth of a degree; x is the longitude, y the latitude, south positive",
        "land": path(rings(topology, lines)),
        "borders": path(borders(topology, lines)),
    }
    TARGET.write_text(json.dumps(made) + "\n")
    print(f"{TARGET}  {TARGET.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
