"""Training examples from the public sets: TREC microblog judgements, TweetQA, RealTimeQA with evidence."""

from __future__ import annotations

import gzip
import html
import io
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

_WORD = re.compile(r"[^\W_]{2,}")
_TAG = re.compile(r"<[^>]*>")


class Example(NamedTuple):
    """Does the passage answer the request? `label` from 0 to 1; the span [begin, end) in characters, or (-1, -1)."""

    source: str
    group: str  # topic, question or event: never in both parts of a split
    request: str
    passage: str
    label: float
    begin: int = -1
    end: int = -1


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a file: plain, .gz or .zst."""
    if path.suffix == ".zst":
        raw: Any = zstandard.ZstdDecompressor().stream_reader(path.open("rb"))
    else:
        raw = path.open("rb")
        raw = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
    with io.TextIOWrapper(raw, encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)


class Overlap:
    """Finds the texts that share most rare words with a text: the source of hard negatives."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.holders: dict[str, list[int]] = defaultdict(list)
        for number, text in enumerate(texts):
            for word in set(words(text)):
                self.holders[word].append(number)

    def nearest(self, text: str, count: int) -> list[int]:
        """The numbers of the nearest texts, nearest first."""
        score: Counter[int] = Counter()
        for word in set(words(text)):
            held = self.holders.get(word, [])
            if len(held) <= 250:  # rarer words decide
                for number in held:
                    score[number] += 1.0 / (5 + len(held))  # type: ignore[assignment]
        return [number for number, _ in score.most_common(count)]


def words(text: str) -> list[str]:
    """Lower-case words of two characters or more."""
    return _WORD.findall(text.lower())


def span_of(passage: str, answers: Iterable[str]) -> tuple[int, int]:
    """Where the first of the answers that stands in the passage begins and ends, or (-1, -1)."""
    low = passage.lower()
    for answer in answers:
        at = low.find(answer.lower()) if len(answer) > 1 else -1
        if at >= 0 and len(low) == len(passage):
            return at, at + len(answer)
    return -1, -1


def trec(folder: Path, random_: random.Random, per_topic: int = 60) -> Iterator[Example]:
    """Judged posts of the topics of 2011 and 2012: relevant ones, and twice as many of the nearest judged irrelevant."""
    texts = {row["id"]: row["text"] for row in rows(folder / "corpus_2011_2012.jsonl.zst")}
    judged: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (folder / "qrels_2011_2012.tsv").read_text().splitlines()[1:]:
        name, post, grade = line.split("\t")
        judged[name][post] = int(grade)
    for topic in rows(folder / "queries_2011_2012.jsonl"):
        request, grades = topic["text"], judged[topic["_id"]]
        good = [post for post, grade in grades.items() if grade > 0 and post in texts]
        bad = [post for post, grade in grades.items() if grade <= 0 and post in texts]
        random_.shuffle(good)
        good = good[:per_topic]
        share = set(words(request))
        bad.sort(key=lambda post: (-len(share & set(words(texts[post]))), post))
        near, rest = bad[: len(good) + 10], bad[len(good) + 10 :]
        for post in [*good, *near, *random_.sample(rest, min(len(rest), 10 + len(good) // 4))]:
            yield Example("trec", topic["_id"], request, texts[post], float(grades[post] > 0))


def tweetqa(path: Path) -> Iterator[Example]:
    """Each question with its post, and with the nearest post of another question."""
    found = list(rows(path))
    posts = [row["Tweet"] for row in found]
    index = Overlap(posts)
    for row in found:
        question, post = row["Question"], row["Tweet"]
        yield Example("tweetqa", row["qid"], question, post, 1.0, *span_of(post, row["Answer"]))
        others = [n for n in index.nearest(question + " " + post[:60], 12) if posts[n] != post]
        for number in others[1:2]:
            yield Example("tweetqa", row["qid"], question, posts[number], 0.0)


def realtimeqa(path: Path) -> Iterator[Example]:
    """Each question with its evidence (cut to 280 characters around the answer), and with the nearest other evidence."""
    found = [row for row in rows(path) if row.get("evidence")]
    texts = [html.unescape(_TAG.sub("", row["evidence"])).strip() for row in found]
    index = Overlap(texts)
    for row, text in zip(found, texts, strict=True):
        answers = [row["choices"][int(number)] for number in row["answer"] if number.isdigit()]
        begin, end = span_of(text, answers)
        if end - begin > 240 or begin < 0:
            continue
        cut = max(0, min(begin - 120, len(text) - 280))
        passage = text[cut : cut + 280]
        group, question = row["question_id"], row["question_sentence"]
        yield Example("realtimeqa", group, question, passage, 1.0, *span_of(passage, answers))
        near = [texts[n] for n in index.nearest(question, 6) if texts[n] != text]
        for other in near[:2]:
            if span_of(other, answers)[0] < 0:
                yield Example("realtimeqa", group, question, other[:280], 0.0)


def public(bench: Path, seed: int = 1) -> list[Example]:
    """All examples of the public sets."""
    random_ = random.Random(seed)
    return [
        *trec(bench / "trec_microblog", random_),
        *tweetqa(bench / "tweetqa_train.jsonl.zst"),
        *realtimeqa(bench / "realtimeqa" / "questions_to_2024.jsonl.zst"),
    ]
