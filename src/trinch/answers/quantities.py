"""Numbers in a sentence together with what they count.

Owns reading "at least 87 dead", "toll tops 1,000", "82 muertos y 600 heridos" into figures: a value, how firm it
is, and its quantity. The dead, injured, missing, rescued, displaced and arrested are quantities of their own and
never mixed.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.zero_counts import zeros
from trinch.posts.text import fold, query_terms

REACH = 5
"""How many words, fillers not counted, may lie between a number and the word that says what it counts."""

_OF_THEM = frozenset(
    ("of", "including", "among", "incl", "dont", "entre", "parmi", "davon", "darunter", "tra", "incluidos")
)
"""Words that set a part of a number beside it ("91 dead, including 20 children")."""

_TOKEN = re.compile(r"[#@$]?\w+(?:['’]\w+|(?<=\d)[.,]\d+)*\+?|[.,;:!?]+(?=\s|$)|(?<=\s)[-–—|]+(?=\s)|[%&/]")
_NUMBER = re.compile(r"\d{1,3}(?:[., ]\d{3})+|\d+(?:\.\d+)?")
_BREAKS = frozenset(".;!?-–—|")


class Figure(NamedTuple):
    quantity: str
    """Key of `lexicon.MEASURES`, or `unit`."""
    value: float
    firm: str
    """`exact`, `over` (a floor), `near` (round, or not reached) or `feared` (a guess)."""
    start: int
    end: int
    """Where the number is in the text, in code points."""
    part: str = ""
    """Key of `lexicon.PARTS` where it counts only some of them ("8 children"); empty where it counts people."""


@lru_cache(maxsize=20_000)
def quantity_of(word: str) -> str:
    """Which quantity a folded word names; empty for none."""
    word = word.lstrip("#")
    return next((name for name, words in lexicon.MEASURES.items() if word in words), "")


_SCALED = re.compile(rf"([\d.,]*\d) ?({'|'.join(sorted(lexicon.SCALES, key=len, reverse=True))})")


@lru_cache(maxsize=20_000)
def value_of(word: str) -> float | None:
    """The number a folded token means: `1,127`, `1.127` and `1127` are 1127; `seven` is 7; `8mila` is 8000."""
    if word in lexicon.NUMBER_WORDS:
        return float(lexicon.NUMBER_WORDS[word])
    if scaled := _SCALED.fullmatch(word):
        few = (
            value_of(scaled[1].replace(",", "."))
            if re.fullmatch(r"\d+[.,]\d{1,2}", scaled[1])
            else value_of(scaled[1])
        )
        return few * lexicon.SCALES[scaled[2]] if few is not None else None
    word = word.removesuffix("+")
    if not _NUMBER.fullmatch(word):
        return None
    if re.fullmatch(r"\d{1,3}(?:[., ]\d{3})+", word):
        return float(re.sub(r"\D", "", word))
    return float(word)


def numbers(text: str) -> set[str]:
    """Every number of a text, digits only and separators of thousands removed, for comparison."""
    return {re.sub(r"(?<=\d)[.,](?=\d{3}\b)", "", found) for found in re.findall(r"\d+(?:[.,]\d+)*", text)}


class _Word(NamedTuple):
    folded: str
    start: int
    end: int


def _words(text: str) -> list[_Word]:
    """The words of a text; a number and the word that multiplies it ("5 mila") are one."""
    joined: list[_Word] = []
    for found in _TOKEN.finditer(text):
        word = _Word(fold(found[0]), *found.span())
        last = joined[-1] if joined else None
        if last and word.folded in lexicon.SCALES and last.folded[0].isdigit() and last.folded[-1].isdigit():
            joined[-1] = _Word(f"{last.folded} {word.folded}", last.start, word.end)
        else:
            joined.append(word)
    return joined


def _is_year(word: _Word, value: float) -> bool:
    return 1900 <= value <= 2100 and word.folded.isdigit()


def _named(word: str, unit: frozenset[str]) -> str:
    bare = word.lstrip("#")
    if unit and (bare in unit or not unit.isdisjoint(query_terms(bare))):
        return "unit"
    return quantity_of(word)


def _after(words: list[_Word], here: int, unit: frozenset[str]) -> tuple[str, int]:
    """The quantity named behind a number, and how far; a number or a stop on the way ends the search."""
    steps = 0
    away = False
    for place, word in enumerate(words[here + 1 :], here + 1):
        if words[place + 1 : place + 2] and words[place + 1].folded == "of" and value_of(word.folded):
            continue  # "91 people, 20 of them children, were killed"
        if words[place - 1].folded in _OF_THEM - {"of"} and value_of(word.folded) is not None:
            continue  # "12 people, including 2 officers, were killed"
        away = away or word.folded in lexicon.AWAY
        if word.folded[0] in _BREAKS or word.folded in "%:" or value_of(word.folded) is not None:
            break
        steps += word.folded not in lexicon.FILLERS
        if steps > REACH:
            break
        if word.folded in lexicon.MORE and steps <= 2:
            return "", steps
        if quantity := _named(word.folded, unit):
            if quantity == "unit" and (away or steps > 2):
                break
            return quantity, steps
    return "", REACH + 1


def _before(words: list[_Word], here: int) -> tuple[str, int]:
    """The quantity named in front of a number by a word that may stand there; farther off where the number is what
    something moves to ("toll from the Oklahoma City tornado rises to 91")."""
    steps = 0
    moved = any(word.folded in lexicon.MOVES for word in words[max(0, here - 3) : here])
    for word in reversed(words[:here]):
        if word.folded[0] in _BREAKS or (value_of(word.folded) is not None and "." not in word.folded):
            break  # but for a magnitude: "toll of the 7.8 quake now at 876"
        steps += not (
            word.folded in lexicon.FILLERS or word.folded in lexicon.AT_LEAST or word.folded in lexicon.NEARLY
        )
        if steps > (8 if moved else 3):
            break
        if word.folded.lstrip("#") in lexicon.TAKES_NEXT and (quantity := quantity_of(word.folded)):
            return quantity, max(steps, 1)
    return "", REACH + 1


def _part(words: list[_Word], here: int) -> str:
    """Which kind of people a number counts, by the words right behind it; empty for people."""
    if "of" in (word.folded for word in words[here + 1 : here + 2]):  # "7 of the dead are children"
        near = (lexicon.PART_OF.get(word.folded, "") for word in words[here + 2 : here + 6])
        return next(filter(None, near), "")
    for word in words[here + 1 : here + 4]:
        if word.folded[0] in _BREAKS | {","} or value_of(word.folded) is not None:
            break  # "reached 420, police say"
        if word.folded in lexicon.PEOPLE:
            break
        if part := lexicon.PART_OF.get(word.folded.lstrip("#"), ""):
            return part
        if quantity_of(word.folded) and word.folded not in lexicon.FILLERS:
            break
    return ""


def _of_which(words: list[_Word], here: int, found: list[Figure]) -> str:
    """The quantity of the number that a further one is part of: "91 dead, including 20 children"."""
    around = {word.folded for word in words[max(0, here - 2) : here + 3]}
    return found[-1].quantity if found and not around.isdisjoint(_OF_THEM) else ""


def _firmness(words: list[_Word], here: int, value: float) -> str:
    around = [word.folded for word in words[max(0, here - 3) : here]]
    close = around[-2:] + [word.folded for word in words[here + 1 : here + 4]]
    if any(word in lexicon.FEARED for word in close[:4]) and not any(word in _BREAKS for word in close):
        return "feared"
    if around[-2:] == ["up", "to"] and around[0] not in (
        "goes",
        "gone",
        "went",
        "climbs",
        "rises",
        "rose",
        "jumps",
        "shoots",
    ):
        return "near"
    if words[here].folded.endswith("+") or any(word in lexicon.AT_LEAST for word in around):
        return "over" if value % 10 == 0 else "exact"
    if any(word in lexicon.NEARLY for word in around):
        return "near"
    return "exact"


# One branch per reason to skip a number; splitting would hide that any of them is enough.
@lru_cache(maxsize=4096)
def figures(text: str, unit: frozenset[str] = frozenset()) -> tuple[Figure, ...]:  # noqa: C901 - see above
    """All counted numbers of `text` in order. `unit` holds further words that may be counted (as index terms)."""
    words = _words(text)
    none = [
        Figure(quantity, 0.0, "exact", words[first].start, words[last].end)
        for quantity, first, last in zeros([word.folded for word in words])
    ]
    if not any(value_of(word.folded) for word in words):
        return tuple(none)
    found: list[Figure] = []
    for here, word in enumerate(words):
        value = value_of(word.folded)
        if value is None or word.folded[0] in "#@$":
            continue
        following = words[here + 1].folded if here + 1 < len(words) else ""
        if following == "of" and _part(words, here):
            following = ""  # not "7 of 20"
        if following in (
            "%",
            "percent",
            "of",
            "year",
            "years",
            "yr",
            "month",
            "hours",
            "story",
            "storey",
            "days",
            "am",
            "pm",
        ) and (not unit or following not in unit):
            continue
        if following == "," and here and words[here - 1].folded == ",":
            continue  # "Martin Richard, 8, dies": an age
        if here and words[here - 1].folded in lexicon.NEGATIONS:
            continue  # "9 people died, not 11"
        if following in lexicon.MORE or (here and words[here - 1].folded in lexicon.MORE):
            continue  # "50 more bodies": a step, not a state
        behind, behind_steps = _after(words, here, unit)
        front, front_steps = _before(words, here)
        if (front and (not behind or front_steps < behind_steps)) or (
            front and front_steps == 1 and _is_active(words, here)
        ):
            quantity, steps = front, front_steps
        else:
            quantity, steps = behind, behind_steps
        part = _part(words, here)
        if not quantity and part:
            quantity, steps = _of_which(words, here, found), 1
        if not quantity or (
            _is_year(word, value) and (steps > 1 or words[here - 1].folded in lexicon.DATING)
        ):
            continue
        if quantity != "unit" and (value != int(value) or re.fullmatch(r"\d+\.\d{1,2}", word.folded)):
            continue  # nobody counts people in fractions: a magnitude
        found.append(Figure(quantity, value, _firmness(words, here, value), word.start, word.end, part))
    return tuple(sorted([*found, *none], key=lambda figure: figure.start))


def _is_active(words: list[_Word], here: int) -> bool:
    """Whether the measure word in front is one that always takes the number behind it ("kills", "toll")."""
    for word in reversed(words[max(0, here - 6) : here]):
        if word.folded.lstrip("#") in lexicon.TAKES_NEXT:
            return word.folded in lexicon.TAKES_OBJECT
    return False
