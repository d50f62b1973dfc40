"""What the reader measures of a request and a passage: which words are met, exactly or by meaning, and the passage's form.

Each pair is measured alone: the result does not depend on the other passages or on their order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trinch.posts.text import fold, tokens
from trinch.reader.words import Floats, WordTable

KINDS = ("overview", "count", "who", "where", "when", "reason", "opinion", "verify", "fact")
"""The kinds of answer a request can want."""

AKIN, SAME = 0.5, 0.85
"""Cosine of two words at which they begin to count as akin, and count as the same."""
BESIDE = 4
"""Words on either side of a number that it may count."""
RAREST = 4
"""Words of the topic of which the worst met is measured."""
LONGEST = 200
"""Words of a passage that are read."""

_NUMBER = re.compile(r"\d")
_DECIMAL = re.compile(r"\b\d[.,]\d\b")
_DATED = re.compile(r"\b\d{1,2}[:h]\d\d\b|\b(?:19|20)\d\d\b|\b\d{1,2}(?:st|nd|rd|th)\b")
_NAME = re.compile(r"(?<=[\w,;'’\"] )[A-ZÀ-Þ][\w'’.-]+")
_LINK = re.compile(r"https?://\S+")


class Wanted(NamedTuple):
    """One word of a request. `forms` are the index terms that hold it. `role` is `name`, `event` (a kind of
    happening), `word` (another word of the topic) or `asked` (a word that only says what is asked of the topic)."""

    text: str
    forms: frozenset[str]
    weight: float
    role: str


class Query(NamedTuple):
    """A request as the reader sees it: its words weighted by rarity, one of `KINDS`, its language (ISO 639-1)."""

    words: tuple[Wanted, ...]
    kind: str
    lang: str


class Passage(NamedTuple):
    """A post, or a sentence of one: its text, its index terms, its language (ISO 639-1)."""

    text: str
    terms: frozenset[str]
    lang: str


class _Words(NamedTuple):
    """The words of all passages in a row, with what the table says of them."""

    split: list[list[str]]
    starts: NDArray[np.intp]
    vectors: Floats
    weights: Floats


def measure(table: WordTable, query: Query, passages: Sequence[Passage]) -> Floats:
    """The measures of each pair, [passages, measures], each between -1 and 1."""
    if not passages:
        return np.zeros((0, 0), np.float32)
    said = _read(table, passages)
    asked_rows = table.rows([_bare(word.text) for word in query.words])
    asked = table.vectors(asked_rows)
    cosine = asked @ said.vectors.T  # [words of the request, words of all passages]
    columns = [
        *_met(query, passages, cosine, said.starts, asked_rows >= 0),
        _mean_cosine(asked, table.weights(asked_rows), said),
        *_form(query, passages, said, _beside_number(query, cosine, said)),
        *_constants(query, len(passages)),
    ]
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)


def _bare(word: str) -> str:
    return word.lstrip("#@$")


def _read(table: WordTable, passages: Sequence[Passage]) -> _Words:
    split = [tokens(fold(_LINK.sub(" ", passage.text)))[:LONGEST] or [""] for passage in passages]
    rows = table.rows([_bare(word) for words in split for word in words])
    starts = np.cumsum([0, *map(len, split)])[:-1]
    return _Words(split, starts, table.vectors(rows), table.weights(rows))


def _met(
    query: Query,
    passages: Sequence[Passage],
    cosine: Floats,
    starts: NDArray[np.intp],
    known: NDArray[np.bool_],
) -> list[Floats]:
    """How far the words of the request are met: exactly, and by the word nearest in meaning; by role."""
    count = len(passages)
    exact = np.array(
        [[not word.forms.isdisjoint(passage.terms) for word in query.words] for passage in passages],
        np.float32,
    ).reshape(count, len(query.words))
    nearest = np.maximum.reduceat(cosine, starts, axis=1).T  # [passages, words of the request]
    soft = np.maximum(exact, np.clip((nearest - AKIN) / (SAME - AKIN), 0.0, 1.0))
    weight = np.array([word.weight for word in query.words], np.float32)
    role = np.array([word.role for word in query.words])
    core, facet = np.isin(role, ("name", "event")), np.isin(role, ("word", "asked"))
    topic = weight * (role != "asked")
    shares = [_share(exact, topic), _share(soft, topic), _share(soft, weight)]
    for each in ("name", "event", "word", "asked"):
        shares += [_share(exact, weight * (role == each)), _share(soft, weight * (role == each))]
    missed = np.where(core, 1.0 - soft, 0.0).sum(axis=1)
    return [
        *shares,
        np.minimum(missed, 3.0) / 3.0,
        np.where(core, soft, 1.0).min(axis=1, initial=1.0),
        np.where(facet & known, nearest, 0.0).max(axis=1, initial=0.0),
        np.where(facet, exact, 0.0).max(axis=1, initial=0.0),
        *_rarest(exact, soft, topic),
    ]


def _rarest(exact: Floats, soft: Floats, weight: Floats) -> list[Floats]:
    """How far the rarest words of the topic are met: the first exactly and by meaning, the second by meaning, and the
    worst of the `RAREST` rarest; 1 where there is no such word."""
    order = [int(n) for n in np.argsort(-weight, kind="stable") if weight[n] > 0][:RAREST]
    met = np.ones(len(exact), np.float32)
    return [
        exact[:, order[0]] if order else met,
        soft[:, order[0]] if order else met,
        soft[:, order[1]] if len(order) > 1 else met,
        soft[:, order].min(axis=1) if order else met,
    ]


def _share(held: Floats, weight: Floats) -> Floats:
    """The weighted mean of `held` [passages, words]; 1 where nothing has a weight."""
    total = float(weight.sum())
    share: Floats = (held * weight).sum(axis=1) / total if total > 0 else np.ones(len(held), np.float32)
    return share


def _mean_cosine(asked: Floats, weights: Floats, said: _Words) -> Floats:
    """The cosine of the mean of the request with the mean of each passage."""
    mean = np.add.reduceat(said.vectors * said.weights[:, None], said.starts, axis=0)
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-6)
    whole = (asked * weights[:, None]).sum(axis=0)
    cosine: Floats = mean @ (whole / max(float(np.linalg.norm(whole)), 1e-6))
    return cosine


def _beside_number(query: Query, cosine: Floats, said: _Words) -> Floats:
    """How like what is asked the words beside the numbers of each passage are; 0 where it has no number."""
    result = np.zeros(len(said.split), np.float32)
    chosen = [n for n, word in enumerate(query.words) if word.role in ("word", "asked")]
    if not chosen:
        return result
    best = cosine[chosen].max(axis=0)
    for n, (start, words) in enumerate(zip(said.starts.tolist(), said.split, strict=True)):
        for at in (at for at, word in enumerate(words) if word[:1].isdigit()):
            window = best[start + max(0, at - BESIDE) : start + min(len(words), at + BESIDE + 1)]
            result[n] = max(float(result[n]), float(window.max()))
    return result


def _form(query: Query, passages: Sequence[Passage], said: _Words, beside: Floats) -> list[Floats]:
    """The form of each passage, by itself and where the kind of answer wants it."""
    texts = [_LINK.sub(" ", passage.text) for passage in passages]

    def column(value: Callable[[int], float]) -> Floats:
        return np.array([value(n) for n in range(len(passages))], np.float32)

    digits = column(lambda n: bool(_NUMBER.search(texts[n])))
    dated = column(lambda n: bool(_DATED.search(texts[n])))
    names = column(lambda n: min(len(_NAME.findall(texts[n])), 4) / 4)
    return [
        beside,
        beside * (query.kind == "count"),
        digits,
        digits * (query.kind == "count"),
        column(lambda n: bool(_DECIMAL.search(texts[n]))),
        dated,
        dated * (query.kind == "when"),
        names,
        names * (query.kind == "who"),
        column(lambda n: min(len(said.split[n]), 60) / 60),
        column(lambda n: texts[n].rstrip("\"”' ").endswith("?")),
        column(lambda n: sum(word[:1] in ("#", "@", "$") for word in said.split[n]) / len(said.split[n])),
        column(lambda n: passages[n].lang == query.lang),
    ]


def _constants(query: Query, count: int) -> list[Floats]:
    """What is the same for all passages of a request."""
    roles = {word.role for word in query.words}
    values = [
        float("name" in roles),
        float(not roles.isdisjoint(("name", "event"))),
        float(not roles.isdisjoint(("word", "asked"))),
        min(len(query.words), 10) / 10,
        *(float(query.kind == kind) for kind in KINDS),
    ]
    return [np.full(count, value, np.float32) for value in values]
