"""Labelled requests of public sets: TREC microblog judgements, TweetQA, RealTimeQA with evidence."""

from __future__ import annotations

import html
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.reader.files import rows
from benchmarks.reader.labelled import LABELS, Labelled, is_held
from trinch.answers.question import Question
from trinch.answers.reading import query_of
from trinch.answers.request import interpret
from trinch.answers.types import Hit
from trinch.posts.text import terms
from trinch.reader import Passage

SAMPLE = {"tweetqa": 1600, "realtimeqa": 1200}
"""Questions drawn from each set."""
CUT = 280
"""Characters of a news page around its answer."""
_TAG = re.compile(r"<[^>]*>")


class Texts:
    """English texts with the frequencies of their terms: as much of a `Corpus` as reading a request needs."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.terms = [frozenset(terms(text, "en")) for text in texts]
        self._holders: dict[str, list[int]] = defaultdict(list)
        for number, held in enumerate(self.terms):
            for term in held:
                self._holders[term].append(number)
        self.num_posts = len(texts)

    def doc_freq(self, term: str) -> int:
        return len(self._holders.get(term, ()))

    def retrieve(self, text: str, *, limit: int, as_of: int | None, where: str = "") -> Sequence[Hit]:
        return []

    def search(self, query: str, *, limit: int, sort: str, as_of: int | None) -> Sequence[Hit]:
        return []

    def copies(self, hit: Hit, *, as_of: int | None) -> Sequence[Hit]:
        return []

    def scores(self, question: Question) -> Counter[int]:
        """The summed inverse document frequency of the terms that each text holds."""
        scores: Counter[int] = Counter()
        for term in question.terms:
            holders = {number for form in term.forms for number in self._holders.get(form, ())}
            weight = math.log(1 + self.num_posts / (1 + len(holders)))
            for number in holders:
                scores[number] += weight  # type: ignore[assignment]  # a sum of floats
        return scores

    def nearest(self, question: Question, count: int, without: set[int]) -> list[int]:
        """The texts that score best, others than those in `without`."""
        ranked = sorted(self.scores(question).items(), key=lambda item: (-item[1], item[0]))
        return [number for number, _ in ranked if number not in without][:count]


def trec(bench: Path, random_: random.Random, folder: Path = LABELS) -> Iterator[Labelled]:
    """The topics of 2011 and 2012, as written and as people would ask them in six languages, over judged posts."""
    posts = list(rows(bench / "corpus_2011_2012.jsonl.zst"))
    corpus = Texts([row["text"] for row in posts])
    place = {row["id"]: number for number, row in enumerate(posts)}
    relevant: dict[str, set[int]] = defaultdict(set)
    judged: dict[str, set[int]] = defaultdict(set)
    for line in (bench / "qrels_2011_2012.tsv").read_text().splitlines()[1:]:
        topic, post, grade = line.split("\t")
        if post in place:
            (relevant if int(grade) > 0 else judged)[topic].add(place[post])
    asked = [(row["_id"], "en", row["text"]) for row in rows(bench / "queries_2011_2012.jsonl")]
    for line in (folder / "topics.tsv").read_text().splitlines():
        topic, *wordings = line.split("\t")
        asked += [(topic, *wording.split(":", 1)) for wording in wordings]  # type: ignore[misc]  # two parts
    for topic, language, text in asked:
        good = random_.sample(sorted(relevant[topic]), min(35, len(relevant[topic])))
        yield from _labelled("trec", topic, language, text, corpus, good, judged[topic], 45, random_)


def tweetqa(path: Path, random_: random.Random) -> Iterator[Labelled]:
    """Questions with their post, and with the nearest posts of other questions."""
    held = list(rows(path))
    corpus = Texts(list(dict.fromkeys(row["Tweet"] for row in held)))
    place = {text: number for number, text in enumerate(corpus.texts)}
    for row in random_.sample(held, SAMPLE["tweetqa"]):
        yield from _labelled(
            "tweetqa", row["qid"], "en", row["Question"], corpus, [place[row["Tweet"]]], None, 12, random_
        )


def realtimeqa(path: Path, random_: random.Random) -> Iterator[Labelled]:
    """Questions with their evidence, cut around the answer, and with the nearest evidence of other questions."""
    passages: dict[str, tuple[str, str]] = {}
    for row in rows(path):
        text = html.unescape(_TAG.sub("", row.get("evidence") or "")).strip()
        for number in row["answer"]:
            answer = row["choices"][int(number)] if number.isdigit() else ""
            at = text.lower().find(answer.lower()) if len(answer) > 1 else -1
            if at >= 0:
                start = max(0, min(at - CUT // 2, len(text) - CUT))
                passages[row["question_id"]] = (row["question_sentence"], text[start : start + CUT])
    corpus = Texts(list(dict.fromkeys(text for _, text in passages.values())))
    place = {text: number for number, text in enumerate(corpus.texts)}
    for group in random_.sample(sorted(passages), min(SAMPLE["realtimeqa"], len(passages))):
        question, text = passages[group]
        yield from _labelled("realtimeqa", group, "en", question, corpus, [place[text]], None, 12, random_)


def _labelled(
    source: str,
    group: str,
    language: str,
    text: str,
    corpus: Texts,
    good: Sequence[int],
    others: set[int] | None,
    count: int,
    random_: random.Random,
) -> Iterator[Labelled]:
    """A request with its answers, the nearest other texts (of `others`, where given) and a few at random."""
    request = interpret(text, 0, corpus)
    if not request.question.terms or not good:
        return
    allowed = set(range(corpus.num_posts)) if others is None else others
    near = [n for n in corpus.nearest(request.question, 4 * count, set(good)) if n in allowed][:count]
    rest = sorted(allowed - set(near) - set(good))
    chosen = [*good, *near, *random_.sample(rest, min(len(rest), count // 4))]
    passages = [Passage(corpus.texts[n], corpus.terms[n], "en") for n in chosen]
    labels = np.zeros((len(chosen), 2), np.float32)
    labels[: len(good)] = 1.0
    yield Labelled(
        source, group, language, is_held(group), query_of(request.task, request.question), passages, labels
    )


def all_sets(bench: Path, seed: int = 4) -> Iterator[Labelled]:
    """The three sets, one after the other."""
    random_ = random.Random(seed)
    yield from trec(bench / "trec_microblog", random_)
    yield from tweetqa(bench / "tweetqa_train.jsonl.zst", random_)
    yield from realtimeqa(bench / "realtimeqa" / "questions_to_2024.jsonl.zst", random_)
