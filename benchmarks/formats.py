"""`python -m benchmarks.formats`: what each format costs beside bare JSON decoding, and what collections yield.

The cost is processor time of `trinch.sources.files.events` on a file of many lines of one sample, divided by that of
`msgspec.json.decode` on the same lines; both are measured in alternation and the smallest of five ratios is printed, since
other work on the machine only adds. With `--collections FOLDER`, every folder or file in it is read, without a store, and a
row of the table in docs/formats.md is printed for each: texts read, posts and events, forgiven, rejected.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import msgspec
from tests.posts.samples import ALL
from tests.posts.samples_elsewhere import OBJECTS

from trinch.posts.notes import Notes
from trinch.sources.files import Reject, events

LINES = 1000
MOST = 50_000
"""Texts of one file of a collection that are read."""


def samples() -> dict[str, bytes]:
    """One line of each form, by its name."""
    own = {"X v2": ALL["x"][0], "Jetstream": ALL["jetstream"][0], "own lines": ALL["jsonl"][0]}
    return own | {name: json.dumps(value).encode() for name, value in OBJECTS.items()}


def ratio(line: bytes, folder: Path) -> tuple[float, float]:
    """(microseconds to read a line, ratio to decoding it), the smallest of five measured in alternation."""
    file = folder / "lines.jsonl"
    file.write_bytes(b"\n".join([line] * LINES) + b"\n")
    found = []
    for _ in range(5):
        started = time.process_time()
        for one in [line] * LINES:
            msgspec.json.decode(one)
        middle = time.process_time()
        for _ in events(file):
            pass
        ended = time.process_time()
        found.append(((ended - middle) / LINES * 1e6, (ended - middle) / max(1e-9, middle - started)))
    return min(one for one, _ in found), min(one for _, one in found)


def collection(path: Path) -> tuple[int, int, int, int]:
    """(texts read, events, forgiven, rejected) of a file or of all files in a folder."""
    read = accepted = rejected = 0
    notes = Notes()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not file.is_file() or file.suffix in (".md", ".py", ".txt", ".yml", ".html"):
            continue
        for number, item in enumerate(events(file, notes=notes)):
            if number >= MOST:
                break
            read += 1
            if isinstance(item, Reject):
                rejected += 1
            else:
                accepted += len(item)
    return read, accepted, notes.forgiven.total(), rejected


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=__doc__.splitlines()[0])
    parser.add_argument("--collections", type=Path, help="folder of collections")
    options = parser.parse_args()
    if options.collections:
        print("| Collection | Read | Events | Forgiven | Rejected |\n|---|---|---|---|---|")
        for path in sorted(options.collections.iterdir()):
            read, accepted, forgiven, rejected = collection(path)
            print(f"| {path.name} | {read:,} | {accepted:,} | {forgiven:,} | {rejected:,} |", flush=True)
        return
    print("| Line | Bytes | µs to events | × bare decoding |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, line in samples().items():
            micros, times = ratio(line, Path(folder))
            print(f"| {name} | {len(line):,} | {micros:.1f} | {times:.1f} |", flush=True)


if __name__ == "__main__":
    main()
