"""The posts of the benchmarks: X v2 stream lines of the simulated world, written to disk once.

Owns the files in the work folder. About 2.3 KB a line, with the authors and the posts referred to included, as
in real captures; edits and compliance lines come among them.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from trinch.posts.schema import Created
from trinch.simulator.ground_truth import GroundTruth
from trinch.simulator.network import stream
from trinch.simulator.people import Crowd
from trinch.simulator.wire_x import XLines

RATE = 10.0
"""Posts per second of the world's own time: a million posts are 28 hours, with some thirty incidents."""


@dataclass(frozen=True)
class Text:
    """One post as the bare loop and the peers get it."""

    id: str
    at: int
    author: str
    text: str


@dataclass(frozen=True)
class Corpus:
    lines: Path
    """X v2 JSON lines."""
    texts: Path
    """`[id, at, author, text]` of each post created, JSON lines."""
    questions: Path
    """Questions about what happened in it, JSON lines."""

    def read_texts(self, limit: int | None = None) -> Iterator[Text]:
        with self.texts.open("rb") as file:
            for number, line in enumerate(file):
                if number == limit:
                    return
                yield Text(*msgspec.json.decode(line))

    def read_questions(self) -> list[str]:
        return [msgspec.json.decode(line) for line in self.questions.read_bytes().splitlines()]


def make(work: Path, posts: int, seed: int) -> Corpus:
    """The corpus of that size and seed, written now unless it is there."""
    folder = work / f"x-v2-{seed}-{posts}"
    corpus = Corpus(folder / "lines.jsonl", folder / "texts.jsonl", folder / "questions.jsonl")
    if corpus.questions.exists():
        return corpus
    folder.mkdir(parents=True, exist_ok=True)
    print(f"writing {posts:,} posts to {folder}", file=sys.stderr)
    crowd, truth = Crowd(seed), GroundTruth()
    lines = XLines(crowd)
    encode = msgspec.json.encode
    with corpus.lines.open("wb") as wire, corpus.texts.open("wb") as texts:
        for event in stream(seed, posts=posts, rate=RATE, crowd=crowd, truth=truth):
            wire.write(lines.line(event) + b"\n")
            if isinstance(event, Created):
                post = event.post
                texts.write(encode([post.id, event.at, post.author, post.text]) + b"\n")
    asked = []
    for happening in truth.incidents.values():
        place, what = happening.place, happening.kind.replace("_", " ")
        asked += [f"What happened in {place}?", f"How many people were affected by the {what} in {place}?"]
        asked.append(f"Quelle est la situation à {place} ?")
    corpus.questions.write_bytes(b"\n".join(encode(question) for question in asked))
    return corpus
