"""Labelled requests: what is asked, the posts that a search finds for it, and which of them are on the topic and answer.

Most labels are patterns (`benchmarks/data/reader`); no text of a post is kept in the repository. A post is on the topic if
it matches the pattern of the event; it answers if it matches that of the question, too. `judged.jsonl` corrects them for
single posts that a person read. Split by event: what is held out is never trained on.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.reader.files import rows
from trinch.answers.reading import query_of
from trinch.answers.request import interpret
from trinch.answers.retrieval import Search
from trinch.answers.types import Corpus
from trinch.reader import Passage, Query
from trinch.store.query import parse_time

LABELS = Path("benchmarks/data/reader")
EVENT_FILES = ("crisislex_t26_shared", "crisisnlp_crowdflower", "crisisnlp_volunteers")
AS_OF = {"reddit": "2013-06-01T00:00:00Z", "trump": "2018-02-01T00:00:00Z", "stock": "2015-01-05T00:00:00Z"}
"""When the requests about a collection are asked: after its last post."""
DEPTH = 150
"""Posts of a search that are labelled."""
LANGUAGES = ("en", "en", "fr", "es", "de", "it", "pt")


class Asked(NamedTuple):
    """A request with its patterns, before any search. `nothing`: it asks about something that never was."""

    group: str
    facet: str
    text: str
    language: str
    as_of: str
    topic: str
    answers: str
    excluded: str
    held: bool
    nothing: bool
    judged: Mapping[str, str] = {}
    """Posts that a person read, by id: `answers`, `topic` or `no`."""


class Labelled(NamedTuple):
    """A request, the passages found for it (best match first), and their labels [passages, (topic, answer)]."""

    group: str
    language: str
    held: bool
    query: Query
    passages: list[Passage]
    labels: NDArray[np.float32]
    named: NDArray[np.bool_]
    """Which passages hold all names of the request."""
    nothing: bool


def requests(folder: Path = LABELS) -> Iterator[Asked]:
    """The single requests, in each of their languages; every fifth is held out."""
    for number, row in enumerate(rows(folder / "requests.jsonl")):
        for language, text in row["ask"].items():
            yield Asked(
                row["id"], row["kind"], text, language[:2], AS_OF[row["pool"]], row["on"], row["answers"], "(?!)",
                number % 5 == 4, False,
            )  # fmt: skip


def natural(folder: Path = LABELS) -> Iterator[Asked]:
    """Requests as people type them, each with its own time, about other events; every second event is held out."""
    judged = {(row["id"], row["ask"]): row["posts"] for row in rows(folder / "judged.jsonl")}
    for row in rows(folder / "natural.jsonl"):
        for language, text in row["ask"].items():
            yield Asked(
                row["id"], row["kind"], text, language[:2], row["as_of"], row.get("on", "(?!)"),
                row.get("answers", "(?!)"), "(?!)", row.get("part") == "held", row.get("nothing", False),
                judged.get((row["id"], language), {}),
            )  # fmt: skip


def events(social: Path, folder: Path = LABELS, seed: int = 23) -> Iterator[Asked]:
    """Ten questions on each event in six languages, and the same about places where nothing happened."""
    random_ = random.Random(seed)
    facets = json.loads((folder / "facets.json").read_text())
    places = (folder / "places.txt").read_text().split()
    last = _last_posts(social)
    for event in rows(folder / "events.jsonl"):
        name, held, as_of = event["event"], event.get("part") == "held", last[event["event"]]
        for facet, table in facets.items():
            if facet == "about" or table.get("only", event["kind"]) != event["kind"]:
                continue
            excluded = table.get("exclude", "(?!)")
            for n, language in enumerate(LANGUAGES):
                if n > 1 and random_.random() < 0.35:
                    continue
                text = _wording(table, language, random_.choice(event["names"][language]), random_)
                yield Asked(
                    name, facet, text, language, as_of, event["on"], table["answers"], excluded, held, False
                )
            moved = _PLACE.sub(random_.choice(places), event["names"]["en"][0], count=1)
            if moved != event["names"]["en"][0]:
                text = _wording(table, "en", moved, random_)
                yield Asked(name, facet, text, "en", as_of, "(?!)", "(?!)", "(?!)", held, True)


_PLACE = re.compile(r"\b[A-ZÉ][\w'’-]+(?: [A-Z][\w-]+)*$|\b[A-Z][a-z]+(?: [A-Z]\w+)*(?= )")
_CONTRACTED = {"de": "du ", "di": "del ", "a": "al "}


def _wording(table: Mapping[str, Any], language: str, event: str, random_: random.Random) -> str:
    """One wording of a question, as people type: some in lower case and without punctuation."""
    text = random_.choice(table["ask"][language]).replace("{e}", event)
    text = re.sub(r"\b(de|di|a) (?:le|il) ", lambda found: _CONTRACTED[found[1]], text)
    return text.lower().strip("¿? ") if random_.random() < 0.4 else text


def _last_posts(social: Path) -> dict[str, str]:
    """When the last post of each event was made."""
    last: dict[str, str] = {}
    for name in EVENT_FILES:
        for row in rows(social / f"{name}.jsonl.zst"):
            if row.get("event") and row.get("created_at"):
                last[row["event"]] = max(last.get(row["event"], ""), row["created_at"])
    return last


def found(asked: Asked, store: Corpus) -> Labelled:
    """Search the store for a request, and label what is found by its patterns."""
    moment = parse_time(asked.as_of)
    request = interpret(asked.text, moment, store)
    search = Search(request.question, store, moment, "")
    hits = search(search.text, DEPTH, search.where) if request.question.terms else []
    passages = [Passage(hit.post.text, frozenset(hit.terms), hit.post.lang) for hit in hits]
    labels = labelled(asked, [hit.post.text for hit in hits])
    for label, hit in zip(labels, hits, strict=True):
        if said := asked.judged.get(hit.post.id):
            label[:] = said != "no", said == "answers"
    names = [term for term in request.question.terms if term.role == "name"]
    named = np.array([all(search.read.holds(term, hit) for term in names) for hit in hits], bool)
    return Labelled(
        asked.group, asked.language, asked.held, query_of(request.task, request.question), passages, labels,
        named, asked.nothing,
    )  # fmt: skip


def labelled(asked: Asked, texts: Sequence[str]) -> NDArray[np.float32]:
    """The labels of some texts, [texts, (topic, answer)]."""
    topic, answers = re.compile(asked.topic, re.I), re.compile(asked.answers, re.I)
    excluded = re.compile(asked.excluded, re.I)
    labels = np.zeros((len(texts), 2), np.float32)
    for n, text in enumerate(texts):
        labels[n, 0] = bool(topic.search(text))
        labels[n, 1] = labels[n, 0] and bool(answers.search(text)) and not excluded.search(text)
    return labels
