"""Whether a sentence would fit its post better with two of its names exchanged: then they are in each other's place."""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.verify import meanings
from trinch.answers.verify.alignment import Alignment
from trinch.answers.verify.reading import Text
from trinch.answers.verify.roles import is_somebody

NEAR = 6
"""Words on each side of a name that are its neighbours."""
MARGIN = 0.2
"""How much better the exchanged names must fit."""
SIDE = 0.35
"""What it adds to the fit of a neighbour that it is on the same side of the name in both texts."""
PLACED = 0.5
"""What it adds to a fit that the name is behind a preposition of the same kind in both texts."""

_KINDS = (
    lexicon.words("in at near on en a em no na bei im am nel nella dans presso cerca off across"),
    lexicon.words("from von aus da desde de di du"),
    lexicon.words("by por par dal dalla von vom"),
    lexicon.words("to for toward towards para nach zu an"),
    lexicon.words("of de di du des del della do"),
    lexicon.words("against contra contre contro gegen"),
)
_BETWEEN = lexicon.words("the a an la el le les los las il lo der die das dem den o os as")


class Unit(NamedTuple):
    """Neighbouring names, or one word for somebody: the words of one text."""

    first: int
    last: int


def exchanged(aligned: Alignment) -> str:
    """Two names of a sentence that fit a post better in each other's place."""
    said = aligned.said
    for a, b in combinations(_units(aligned), 2):
        if said.words[a.last].name != said.words[b.last].name or not _one_part(said, a, b):
            continue
        straight, crossed = _fits(aligned, a, b)
        if crossed > straight + MARGIN:
            one, other = said.words[a.last].folded, said.words[b.last].folded
            return f"in the post {one} and {other} are in each other's place"
    return ""


def _fits(aligned: Alignment, a: Unit, b: Unit) -> tuple[float, float]:
    """How well two units fit the post that they fit best, as they are and exchanged; only posts that have both count."""
    straight = crossed = 0.0
    for p in range(len(aligned.posts)):
        there, others = _places(aligned, a, p), _places(aligned, b, p)
        if there and others and not set(there) & set(others):
            straight = max(straight, _fit(aligned, p, a, b, there) + _fit(aligned, p, b, a, others))
            crossed = max(crossed, _fit(aligned, p, a, b, others) + _fit(aligned, p, b, a, there))
    return straight, crossed


def _one_part(said: Text, a: Unit, b: Unit) -> bool:
    """Whether two units are in one clause, or in neighbouring ones, and not joined by "and"."""
    between = {word.folded for word in said.words[a.last + 1 : b.first]} - _BETWEEN
    return said.words[b.first].clause - said.words[a.last].clause <= 1 and not between <= _AND


_AND = lexicon.words("and or y e et ou und oder o")


def _units(aligned: Alignment) -> Iterator[Unit]:
    said = aligned.said
    start = None
    for n, word in enumerate(said.words):
        held = n in aligned.content and (word.name or is_somebody(said, n)) and not aligned.is_number(n)
        following = (
            n + 1 < len(said.words) and said.words[n + 1].name and said.words[n + 1].clause == word.clause
        )
        if held and start is None:
            start = n
        if start is not None and not (held and word.name and following):
            if held:
                yield Unit(start, n)
            start = None


def _places(aligned: Alignment, unit: Unit, post: int) -> list[int]:
    """Where a post has one of the words of a unit."""
    return [at for n in range(unit.first, unit.last + 1) for at, _ in aligned.matches(n, post) if at >= 0]


def _fit(aligned: Alignment, post: int, unit: Unit, without: Unit, places: Sequence[int]) -> float:
    """How well the neighbours of a unit in the sentence are also near to some places of a post; the best place counts."""
    said, text = aligned.said, aligned.posts[post]
    around = []
    for n in range(max(0, unit.first - NEAR), min(len(said.words), unit.last + NEAR + 1)):
        if n not in aligned.content or unit.first <= n <= unit.last or without.first <= n <= without.last:
            continue
        away = unit.first - n if n < unit.first else n - unit.last
        found = [at for at, _ in aligned.matches(n, post) if at >= 0]
        if found:
            around.append((n < unit.first, away, found))
    kind = _kind(said, unit.first)
    turned = _passive(said) != _passive(text)
    best = 0.0
    for place in places:
        total = PLACED if kind >= 0 and kind == _kind(text, place) else 0.0
        for before, away, found in around:
            at = min(found, key=lambda each: abs(each - place))
            if at == place:
                continue
            near = 1.0 / abs(at - place) + (SIDE if ((at < place) == before) != turned else 0.0)
            total += near / away
        best = max(best, total)
    return best


def _passive(text: Text) -> bool:
    """Whether an English text says by whom something is done, so that who does it is behind the verb."""
    return text.lang == "en" and any(
        b.folded == "by" and meanings.is_past(a.folded) for a, b in pairwise(text.words)
    )


def _kind(text: Text, n: int) -> int:
    """The kind of the preposition in front of a word; -1 for none."""
    at = n - 1
    while at >= 0 and (text.words[at].folded in _BETWEEN or text.words[at].name):
        at -= 1
    return next((k for k, kind in enumerate(_KINDS) if at >= 0 and text.words[at].folded in kind), -1)
