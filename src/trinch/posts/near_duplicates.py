"""Near-copies: reposts by hand, copy-paste, cut or decorated quotations of the same text.

Owns two ways to find candidates, which `similar` then compares exactly. `probes` are the runs of words by which an
index of all posts is asked for copies of one. The *sketch* of a text is a few short tokens that copies share and other
texts do not, for one pass over posts without an index. Knows neither the index nor how texts are cut into terms:
`terms` are folded word tokens in the order of the text, `#tags`, `@users`, `$cash` and emoji among them, links left
out; then its tags and tickers again, with their sign.

The sketch is a bottom-k sample, as in Broder, "On the resemblance and containment of documents" (1997),
but of words: the few with the smallest hashes are anchors, and each token is an anchor with the words that
follow it. One more token encodes the way the text begins, which survives being cut.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import pairwise

SHORT = 4
"""Texts of fewer content words are copies only when these are the same."""
OPENING = 6
"""Words of the beginning that make one token."""
SAMPLE = 4
"""Anchors, each making one token with the three words behind it."""
RUN, RUNS = 3, 6
"""Words of a run by which copies are looked for in an index, and how many runs."""
PART = 0.5
"""A text that has less than this share of the other's words is a part of it, not a copy."""
COPY = 0.7
"""From this `similar` on, one text is a copy of the other (measured: docs/formats.md)."""

_MARKS = {"rt", "mt", "via", "cc", "ht"}
"""What people put before or behind the name of the author they repeat."""
_DECISIVE = frozenset(
    [
        "not",
        "no",
        "never",
        "none",
        "false",
        "fake",
        "hoax",
        "untrue",
        "rumor",
        "rumour",
        "debunked",
        "denied",
        "denies",
        "deny",
        "isnt",
        "wasnt",
        "arent",
        "werent",
        "dont",
        "doesnt",
        "didnt",
        "cant",
        "wont",
        "pas",
        "non",
        "faux",
        "jamais",
        "dement",
        "falso",
        "nunca",
        "nicht",
        "kein",
        "keine",
        "falsch",
        "nao",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "twenty",
        "thirty",
        "hundred",
        "thousand",
        "deux",
        "trois",
        "quatre",
        "cinq",
        "sept",
        "huit",
        "dix",
        "dos",
        "tres",
        "cuatro",
        "cinco",
        "ocho",
        "diez",
        "zwei",
        "drei",
        "vier",
        "zehn",
    ]
)
"""Denials and small numbers in the languages we meet most: changing one changes what is said."""


def _content(term: str) -> str:
    """The word of a term; empty where it is a mark, a name or a picture."""
    if term[:1] == "@" or term in _MARKS:
        return ""
    word = term.removeprefix("#")
    return word if any(map(str.isalnum, word)) else ""


def _is_fact(word: str) -> bool:
    """Words that copies must agree on: numbers, tickers, denials."""
    return word[0] == "$" or word in _DECISIVE or any(map(str.isdigit, word))


class _Words(dict[str, int]):
    """60-bit hashes of content words, odd for facts; 0 for what is no content. A bounded cache: words are
    few, texts are many."""

    LIMIT = 2**17

    def __missing__(self, term: str) -> int:
        if len(self) >= self.LIMIT:
            self.clear()
        hashed = 0
        if word := _content(term):
            digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            hashed = int.from_bytes(digest, "big") >> 5 << 1 | _is_fact(word)
        self[term] = hashed
        return hashed


_words = _Words()
_hash = _words.__getitem__
_TOKEN = 2**28 - 1


def sketch(terms: Sequence[str]) -> tuple[str, ...]:
    """At most SAMPLE + 1 tokens of 7 characters; near-copies share at least one with high probability.

    A text without content words has none, and so is a copy of nothing."""
    words = [word for word in map(_hash, terms) if word]
    if len(words) < SHORT:
        # Multiplying by odd numbers that grow keeps the order of the words in their sum.
        mixed = sum(word * (2 * place + 3) for place, word in enumerate(words, len(words)))
        return (f"{mixed & _TOKEN:07x}",) if words else ()
    anchors = sorted(range(len(words) - SHORT + 1), key=words.__getitem__)[:SAMPLE]
    found = [
        f"{(words[i] + 3 * words[i + 1] + 5 * words[i + 2] + 7 * words[i + 3]) & _TOKEN:07x}" for i in anchors
    ]
    opening = 1
    for word in words[:OPENING]:
        opening = 3 * opening + word
    found.append(f"{opening & _TOKEN:07x}")
    return tuple(found)


def probes(terms: Sequence[str], df: Callable[[str], int]) -> list[tuple[str, ...]]:
    """The runs of RUN terms by which near-copies of a text are found in an index, at most RUNS of them: the first, and
    those with the rarest words, apart from each other as far as there are enough. Of a text of fewer than SHORT content
    words one run, all of these words; none of a text without. `df` is the number of texts that contain a term."""
    words = [term for term in terms if _hash(term)]
    if len(words) < SHORT:
        return [tuple(words)] if words else []
    running = [term for term in terms if term[0] not in "#$" or len(term) == 1]
    runs = [tuple(running[start : start + RUN]) for start in range(len(running) - RUN + 1)]
    starts = [start for start, run in enumerate(runs) if all(map(_hash, run))] or list(range(len(runs)))
    if not starts:
        return [tuple(running)]
    rarity = {start: min(map(df, runs[start])) for start in starts}
    chosen = starts[:1]
    for apart in (RUN, 1):
        for start in sorted(starts, key=rarity.__getitem__):
            if len(chosen) < RUNS and all(abs(start - other) >= apart for other in chosen):
                chosen.append(start)
    return [runs[start] for start in chosen]


def similar(a: Sequence[str], b: Sequence[str]) -> float:
    """How much of the shorter text is, in the same order, in the longer: 0 to 1.

    0 where a fact differs, that is a number, a ticker or a denial; facts that follow where the shorter text
    ends do not count, as it may be cut. Copies are those of COPY or more. Symmetric."""
    short = [word for word in map(_hash, a) if word]
    long = [word for word in map(_hash, b) if word]
    if short == long:
        return 1.0 if short else 0.0
    if (len(short), short) > (len(long), long):
        a, b, short, long = b, a, long, short
    if len(short) < SHORT or len(short) < PART * len(long):
        return 0.0
    if short[-1] not in long and _is_cut(a, b):
        short = short[:-1]
    if not _agree(short, long):
        return 0.0
    # One changed word costs two pairs of neighbours.
    pairs = set(pairwise(short))
    return len(pairs.intersection(pairwise(long))) / len(pairs)


def _is_cut(short: Sequence[str], long: Sequence[str]) -> bool:
    """Whether the last word is the beginning of a word of the other text."""
    last = next(_content(term) for term in reversed(short) if _hash(term))
    return any(_content(term).startswith(last) for term in long)


def _agree(short: Sequence[int], long: Sequence[int]) -> bool:
    facts = {word for word in short if word & 1}
    others = {word for word in long if word & 1}
    if facts == others:
        return True
    if len(long) - len(short) < 2 or not facts < others:
        return False
    words = set(short)
    end = max((place for place, word in enumerate(long) if word in words), default=-1)
    return facts.issuperset(word for word in long[: end + 1] if word & 1)
