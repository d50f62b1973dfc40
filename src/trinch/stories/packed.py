"""The topical terms of many posts as numbers: what the index of terms stores, and what windows and days are counted by.

A word is stored as a 32-bit hash, in reading order. The lowest bit is set where it counts on its own, and not where it
counts only as part of a pair. 0 means everything that no pair reaches over: stop words, numbers, users. Pairs of
neighbours are not stored; their hashes are computed from those of their words.
"""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from trinch.posts.text import terms
from trinch.stories.words import LENGTH, Role, role

OPENING = 7
"""Words of the beginning by which copies are recognised; a copy may be cut."""

Hashes = NDArray[np.uint32]
Places = NDArray[np.int64]

_PAIR = 0x9E3779B1
"""Odd, 2^32 divided by the golden ratio (Knuth, The Art of Computer Programming 3, section 6.4)."""
_MASK = 0xFFFFFFFF
_POSITIONS = np.array([pow(0x9E3779B97F4A7C15, n, 2**64) for n in range(1, OPENING + 1)], dtype=np.uint64)


def pack(text: str, lang: str) -> bytes:
    """The words of a text; empty where no word of it is topical."""
    packed = array("I", map(term_hash, terms(text[:LENGTH], lang))).tobytes()
    return packed if packed.strip(b"\0") else b""


def mark_hash(mark: str) -> int:
    """The hash of a tag or a link."""
    return crc32(mark.encode("utf-8", "surrogatepass"))


@lru_cache(maxsize=100_000)
def term_hash(term: str) -> int:
    """The hash of a term of `words.topical`."""
    if " " in term:
        left, _, right = term.partition(" ")
        return (_hash(left) * _PAIR + _hash(right)) & _MASK
    return _hash(term)


def _hash(word: str) -> int:
    found = role(word)
    if found is Role.BREAK:
        return 0
    return (mark_hash(word) & ~1 | (found is Role.WORD)) or 2


class Terms(NamedTuple):
    """The distinct terms of some texts, sorted by text: in each place a text and the hash of a term of it.

    `left` and `right` are the hashes of the words of a pair, and twice the term itself where it is one word."""

    text: Places
    hash: Hashes
    left: Hashes
    right: Hashes


def unpack(packed: Sequence[bytes]) -> Terms:
    """The terms of texts given by their packed words."""
    words, owner = _flat(packed)
    single = (words & 1).astype(bool)
    pair = np.flatnonzero((words[:-1] != 0) & (words[1:] != 0) & (owner[:-1] == owner[1:]))
    left, right = words[pair], words[pair + 1]
    text = np.concatenate([owner[single], owner[pair]])
    hashes = np.concatenate([words[single], left * np.uint32(_PAIR) + right])
    _, first = np.unique((text.astype(np.uint64) << np.uint64(32)) | hashes, return_index=True)
    lefts, rights = np.concatenate([words[single], left]), np.concatenate([words[single], right])
    return Terms(text[first], hashes[first], lefts[first], rights[first])


def openings(packed: Sequence[bytes]) -> NDArray[np.uint64]:
    """For each text a hash of its first OPENING words; 0 for a text without words."""
    words, owner = _flat(packed)
    kept = np.flatnonzero(words)
    words, owner = words[kept], owner[kept]
    starts = np.searchsorted(owner, np.arange(len(packed)))
    number = np.arange(len(words)) - starts[owner]
    early = number < OPENING
    found = np.zeros(len(packed), dtype=np.uint64)
    np.add.at(found, owner[early], words[early].astype(np.uint64) * _POSITIONS[number[early]])
    return found


def _flat(packed: Sequence[bytes]) -> tuple[Hashes, Places]:
    """All words, and the text that each belongs to."""
    lengths = np.fromiter((len(one) // 4 for one in packed), dtype=np.int64, count=len(packed))
    return np.frombuffer(b"".join(packed), dtype=np.uint32), np.repeat(np.arange(len(packed)), lengths)
