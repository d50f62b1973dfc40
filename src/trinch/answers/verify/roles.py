"""Who did what to whom: the sides of a verb in a sentence and in the post that carries it."""

from collections.abc import Iterator
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.verify import meanings
from trinch.answers.verify.alignment import Alignment, Evidence
from trinch.answers.verify.meanings import SPEAKERS, SPEECH
from trinch.answers.verify.reading import Text

ACTIVE, PASSIVE = "active", "passive"

_BY = lexicon.words("by por par da dal dalla dai dagli dalle von vom")
_BEING = lexicon.words(
    "be is are was were been being gets got get s re fue fueron ser sido sera siendo foi foram sendo est sont ete etre "
    "e stato stata stati state sono viene vengono wurde wurden worden wird werden"
)
_BEING_ENGLISH = lexicon.words("be is are was were been being gets got get s re")
_APART = lexicon.words(
    "amid amidst despite as while in at near on after before during since from behind within without over under across inside outside into en tras "
    "desde durante cerca dans apres pendant depuis pres nel nella dopo durante presso bei nach seit im am aus em na no apos"
)
"""Prepositions behind which a word is neither who did it nor to whom."""
_TOWARDS = lexicon.words("on at against of contra contre contro auf gegen")
_ARTICLES = lexicon.words(
    "a an the his her their its this that el la los las un una le les der die das den dem ein eine il lo"
)
_RELATIVE = lexicon.words("that which who whom whose que qui che dass")
_ACTIONS = lexicon.words(
    "die hurt rescue arrest release charge convict shoot attack kidnap hit win lose elect nominate send give ask demand warn "
    "deny threaten try rob replace visit buy sell help block find accuse honour investigate search flee evacuate"
)
_PEOPLE = SPEAKERS | lexicon.words(
    "people man woman child teen student mother father son daughter brother sister wife husband family worker hostage "
    "suspect victim soldier team party nurse teacher"
)
_DONE_TO = lexicon.words("shoot hurt arrest charge convict kidnap rescue release elect evacuate")
"""What is done to whom a bare participle of a headline follows ("soldier shot at memorial")."""
SPAN = 8
"""Words on each side of a verb that may have a role in what it says."""


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
        if mine.voice == ACTIVE and (target := _target(aligned, n, mine, found)):
            return f"in the post {target} is not who did it, but to whom"
        for at in _verbs_of(aligned, n, found):
            if _other_patient(aligned, found.post, mine, at) or _in_other_order(
                aligned, found.post, mine, at
            ):
                return "the post has these two the other way round"
            given = _roles(post, at)
            if not mine.voice or not given.voice:
                continue
            if _crossed(aligned, found.post, mine, given):
                return "the post has these two the other way round"
            if doer := _other_doer(aligned, found.post, (n, mine), (at, given)):
                return f"the post does not say that {doer} did it"
    return ""


def _target(aligned: Alignment, n: int, mine: Roles, found: Evidence) -> str:
    """The doer of the sentence's verb that the post has behind a noun for it ("attack on the convoy"); empty for none."""
    post = aligned.posts[found.post]
    for at, _ in aligned.matches(n, found.post):
        if (
            at < 0
            or _is_verb(post, at)
            or at + 1 >= len(post.words)
            or post.words[at + 1].folded not in _TOWARDS
        ):
            continue
        behind = set(range(at + 2, at + 5))
        for doer in mine.doers & set(aligned.content):
            if behind & {place for place, _ in aligned.matches(doer, found.post)}:
                return aligned.said.words[doer].folded
    return ""


def _places(aligned: Alignment, among: frozenset[int], post: int) -> set[int]:
    """The words of a post that say what some words of the sentence say; people too, who need no support."""
    said, text = aligned.said, aligned.posts[post]
    found: set[int] = set()
    for n in (n for n in among if n in aligned.content):
        held = {at for at, _ in aligned.matches(n, post)}
        same = {at for at in held if at >= 0 and text.words[at].root == said.words[n].root}
        found |= (
            same or held
        )  # "judge" and "verdict" share a concept: the same word is meant where there is one
    plain = {said.words[n].root for n in among if n not in aligned.content and is_somebody(said, n)}
    return found | {at for at, word in enumerate(text.words) if word.root in plain}


def _crossed(aligned: Alignment, post: int, mine: Roles, given: Roles) -> bool:
    """Whether two words have each other's role in the post."""
    doers, done_to = _places(aligned, mine.doers, post), _places(aligned, mine.done_to, post)
    wrong_doers = doers & given.done_to - given.doers
    wrong_objects = done_to & given.doers - given.done_to
    text = aligned.posts[post]
    people = text.lang == "en" or any(is_somebody(text, at) for at in wrong_doers | wrong_objects)
    return bool(wrong_doers and wrong_objects and people)


def _other_patient(aligned: Alignment, post: int, mine: Roles, at: int) -> bool:
    """Whether the post has a participle in front of another noun ("rescued teen") than to whom it is done in the
    sentence ("friends were rescued")."""
    text = aligned.posts[post]
    before = text.words[at - 1] if at else None
    first = before is None or before.clause != text.words[at].clause or before.folded in _ARTICLES
    following = range(at + 1, min(len(text.words), at + 4))
    if text.lang != "en" or not first or not meanings.is_past(text.words[at].folded) or not following:
        return False
    if text.words[at + 1].folded in _APART | _BY | _ARTICLES | _BEHIND_PARTICIPLE:
        return False
    patients = mine.done_to if mine.voice == PASSIVE else frozenset()
    people = frozenset(m for m in patients if is_somebody(aligned.said, m) or m in aligned.content)
    places = _places(aligned, people, post)
    return bool(places) and not places & set(following)


def _in_other_order(aligned: Alignment, post: int, mine: Roles, at: int) -> bool:
    """Whether all who do it in the sentence are behind all to whom it is done in the sentence of a post, where the post's
    verb is active; or in front of them where it is passive with a doer."""
    text = aligned.posts[post]
    sentence = text.words[at].sentence
    doers, done_to = (
        {
            place
            for place in _places(aligned, frozenset(m for m in side if is_somebody(aligned.said, m)), post)
            if place >= 0 and text.words[place].sentence == sentence
        }
        for side in (mine.doers, mine.done_to)
    )
    if not doers or not done_to or doers & done_to:
        return False
    words = {word.folded for word in text.words if word.sentence == sentence}
    if words & (_BY | _BEING):
        given = _roles(text, at)
        return bool(
            given.voice == PASSIVE
            and given.doers
            and max(doers) < at < min(done_to)
            and not given.doers & doers
        )
    return max(done_to) < at < min(doers)


def _other_doer(aligned: Alignment, post: int, said: tuple[int, Roles], found: tuple[int, Roles]) -> str:
    """Somebody who does in the sentence what in the post somebody else does, nobody, or is done to them; empty for none."""
    (n, mine), (at, given) = said, found
    text = aligned.posts[post]
    theirs = _places(aligned, mine.done_to, post) & given.doers - given.done_to
    own = _places(aligned, mine.doers, post)
    if text.lang == "en" and theirs and own and mine.doers and not own & given.doers:
        return aligned.said.words[max(mine.doers)].folded
    doers = [m for m in mine.doers if is_somebody(aligned.said, m) and not _modifies(aligned, m)]
    places = _places(aligned, frozenset(doers), post)
    if text.lang != "en" or not doers or places & given.doers or -1 in places:
        return ""
    same_verb = aligned.said.words[n].root == text.words[at].root
    acts = same_verb or any(is_somebody(aligned.said, m) for m in mine.done_to)
    others = any(is_somebody(text, other) for other in given.doers)
    named = any(text.words[other].name for other in given.doers)
    if named and all(aligned.said.words[m].concepts & _ANYBODY for m in doers):
        return ""  # "a woman won" of somebody named
    if (others and places) or (given.voice == PASSIVE and acts):
        return aligned.said.words[doers[-1]].folded
    return ""


_ANYBODY = frozenset({"man", "woman", "people", "child", "teen"})


def _modifies(aligned: Alignment, m: int) -> bool:
    """Whether a name comes before a noun that is no name ("the Glasgow crash")."""
    following = m + 1
    words = aligned.said.words
    return (
        words[m].name
        and following in aligned.content
        and not words[following].name
        and not _is_verb(aligned.said, following)
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
        return not noun and not word.concepts & SPEECH and meanings.is_verb(word.folded)
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
        if word.clause != clause or word.folded in _RELATIVE or word.concepts & SPEECH:
            break
        if word.folded == "of" and among.step < 0:
            found = []  # "friends of a teen were": only the friends
            continue
        if word.folded in _APART:
            if among.step > 0:
                break
            governed = next((m for m in range(n + 1, n + 4) if text.words[m].folded not in _ARTICLES), n)
            found = [m for m in found if m > governed]
            continue
        found.append(n)
    return frozenset(found)


def _voice(text: Text, verb: int) -> str:
    front = {word.folded for word in text.words[max(0, verb - 3) : verb]}
    behind = [word.folded for word in text.words[verb + 1 : verb + 4]]
    if text.lang == "en":
        past = meanings.is_past(text.words[verb].folded)
        if past and (front & _BEING_ENGLISH or "by" in behind):
            return PASSIVE
        following = behind[0] if behind else ""
        plain = not following or following in _APART or following in _BEHIND_PARTICIPLE
        return "" if past and plain else ACTIVE
    agent = bool(
        set(behind) & _BY or {w.folded for w in text.words[max(0, verb - 5) : verb]} & _BY & {"von", "vom"}
    )
    return PASSIVE if front & _BEING and agent else "" if front & _BEING else ACTIVE


_BEHIND_PARTICIPLE = lexicon.words(
    "to as dead and by for with when while if that because until so who which but"
)


def is_somebody(text: Text, n: int) -> bool:
    """Whether a word names a person or a body that acts."""
    word = text.words[n]
    return word.name or bool(word.concepts & _PEOPLE)
