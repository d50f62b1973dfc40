"""Single requests of `requests.jsonl`: the best matches of plain retrieval, labelled by patterns written for each."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tantivy

from trinch.training.reader.examples import Example, rows, words

POOLS = {
    "reddit": ("replay/2013-04.jsonl.zst", "replay/2013-05.jsonl.zst"),
    "trump": ("social/trump_tweets.jsonl.zst",),
    "stock": ("social/stocknet_2014.jsonl.zst",),
}
COMMON = frozenset(
    [
        "the",
        "of",
        "in",
        "on",
        "to",
        "is",
        "are",
        "was",
        "were",
        "did",
        "do",
        "does",
        "what",
        "who",
        "how",
        "many",
        "much",
        "why",
        "when",
        "where",
        "which",
        "and",
        "for",
        "with",
        "about",
        "has",
        "have",
        "it",
        "at",
        "by",
        "be",
        "an",
        "from",
        "people",
        "say",
        "saying",
        "said",
        "think",
        "tell",
        "me",
        "up",
        "down",
        "there",
        "any",
        "new",
        "latest",
    ]
)


class Candidate(NamedTuple):
    """A retrieved post and whether it answers; the span is (-1, -1) where it is not known."""

    text: str
    label: float
    begin: int
    end: int


class Request(NamedTuple):
    """One request in one language with its candidates, best match first."""

    name: str
    language: str
    text: str
    kind: str
    candidates: list[Candidate]


class Index:
    """BM25 over the distinct texts of a pool of posts."""

    def __init__(self, texts: Sequence[str]) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("text", stored=False, tokenizer_name="en_stem")
        builder.add_integer_field("row", stored=True)
        self.texts = texts
        self._index = tantivy.Index(builder.build())
        writer = self._index.writer(100_000_000, 1)
        for number, text in enumerate(texts):
            writer.add_document(tantivy.Document(text=text, row=number))
        writer.commit()
        self._index.reload()
        self._searcher = self._index.searcher()

    def best(self, request: str, count: int) -> list[str]:
        """The texts that match best, best first."""
        asked = " ".join(word for word in words(request) if word not in COMMON) or request
        hits = self._searcher.search(self._index.parse_query(asked, ["text"]), count).hits
        return [self.texts[self._searcher.doc(address)["row"][0]] for _, address in hits]


def pool(data: Path, name: str) -> list[str]:
    """The distinct texts of a pool, in the order of its files; of the replay files, what came from reddit."""
    found: dict[str, str] = {}
    for file in POOLS[name]:
        for row in rows(data / file):
            if name != "reddit" or row["platform"] == "reddit":
                found.setdefault(" ".join(words(row["text"]))[:100], row["text"])
    return list(found.values())


def requests(data: Path, folder: Path, *, held: bool, count: int = 50) -> Iterator[Request]:
    """The requests of one part (every fifth is held out), in each of their languages, with `count` candidates."""
    table = [row for n, row in enumerate(rows(folder / "requests.jsonl")) if (n % 5 == 4) == held]
    for name in POOLS:
        own = [row for row in table if row["pool"] == name]
        index = Index(pool(data, name))
        for row in own:
            texts = index.best(row["ask"]["en"], count)
            candidates = [judge(row, text) for text in texts]
            for language, text in row["ask"].items():
                yield Request(row["id"], language[:2], text, row["kind"], candidates)


def judge(row: Mapping[str, Any], text: str) -> Candidate:
    """Label a post by the patterns of a request."""
    if not re.search(row["on"], text, re.I):
        return Candidate(text, 0.0, -1, -1)
    found = re.search(row["answers"], text, re.I)
    if not found:
        return Candidate(text, 0.0, -1, -1)
    span = found.span() if row["kind"] == "question" and len(row["answers"]) > 1 else (-1, -1)
    return Candidate(text, 1.0, *span)


def examples(found: Sequence[Request], per_side: int = 10, seed: int = 7) -> Iterator[Example]:
    """Training pairs: of each request up to so many answers and as many of the best other matches."""
    random_ = random.Random(seed)
    for request in found:
        good = [c for c in request.candidates if c.label]
        bad = [c for c in request.candidates if not c.label]
        random_.shuffle(good)
        for chosen in (*good[:per_side], *bad[:per_side]):
            yield Example(
                "labels", request.name, request.text, chosen.text, chosen.label, chosen.begin, chosen.end
            )


def topics(folder: Path, judged: Sequence[Example], seed: int = 9, per_side: int = 8) -> Iterator[Example]:
    """The TREC topics as people would ask for them, in several languages (`topics.tsv`), over the judged posts."""
    random_ = random.Random(seed)
    for line in (folder / "topics.tsv").read_text().splitlines():
        topic, *asked = line.split("\t")
        good = [e for e in judged if e.group == topic and e.label]
        bad = [e for e in judged if e.group == topic and not e.label]
        for request in asked:
            for example in (
                *random_.sample(good, min(per_side, len(good))),
                *random_.sample(bad, min(per_side + 4, len(bad))),
            ):
                yield example._replace(request=request.split(":", 1)[1])
