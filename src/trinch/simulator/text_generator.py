"""Generate the text of background posts.

Fills the clauses of `vocabulary.py`: closed word lists, and an open vocabulary of invented names whose
frequencies follow Zipf's law, so that like in real posts new words never stop coming.  A `Random` is handed in everywhere: the same state gives the same words.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from random import Random

from trinch.simulator.vocabulary import CLAUSES, WORDS, words

NAMES = 4_000_000
"""How many invented names there are. Ranks are drawn log-uniformly, which is Zipf's law with exponent 1."""

_ONSETS = words("b|br|c|cl|d|dr|f|g|gl|h|k|l|m|n|p|pr|r|s|st|t|tr|v|w|z")
_VOWELS = words("a|e|i|o|u|ae|ia|ou")
_CODAS = words("|l|n|r|s|m|nd|rt|sk|th|x")
_ENDINGS = words("a|an|by|den|el|en|field|ford|ia|in|is|mont|mouth|o|or|port|ra|sey|son|ton|us|wick|y")
_UNFORTUNATE = re.compile(
    "(?i)anal|anus|arse|bitch|clit|co[ck]k|cum|cunt|dic?k|fag|fu[ck]k?|gook|hitler|ku?m|nazi|nig|"
    "pen[iu]s|piss|porn|rape|semen|sex|sh[ia]t|slut|tit|twat|vagin|wank|whor|wop"
)
"""Syllables thrown together by dice must not hurt anyone."""
_SLOT = re.compile(r"\{(\w+)\}")

Filler = Callable[[Random], str]


@lru_cache(maxsize=200_000)
def name(rank: int) -> str:
    """The invented proper name of that rank, always the same; frequent names (small ranks) are short."""
    word = _spell(rank)
    while _UNFORTUNATE.search(word):
        rank += NAMES
        word = _spell(rank)
    return word


def _spell(rank: int) -> str:
    # A multiplicative hash keeps neighbours in rank from looking alike.
    code = rank * 2654435761 % 4294967296
    word, rest = "", rank
    while True:
        word += _ONSETS[code % 23 if rest > 23 else rest % 23] + _VOWELS[(code >> 5) % 8]
        word += _CODAS[(code >> 9) % 10]
        rest //= 700
        code = code * 1103515245 + 12345 & 0xFFFFFFFF
        if not rest:
            return (word + _ENDINGS[(code >> 13) % 23]).capitalize()


def any_name(rng: Random) -> str:
    return name(int(NAMES ** rng.random()))


def any_place(rng: Random) -> str:
    return _PLACE_HEADS[int(rng.random() ** 2 * 12)] + name(int(40_000 ** rng.random()) + 7)


def _number(rng: Random) -> str:
    return str(int(60 ** rng.random()) + 1)


def _clock(rng: Random) -> str:
    return f"{int(rng.random() * 24)}:{int(rng.random() * 60):02d}"


def _price(rng: Random) -> str:
    return f"{2 + int(400 ** rng.random())}.{int(rng.random() * 20) * 5:02d}€"


_PLACE_HEADS = ["", "", "", "", "", "", "Port ", "New ", "Lower ", "Saint ", "East ", "Upper "]
_CONTRACTIONS = {
    "de le ": "du ",
    "de les ": "des ",
    "à le ": "au ",
    "à les ": "aux ",
    "de el ": "del ",
    "a el ": "al ",
}
_CONTRACTED = re.compile(r"\b(?:de les|de le|à les|à le|de el|a el) ")
_VOWEL_AHEAD = re.compile(r"\b(a)(?= [aeiou])")


_ELIDED = re.compile(r"\b(d|qu)e (?=[aeéiou])")


def _contract(text: str) -> str:
    return _CONTRACTED.sub(lambda match: _CONTRACTIONS[match[0]], text)


def _agree_french(text: str) -> str:
    return _ELIDED.sub(r"\1'", _contract(text))


_AGREEMENT: dict[str, Callable[[str], str]] = {
    "en": lambda text: _VOWEL_AHEAD.sub("an", text),
    "fr": _agree_french,
    "es": _contract,
}
_OPEN: dict[str, Filler] = {
    "name": any_name,
    "place": any_place,
    "n": _number,
    "goals": lambda rng: str(int(rng.random() ** 2 * 5)),
    "clock": _clock,
    "price": _price,
}


def _closed(choices: list[str]) -> Filler:
    size = len(choices)
    return lambda rng: choices[int(rng.random() ** 2 * size)]  # the first words come up more often


class Language:
    """One language's clauses, ready to fill."""

    def __init__(self, code: str) -> None:
        self.code = code
        lists = {slot: words(joined) for slot, joined in WORDS[code].items()}
        self._fillers: dict[str, Filler] = {slot: _closed(words) for slot, words in lists.items()} | _OPEN
        self.topics = lists["topic"]
        self.emoji = lists["emoji"]
        self.openers = lists.get("opener", [])
        self._agree = _AGREEMENT.get(code)
        self._clauses = [self.template(clause) for clause in CLAUSES[code]]

    def template(self, clause: str) -> tuple[str, tuple[Filler, ...]]:
        """Split a clause with `{slots}` into a format string and what fills it, in order."""
        fillers = tuple(self._fillers[slot] for slot in _SLOT.findall(clause))
        return _SLOT.sub("%s", clause.replace("%", "%%")), fillers

    def fill(self, template: tuple[str, tuple[Filler, ...]], rng: Random) -> str:
        form, fillers = template
        text = form % tuple([fill(rng) for fill in fillers])
        return self._agree(text) if self._agree else text

    def one_of(self, clauses: tuple[str, ...], rng: Random) -> str:
        """One of these clauses, filled."""
        return self.fill(self.template(clauses[int(rng.random() * len(clauses))]), rng)

    def clause(self, rng: Random) -> str:
        return self.fill(self._clauses[int(rng.random() * len(self._clauses))], rng)

    def say(self, rng: Random) -> str:
        """One post's worth of chatter: one to three clauses, in one of the ways people write."""
        text = self.clause(rng)
        style = rng.random()
        if style < 0.12 and self.openers:
            text = f"{self.openers[int(rng.random() * len(self.openers))]} {text}"
        if len(text) < 60 or style > 0.3:
            stop = "。" if self.code == "ja" else ". " if style < 0.8 else "\n"
            text = f"{text}{stop}{self.clause(rng)}"
        if style > 0.85 and len(text) < 160:
            text = f"{text}, {self.clause(rng)}"
        if 0.3 < style < 0.85:
            text = text[0].upper() + text[1:]
        return text

    def decorate(self, text: str, rng: Random) -> str:
        """Perhaps an ending, an emoji, a hashtag or two."""
        chance = rng.random()
        if chance < 0.18:
            text += " " + self.emoji[int(rng.random() ** 2 * len(self.emoji))] * (1 + int(rng.random() * 2.3))
        elif chance < 0.28:
            text += "!!" if chance < 0.22 else "..."
        if chance > 0.76:
            text += " #" + self.topics[int(rng.random() ** 2 * len(self.topics))]
            if chance > 0.88:
                text += " #" + any_name(rng)
        return text


@lru_cache(maxsize=1)
def languages() -> dict[str, Language]:
    return {code: Language(code) for code in CLAUSES}
