"""Whether a sentence says what a claim says, or the contrary.

A claim may turn on a word with an opposite ("safe": contaminated, in any language of the files): then the side of that
word in the sentence decides, turned by a negation in front of it and by a denial in its clause, so that "no evidence
that the water is unsafe" supports "the water is safe". Any other claim is contradicted by a negation or a denial of
its own words. Where a sentence says both or neither, it has no stance.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.negation import CUE, negates_at
from trinch.answers.question import Question
from trinch.posts.text import fold, query_terms, tokens

BARE = 2
"""Words of its own up to which a denial says nothing but that something else is not so ("that is fake")."""
_ENDS = r"[,;:.!?()\[\]—–…]+(?=\s|$)|\s-+\s"
_CLAUSE_END = {
    lang: re.compile(rf"{_ENDS}|\b(?:{'|'.join(sorted(lexicon.CLAUSES[lang]))})\b")
    for lang in lexicon.COMPLETE
}
_IDLE = lexicon.ANY_STOPWORD | lexicon.DENIAL_WORDS | lexicon.REPORTING | lexicon.NEGATING


class Claim(NamedTuple):
    """What a verdict is about."""

    terms: frozenset[str]
    """Index terms of what is claimed."""
    axis: str
    """Key of `lexicon.AXES` on which it takes a side; empty for none."""
    side: int
    """1 for the first pole of the axis or a plain claim, -1 for the second pole or a negated claim."""


def claim_of(question: Question, topic: str) -> Claim:
    """The claim of a yes-or-no question about a topic. "is it true that the water is not safe" claims that it is
    unsafe."""
    said = [term for term in question.terms if term.role in ("word", "event")]
    held = frozenset().union(*(term.forms for term in said or question.terms))
    names = {term.text for term in question.terms if term.role == "name"}
    words = tokens(fold(topic))
    poles = lexicon.POLES.get(question.lang, lexicon.POLES["en"])
    places = [n for n, word in enumerate(words) if word in poles and word not in names]
    if places:
        axis, side = poles[words[places[-1]]]
        return Claim(held, axis, -side if negates_at(words, places[-1]) else side)
    claimed = [n for n, word in enumerate(words) if not held.isdisjoint(query_terms(word))]
    return Claim(held, "", -1 if any(negates_at(words, n) for n in claimed) else 1)


def opposites(word: str, lang: str) -> frozenset[str]:
    """The words of both poles of the axis that a word is on, in its language and in English; empty for none."""
    pole = lexicon.POLES.get(lang, lexicon.POLES["en"]).get(word)
    if not pole:
        return frozenset()
    return frozenset().union(
        *(lexicon.AXES[pole[0]][each][side] for each in {lang, "en"} for side in (1, -1))
    )


def with_both_poles(question: Question) -> Question:
    """A question whose words with opposites are met by these too: a post that says the contrary is evidence."""
    terms = tuple(
        term._replace(forms=term.forms | _forms(pole[0]))
        if term.role != "name"
        and (pole := lexicon.POLES.get(question.lang, lexicon.POLES["en"]).get(term.text))
        else term
        for term in question.terms
    )
    return question._replace(terms=terms)


def without_poles(question: Question) -> Question:
    """A question without the words that have an opposite: what these are said of."""
    poles = lexicon.POLES.get(question.lang, lexicon.POLES["en"])
    return question._replace(terms=tuple(term for term in question.terms if term.text not in poles))


@lru_cache(maxsize=64)
def _forms(axis: str) -> frozenset[str]:
    words = frozenset().union(*(side for poles in lexicon.AXES[axis].values() for side in poles.values()))
    return frozenset(form for word in words - lexicon.AMBIGUOUS for form in query_terms(word))


@lru_cache(maxsize=4096)
def stance(claim: Claim, text: str, lang: str) -> int:
    """1 where a text says what is claimed, -1 where it says the contrary, 0 where it says neither, or both."""
    lang = lang if lang in lexicon.COMPLETE else "en"
    signs: list[int] = []
    loose = 1
    """-1 while a bare denial waits for the clause that it denies ("False: ...")."""
    for clause in _CLAUSE_END[lang].split(fold(text)):
        denied = claim.axis != "real" and bool(CUE.search(clause))
        words = tokens(CUE.sub(" ", clause)) if denied else tokens(clause)
        sign = _sign(claim, words, lang)
        if sign:
            signs.append(sign * (-1 if denied else 1) * loose)
            loose = 1
        elif denied and _is_bare(words):
            if signs:
                signs[-1] = -signs[-1]
            else:
                loose = -1
    if not signs and claim.axis == "real":  # "true" of a rumour: what it says is so
        return stance(claim._replace(axis=""), text, lang)
    return signs[0] * claim.side if signs and len(set(signs)) == 1 else 0


def _sign(claim: Claim, words: list[str], lang: str) -> int:
    """The side that a clause takes, 1 or -1, before any denial of it; 0 for none."""
    for place in range(len(words) - 1, -1, -1):
        word = words[place].lstrip("#")
        if claim.axis:
            side = lexicon.AXES[claim.axis][lang]
            sign = 1 if word in side[1] else -1 if word in side[-1] else 0
        else:
            sign = 0 if claim.terms.isdisjoint(query_terms(word)) else 1
        if sign:
            return -sign if negates_at(words, place) else sign
    return 0


def _is_bare(words: list[str]) -> bool:
    """Whether the words beside a denial say nothing of their own."""
    return len([word for word in words if word not in _IDLE]) <= BARE


def points_back(text: str) -> bool:
    """Whether a text denies what was said just before ("That is fake", "False!") and not something else ("Messages
    saying otherwise are false")."""
    folded = fold(text)
    cue = CUE.search(folded)
    if not cue or text.rstrip("\"”'").endswith("?"):
        return False
    words = tokens(CUE.sub(" ", folded))
    begins = not tokens(folded[: cue.start()]) or words[0] in lexicon.POINTING
    return begins and _is_bare(words) and lexicon.CONTRARY.isdisjoint(words)
