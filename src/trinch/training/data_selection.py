"""Select the posts to train on: no reposts, bots or near-duplicates, and languages in balance.

docs/training.md states the rules in words. Each post is read once, in the order of the log. Only numbers are kept of
it, and a sketch if it is no near-duplicate (`posts.near_duplicates`).
"""

import re
import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trinch.posts.near_duplicates import COPY, similar, sketch
from trinch.posts.schema import UNDATED, Post
from trinch.posts.text import tokens
from trinch.training.batch_order import mix
from trinch.training.pii import scrub
from trinch.training.settings import Data, SettingsError

HOUR = 3_600_000_000
_VARIABLE_PARTS = re.compile(r"<\w+>|\d+")
"""Differences that near-duplicates may have: numbers, and scrubbed placeholders."""
_ROOM = 4
"""Earlier posts that one token of a sketch remembers: more find few more copies (docs/training.md)."""


@dataclass
class Selection:
    """Selected posts out of 0..n-1: `train` and `held_out` are their numbers, in the order to be written."""

    train: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]
    held_out_from: int
    """Microseconds: posts created at or after this were held out."""
    counts: dict[str, int]
    """Number of posts by outcome."""
    languages: dict[str, int]
    """Posts by language in one training pass, after balancing."""


class DataSelector:
    """Reads each post once (`add`), then selects (`choose`).

    `read` returns the text that `add` returned for a number.
    """

    def __init__(self, settings: Data, read: Callable[[int], str]) -> None:
        self.settings, self._read = settings, read
        self._counts = dict.fromkeys(("read", "repost", "short", "near_duplicate", "bot"), 0)
        self._time = array("q")
        self._author = array("q")
        self._language = array("q")
        self._key = array("Q")
        self._copy = bytearray()
        self._authors: dict[str, int] = {}
        self._languages: dict[str, int] = {}
        self._sketched: dict[int, int] = {}

    def add(self, post: Post) -> str | None:
        """The scrubbed text of a post that may be trained on (numbered from 0 in order), or None."""
        self._counts["read"] += 1
        if post.repost_of:
            self._counts["repost"] += 1
            return None
        text = scrub(post.text).strip()
        if len(text) < self.settings.shortest:
            self._counts["short"] += 1
            return None
        copy = self._is_copy(text)
        author = (
            self._authors.setdefault(f"{post.network}/{post.author_id}", len(self._authors))
            if post.author_id
            else -1
        )
        self._time.append(UNDATED if post.created_at is None else post.created_at)
        self._author.append(author)
        self._language.append(self._languages.setdefault(post.lang or "und", len(self._languages)))
        self._key.append(post_key(post))
        self._copy.append(copy)
        return text

    def _is_copy(self, text: str) -> bool:
        """Is this text one of a post added before, or nearly? If not, it is remembered for those to come."""
        terms, number = _terms(text), len(self._key)
        marks = [int(mark, 16) * _ROOM for mark in sketch(terms)]
        candidates = {self._sketched.get(mark + slot, number) for mark in marks for slot in range(_ROOM)}
        if any(similar(terms, _terms(self._read(n))) >= COPY for n in candidates - {number}):
            return True
        self._sketched |= {mark + number % _ROOM: number for mark in marks}
        return False

    def choose(self) -> Selection:
        """Select among all posts added. Raises SettingsError when too little is left to train on."""
        time, author = np.array(self._time, np.int64), np.array(self._author, np.int64)
        copy = np.array(self._copy, bool)
        bot = self._bots(time, author, copy)
        kept = np.flatnonzero(~bot & ~copy)
        counts = self._counts | {
            "bot": int(bot.sum()),
            "near_duplicate": int((copy & ~bot).sum()),
            "kept": kept.size,
        }
        if kept.size < 20:
            raise SettingsError(
                f"too few posts to train on: {counts}; ingest more, or loosen the [data] settings"
            )
        kept = kept[np.argsort(time[kept], kind="stable")]
        edge = int(time[kept[int(kept.size * (1 - self.settings.held_out))]])
        old, new = kept[time[kept] < edge], kept[time[kept] >= edge]
        if not old.size:
            raise SettingsError(
                "all posts have the same time, so none can be held out as newer; check their created_at"
            )
        train, languages = self._balanced(old)
        return Selection(train, new, edge, counts | {"held_out": new.size}, languages)

    def keys(self) -> npt.NDArray[np.uint64]:
        """`post_key` of every post added."""
        return np.array(self._key, np.uint64)

    def accounts(self) -> npt.NDArray[np.uint64]:
        """`account_key` of the author of every post added; 0 where unknown."""
        keys = [_hashed(name) for name in self._authors]
        return np.array([*keys, 0], np.uint64)[np.array(self._author, np.int64)]

    def _bots(
        self, time: npt.NDArray[np.int64], author: npt.NDArray[np.int64], copy: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Posts of authors that post too fast, or mostly copies."""
        n = len(self._authors)
        known = author >= 0
        posts = np.bincount(author[known], minlength=n)
        copies = np.bincount(author[known & copy], minlength=n)
        first, last = np.full(n, np.iinfo(np.int64).max), np.full(n, np.iinfo(np.int64).min)
        np.minimum.at(first, author[known], time[known])
        np.maximum.at(last, author[known], time[known])
        hours = np.maximum((last - first) / HOUR, 1.0)
        fast = (posts >= 20) & (posts > self.settings.posts_an_hour * hours)
        copyist = (posts >= 8) & (copies > self.settings.copies * posts)
        verdict = np.append(fast | copyist, False)  # the last one: author unknown
        return np.asarray(verdict[author])

    def _balanced(self, kept: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], dict[str, int]]:
        """The posts of one pass, some left out and some repeated, so that languages have their shares."""
        names = list(self._languages)
        language = np.array(self._language, np.int64)[kept]
        have = np.bincount(language, minlength=len(names)).astype(float)
        wanted = self._shares(names, have)
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(have > 0, wanted * have.sum() / have, 0.0).clip(0, self.settings.most_repeats)[
                language
            ]
        chance = mix(self.keys()[kept]) / 2.0**64
        times = np.floor(rate + chance).astype(np.int64)
        # One round after another, so that the copies of a post are never in one sequence.
        rounds = [kept[times > turn] for turn in range(int(times.max(initial=0)))]
        chosen = np.concatenate(rounds) if rounds else kept[:0]
        if not chosen.size:
            raise SettingsError(
                'data.languages leaves no post to train on; name a language that was ingested, or "*"'
            )
        number, count = np.unique(np.array(self._language, np.int64)[chosen], return_counts=True)
        return chosen, {names[i]: int(c) for i, c in zip(number, count, strict=True)}

    def _shares(self, names: list[str], have: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Wanted part of each language, summing to 1 over those that are there."""
        settings = self.settings
        if not settings.languages:
            weight = np.where(have > 0, have**settings.smoothing, 0.0)
        else:
            others = np.array([name not in settings.languages for name in names])
            rest = settings.languages.get("*", 0.0)
            weight = np.array([settings.languages.get(name, 0.0) for name in names]) * (have > 0)
            weight += np.where(others, rest * have / max(have[others].sum(), 1.0), 0.0)
        return np.asarray(weight / max(weight.sum(), 1e-12))


def _terms(text: str) -> list[str]:
    return tokens(_VARIABLE_PARTS.sub(" ", text))


def post_key(post: Post) -> int:
    """A 64-bit name of one version of a post, kept beside its tokens so that it can be redacted: after an
    erasure, and after an edit too, since the text is part of the name."""
    return _hashed(f"{post.network}/{post.id}/{post.text}")


def account_key(network: str, author_id: str) -> int:
    """A 64-bit name of an account."""
    return _hashed(f"{network}/{author_id}")


def _hashed(name: str) -> int:
    raw = name.encode("utf-8", "replace")
    return zlib.crc32(raw) << 32 | zlib.crc32(raw[::-1])
