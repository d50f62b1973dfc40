"""Whether a sentence gives a reason for what is asked, by its words and by which side of them the effect is on.

"A after B" and "A because of B" give a reason for A, "B led to A" too. A toll "after the blast" gives none for the
blast.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.question import Question, Term
from trinch.answers.reading import kindred
from trinch.posts.text import fold, query_terms, terms, tokens

STRONG, WEAK = 3, 1
"""How surely a sentence gives a reason: by a word that says so ("because"), or by one that may ("after")."""


class _Effect(NamedTuple):
    """What a question asks the reason of, as index terms."""

    said: frozenset[str]
    """Its words: the kind of event, else the other words, else the names."""
    kin: frozenset[str]
    """The same and words akin to them ("leave": resigns)."""
    names: frozenset[str]


def reason(question: Question, text: str, lang: str) -> int:
    """`STRONG` or `WEAK` where a sentence gives a reason for what a question asks, else 0."""
    return _reason(fold(text), lang if lang in lexicon.COMPLETE else "en", _effect(question.terms))


def is_met(question: Question, held: frozenset[str]) -> bool:
    """Whether index terms hold what is to be explained, or words akin to it, and a name of the question."""
    effect = _effect(question.terms)
    return not effect.kin.isdisjoint(held) and (not effect.names or not effect.names.isdisjoint(held))


@lru_cache(maxsize=16)
def _effect(asked: tuple[Term, ...]) -> _Effect:
    by_role = {role: [term for term in asked if term.role in roles] for role, roles in _ROLES.items()}
    words = by_role["event"] or by_role["word"]
    names = frozenset().union(*(term.forms for term in by_role["name"]))
    said = frozenset().union(*(term.forms for term in words)) or names
    near = {form for term in words for word in kindred(term.text) for form in query_terms(word)}
    return _Effect(said, said | near, names)


_ROLES = {"event": ("event",), "word": ("word", "aside"), "name": ("name", "part")}


@lru_cache(maxsize=4096)
def _reason(folded: str, lang: str, effect: _Effect) -> int:
    strong, weak, backward, nouns = _CUES[lang]

    def holds(part: str, wanted: frozenset[str]) -> bool:
        return not wanted.isdisjoint(terms(part, lang))

    for found in strong.finditer(folded):
        before, behind = folded[: found.start()], folded[found.end() :]
        if holds(before, effect.said) or not holds(behind, effect.said):
            return STRONG
    if any(holds(folded[found.end() :], effect.said) for found in backward.finditer(folded)):
        return STRONG
    if nouns.search(folded):
        return STRONG
    fronts = [folded[: found.start()] for found in weak.finditer(folded)]
    fronts = [part for part in fronts if (tokens(part) or [""])[-1] not in _SPANS[lang]]
    if any(holds(part, effect.kin) and (not effect.names or holds(part, effect.names)) for part in fronts):
        return WEAK
    return 0


_SPANS = {
    lang: frozenset(
        word
        for unit in ("minute", "hour", "day", "week", "month", "year")
        for word in lexicon.LANGUAGES[lang]["time"][unit].split()
    )
    for lang in lexicon.COMPLETE
}
"""Words in front of "after" that make it a time ("17 days after the collapse")."""


def _cue(lang: str, key: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(lexicon.LANGUAGES[lang]['reasons'][key])})\b")


_CUES = {
    lang: tuple(_cue(lang, key) for key in ("strong", "weak", "backward", "nouns"))
    for lang in lexicon.COMPLETE
}
