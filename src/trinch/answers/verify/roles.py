"""Who did what to whom: the sides of a verb in a sentence and in the post that carries it."""

from collections.abc import Iterator
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.verify import meanings
from trinch.answers.verify.alignment import Alignment, Evidence
from trinch.answers.verify.meanings import SPEAKERS
from trinch.answers.verify.reading import Text

ACTIVE, PASSIVE = "active", "passive"

_BY = lexicon.words("by por par da dal dalla dai dagli dalle von vom")
_BEING = lexicon.words(
    "be is are was were been being gets got get s re fue fueron ser sido sera siendo foi foram sendo est sont ete etre "
    "e stato stata stati state sono viene vengono wurde wurden worden wird werden"
)
_APART = lexicon.words(
    "in at near on after before during since from behind within without over under across inside outside into en tras "
    "desde durante cerca dans apres pendant depuis pres nel nella dopo durante presso bei nach seit im am aus em na no apos"
)
"""Prepositions behind which a word is neither who did it nor to whom."""
_ACTIONS = lexicon.words(
    "die hurt rescue arrest release charge convict shoot attack kidnap hit win lose elect nominate send give ask demand warn "
    "deny threaten try rob replace visit buy sell help block find accuse honour investigate search flee evacuate"
)
_PEOPLE = SPEAKERS | lexicon.words(
    "people man woman child teen student mother father son daughter brother sister wife husband family worker hostage "
    "suspect victim soldier team party nurse teacher"
)
SPAN = 8
"""Words on each side of a verb that may have a role in what it says."""
NOTHING = frozenset[int]()


class Roles(NamedTuple):
    """The words on the two sides of what a verb says; without a voice they are not known apart."""

    doers: frozenset[int]
    done_to: frozenset[int]
    voice: str


def swapped_roles(aligned: Alignment, clause: int, found: Evidence) -> str:
    """Two names or things with the other roles in a verb than in the post, or a doer that the post does not give."""
    said, post = aligned.said, aligned.posts[found.post]
    for n in aligned.clause_words(clause):
        if not _is_verb(said, n):
            continue
        mine = _roles(said, n)
        for at in _verbs_of(aligned, n, found):
            given = _roles(post, at)
            if not mine.voice or not given.voice:
                continue
            if _crossed(aligned, found.post, mine, given):
                return "the post has these two the other way round"
            if mine.voice == ACTIVE and given.voice == PASSIVE and not given.doers:
                doer = max(mine.doers, default=-1)
                if doer >= 0 and _is_somebody(said, doer):
                    return f"the post does not say that {said.words[doer].folded} did it"
    return ""


def _crossed(aligned: Alignment, post: int, mine: Roles, given: Roles) -> bool:
    """Whether a word has the other role than in the post, and the post's word of its role is another one of the sentence."""

    def places(among: frozenset[int]) -> set[int]:
        return {at for n in among if n in aligned.content for at, _ in aligned.matches(n, post)}

    doers, done_to = places(mine.doers), places(mine.done_to)
    wrong_doer = bool(doers & given.done_to) and not doers & given.doers
    wrong_object = bool(done_to & given.doers) and not done_to & given.done_to
    return (wrong_doer and wrong_object) or (
        wrong_doer
        and given.doers != NOTHING
        and any(_is_somebody(aligned.posts[post], at) for at in doers & given.done_to)
    )


def _verbs_of(aligned: Alignment, n: int, found: Evidence) -> Iterator[int]:
    """The verbs of the evidence's sentence that say what the `n`th word says."""
    post = aligned.posts[found.post]
    for at, _ in aligned.matches(n, found.post):
        if at >= 0 and post.words[at].sentence == found.sentence and _is_verb(post, at):
            yield at


def _is_verb(text: Text, n: int) -> bool:
    word = text.words[n]
    if text.lang == "en":
        before = text.words[n - 1].folded if n else ""
        noun = before in ("the", "a", "an", "of", "his", "her", "their", "its", "in")
        return not noun and meanings.is_verb(word.folded)
    return not word.name and bool(word.concepts & _ACTIONS)


def _roles(text: Text, verb: int) -> Roles:
    voice = _voice(text, verb)
    clause = text.words[verb].clause
    front = _nouns(text, range(verb - 1, max(-1, verb - 1 - SPAN), -1), clause)
    behind = _nouns(text, range(verb + 1, min(len(text.words), verb + 1 + SPAN)), clause)
    if voice != PASSIVE:
        return Roles(front, behind, voice)
    by = next(
        (n for n in range(verb + 1, min(len(text.words), verb + 1 + SPAN)) if text.words[n].folded in _BY), -1
    )
    return Roles(frozenset(n for n in behind if 0 <= by < n), front, voice)


def _nouns(text: Text, among: range, clause: int) -> frozenset[int]:
    """The words of a side, as far as its clause goes, that no preposition sets apart."""
    found: list[int] = []
    for n in among:
        word = text.words[n]
        if word.clause != clause:
            break
        if word.folded in _APART:
            if among.step > 0:
                break
            found = [m for m in found if m > n + 3]  # what the preposition governs is between it and the verb
            continue
        found.append(n)
    return frozenset(found)


def _voice(text: Text, verb: int) -> str:
    front = {word.folded for word in text.words[max(0, verb - 3) : verb]}
    behind = [word.folded for word in text.words[verb + 1 : verb + 4]]
    if text.lang == "en":
        past = meanings.is_past(text.words[verb].folded)
        if past and (front & _BEING or "by" in behind):
            return PASSIVE
        following = behind[0] if behind else ""
        plain = (
            not following
            or following in _APART
            or following in ("to", "as", "dead", "and", "by", "for", "with")
        )
        return "" if past and plain else ACTIVE
    agent = bool(
        set(behind) & _BY or {w.folded for w in text.words[max(0, verb - 5) : verb]} & _BY & {"von", "vom"}
    )
    return PASSIVE if front & _BEING and agent else "" if front & _BEING else ACTIVE


def _is_somebody(text: Text, n: int) -> bool:
    word = text.words[n]
    return word.name or bool(word.concepts & _PEOPLE)
