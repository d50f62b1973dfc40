"""Sentences that count nobody: "no one still missing", "plus aucun disparu", "keine Verletzten"."""

from collections.abc import Iterator, Sequence
from functools import cache

from trinch.answers import lexicon

_ANY = lexicon.NONE_WORDS
_JOINING = frozenset(("or", "nor", "ou", "ni", "o", "oder", "e", "et", "y", "und"))


def zeros(words: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """The quantities that folded words say nobody is counted in, each with the places of its first and last word.

    "No other injuries" counts none but those known before, and "no more bodies" those still found: they are no zero.
    """
    text, starts = " ".join(words), _starts(words)
    for found in lexicon.ALL_FOUND.finditer(text):
        yield "missing", _place(starts, found.start()), _place(starts, found.end() - 1)
    begun = {place: place for place, word in enumerate(words) if word in _ANY}
    for found in lexicon.NONE_PHRASES.finditer(text):
        begun[_place(starts, found.end() - 1)] = _place(starts, found.start())
    found_at = {
        at: (quantity, first)
        for place, first in begun.items()
        for quantity, first, at in _counted(words, first, place)
    }
    yield from ((quantity, first, at) for at, (quantity, first) in found_at.items())


def _counted(words: Sequence[str], first: int, place: int) -> Iterator[tuple[str, int, int]]:
    """What the words behind one that counts nobody count, "deaths or injuries" both."""
    found = False
    for here in range(place + 1, len(words)):
        word = words[here]
        quantity = _quantity(word)
        if quantity:
            yield quantity, first, here
            found = True
        elif (
            (word in lexicon.MORE and not _quantity_soon(words, here, "missing"))
            or not word.isalpha()
            or (found and word not in _JOINING)
        ) or word not in _IDLE:
            return


def _quantity_soon(words: Sequence[str], here: int, quantity: str) -> bool:
    return any(_quantity(word) == quantity for word in words[here + 1 : here + 2])


@cache
def _quantity(word: str) -> str:
    return next((name for name, members in lexicon.MEASURES.items() if word in members), "")


_OF_A_PART = frozenset(
    [
        "at",
        "in",
        "on",
        "our",
        "my",
        "his",
        "her",
        "their",
        "from",
        "how",
        "dans",
        "chez",
        "en",
        "em",
        "bei",
        "aus",
        "nel",
        "nella",
    ]
)
"""Words behind which only some are spoken of ("nobody at our schools was hurt")."""
_IDLE = (
    lexicon.ANY_STOPWORD
    | lexicon.FILLERS
    | lexicon.PEOPLE
    | lexicon.REPORTING
    | _JOINING
    | lexicon.STILL
    | {"one", "longer"}
) - _OF_A_PART


def _starts(words: Sequence[str]) -> list[int]:
    """Where each word starts in the words joined by blanks."""
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word) + 1
    return starts


def _place(starts: Sequence[int], at: int) -> int:
    """The place of the word that holds a character."""
    return max(n for n, start in enumerate(starts) if start <= at)
