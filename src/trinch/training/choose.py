"""Which posts are trained on: no reposts, bots or near-duplicates, and languages in balance.

Owns those judgements over a whole collection of posts; docs/training.md states them in words. Knows nothing
of tokens or files. A post is looked at once, in the order of the log, and leaves about 60 bytes behind.
"""

import re
import zlib
from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trinch.posts.event import Post
from trinch.training.order import mix
from trinch.training.scrub import scrub
from trinch.training.settings import Data, SettingsError

HOUR = 3_600_000_000
_NOISE = re.compile(r"<\w+>|@user|[\W\d_]+")
_BANDS, _ROWS = 6, 8
_SEEDS = mix(np.arange(1, _BANDS * _ROWS + 1, dtype=np.uint64))


def fingerprint(text: str) -> list[bytes]:
    """Six keys of a scrubbed text; two texts that share one are near-duplicates.

    MinHash over runs of three words (Broder 1997), 48 hashes in 6 bands of 8: texts sharing 90 % of their
    runs meet with probability 0.97, 80 % 0.67, half 0.02. Letters only: case, numbers, links and names do not
    count.
    """
    words = _NOISE.sub(" ", text.lower()).split()
    if len(words) < 4:
        return [" ".join(words).encode() or text.encode()]
    runs = {zlib.crc32(" ".join(run).encode()) for run in zip(words, words[1:], words[2:], strict=False)}
    hashes = np.fromiter(runs, np.uint64, len(runs))
    least = mix(hashes[:, None] ^ _SEEDS).min(axis=0).reshape(_BANDS, _ROWS)
    return [bytes([band]) + row.tobytes() for band, row in enumerate(least)]


@dataclass
class Chosen:
    """The verdict on posts 0..n-1: `train` and `held_out` are their numbers, in the order to be written."""

    train: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]
    held_out_from: int
    """Microseconds: posts created at or after this were held out."""
    counts: dict[str, int]
    """What happened to how many."""
    languages: dict[str, int]
    """Posts by language in one training pass, after balancing."""


class Chooser:
    """Sees each post once (`add`), then gives the verdict (`choose`)."""

    def __init__(self, settings: Data) -> None:
        self.settings = settings
        self._counts = dict.fromkeys(("read", "repost", "short", "near_duplicate", "bot"), 0)
        self._time = array("q")
        self._author = array("q")
        self._language = array("q")
        self._key = array("Q")
        self._copy = bytearray()
        self._authors: dict[str, int] = {}
        self._languages: dict[str, int] = {}
        self._seen: set[int] = set()

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
        keys = {
            int.from_bytes(zlib.crc32(k).to_bytes(4) + zlib.adler32(k).to_bytes(4)) for k in fingerprint(text)
        }
        copy = not self._seen.isdisjoint(keys)
        self._seen |= keys
        author = (
            self._authors.setdefault(f"{post.network}/{post.author_id}", len(self._authors))
            if post.author_id
            else -1
        )
        self._time.append(post.created_at)
        self._author.append(author)
        self._language.append(self._languages.setdefault(post.lang or "und", len(self._languages)))
        self._key.append(post_key(post))
        self._copy.append(copy)
        return text

    def choose(self) -> Chosen:
        """The verdict over all posts added. Raises SettingsError when too little is left to train on."""
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
                f"too few posts to train on: {counts}; drink more, or loosen the [data] settings"
            )
        kept = kept[np.argsort(time[kept], kind="stable")]
        edge = int(time[kept[int(kept.size * (1 - self.settings.held_out))]])
        old, new = kept[time[kept] < edge], kept[time[kept] >= edge]
        if not old.size:
            raise SettingsError(
                "all posts have the same time, so none can be held out as newer; check their created_at"
            )
        train, languages = self._balanced(old)
        return Chosen(train, new, edge, counts | {"held_out": new.size}, languages)

    def keys(self) -> npt.NDArray[np.uint64]:
        """`post_key` of every post added."""
        return np.array(self._key, np.uint64)

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
        # One round after another, so that the copies of a post never stand in one sequence.
        rounds = [kept[times > turn] for turn in range(int(times.max(initial=0)))]
        chosen = np.concatenate(rounds) if rounds else kept[:0]
        if not chosen.size:
            raise SettingsError(
                'data.languages leaves no post to train on; name a language that was drunk, or "*"'
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


def post_key(post: Post) -> int:
    """A 64-bit name of one version of a post, kept beside its tokens so that it can be struck out: after an
    erasure, and after an edit too, since the text is part of the name."""
    name = f"{post.network}/{post.id}/{post.text}".encode("utf-8", "replace")
    return zlib.crc32(name) << 32 | zlib.crc32(name[::-1])
