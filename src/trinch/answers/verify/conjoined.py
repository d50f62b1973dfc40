"""What a sentence says of each of two or more, and what it says to be where a part before it is."""

from collections.abc import Iterator, Sequence

from trinch.answers import lexicon
from trinch.answers.verify import meanings
from trinch.answers.verify.alignment import Alignment
from trinch.answers.verify.meanings import marks
from trinch.answers.verify.reading import Text
from trinch.answers.verify.roles import is_somebody

_AND = lexicon.words("and y e et und sowie")
_THERE = lexicon.words("there dort alli alla la-bas")
_EXISTS = lexicon.words("is are was were be been has have had")
_PLACING = lexicon.words("in at near to from en a em no na bei nach aus nel nella dans")
REACH = 4
"""Words behind "and" within which the second of two is named."""


def shared_by_all(aligned: Alignment) -> str:
    """Somebody of several in one subject ("A and B blame C"), or of "both", of whom no post says what is said of them."""
    for members, predicate in (*_subjects(aligned), *_both(aligned)):
        for member in members:
            if not _said_of(aligned, member, predicate):
                return f"no cited post says that of {aligned.said.words[member].folded}"
    return ""


def _subjects(aligned: Alignment) -> Iterator[tuple[list[int], list[int]]]:
    """The two members of each subject with "and", and the verb behind them."""
    said = aligned.said
    verbs = [n for n, word in enumerate(said.words) if _is_verb(said, n) and not word.name]
    for n, word in enumerate(said.words):
        if word.folded not in _AND or any(verb < n and _same_part(said, verb, n) for verb in verbs):
            continue
        left = next((m for m in range(n - 1, max(-1, n - 1 - REACH), -1) if is_somebody(said, m)), -1)
        right = next(
            (m for m in range(n + 1, min(len(said.words), n + 1 + REACH)) if is_somebody(said, m)), -1
        )
        verb = next((v for v in verbs if v > right and said.words[v].clause == said.words[right].clause), -1)
        if min(left, right, verb) >= 0 and verb - right <= 2 * REACH:
            yield [m for m in (left, right) if m in aligned.content], [verb]


def _is_verb(said: Text, n: int) -> bool:
    word = said.words[n]
    if said.lang == "en":
        return meanings.is_verb(word.folded)
    return bool(word.concepts & (meanings.EVENTS | meanings.SPEECH))


def _same_part(said: Text, a: int, b: int) -> bool:
    """Whether two words are in one sentence, in the same clause or two neighbouring ones."""
    return abs(said.words[a].clause - said.words[b].clause) <= 1


def _both(aligned: Alignment) -> Iterator[tuple[list[int], list[int]]]:
    """The names of a sentence with "both", and the words behind the last of them."""
    said = aligned.said
    names = [n for n in aligned.content if said.words[n].name]
    if len(names) < 2 or not marks("both", " ".join(said.clauses), said.lang):
        return
    behind = [n for n in aligned.content if n > names[-1]]
    if behind:
        yield names, behind


def _said_of(aligned: Alignment, member: int, predicate: Sequence[int]) -> bool:
    """Whether a sentence of a post holds a member and a word of what is said of it, or the post is by the member."""
    if not any(
        n in aligned.content and aligned.matches(n, p) for n in predicate for p in range(len(aligned.posts))
    ):
        return True
    for p, post in enumerate(aligned.posts):
        places = {at for at, _ in aligned.matches(member, p)}
        held = {at for n in predicate if n in aligned.content for at, _ in aligned.matches(n, p) if at >= 0}
        sentences = {post.words[at].sentence for at in places if at >= 0}
        if held and (-1 in places or sentences & {post.words[at].sentence for at in held}):
            return True
    return False


_KIN = frozenset({"mother", "father", "son", "daughter"})


def wrong_kin(aligned: Alignment) -> str:
    """Somebody given as the mother, father, son or daughter whose mother, father … the post speaks of."""
    said = aligned.said
    for n, word in enumerate(said.words[:-1]):
        if not word.concepts & _KIN or not said.words[n + 1].name or n + 1 not in aligned.content:
            continue
        for p, post in enumerate(aligned.posts):
            theirs = [at for at, given in enumerate(post.words) if given.concepts & word.concepts & _KIN]
            named = {at for at, _ in aligned.matches(n + 1, p)}
            for at in theirs:
                following = post.words[at + 1].folded if at + 1 < len(post.words) else ""
                if following == "of" and named & set(range(at + 2, at + 2 + 2 * REACH)):
                    return f"in the post {said.words[n + 1].folded} is not the {word.folded}"
    return ""


_FROM = lexicon.words("from von aus de da desde")
_TO = lexicon.words("in to into at for towards nach en a em para")


def other_way(aligned: Alignment) -> str:
    """A place that somebody comes from in the sentence, to which the posts say that they go."""
    said = aligned.said
    names = [n for n in aligned.content if said.words[n].name and n]
    for origin in (n for n in names if said.words[n - 1].folded in _FROM):
        for p, post in enumerate(aligned.posts):
            into = _behind(post, [at for at, _ in aligned.matches(origin, p)], _TO)
            out = _behind(post, [at for at, _ in aligned.matches(origin, p)], _FROM)
            others = [at for n in names if n != origin for at, _ in aligned.matches(n, p)]
            if into and not out and _behind(post, others, _FROM):
                return f"in the post {said.words[origin].folded} is where they go"
    return ""


def _behind(post: Text, places: Sequence[int], words: frozenset[str]) -> bool:
    """Whether one of some words of a post is right behind one of the given words."""
    return any(at > 0 and post.words[at - 1].folded in words for at in places)


def elsewhere(aligned: Alignment) -> str:
    """ "There" in a part that rests on a post which does not hold the place named before."""
    said = aligned.said
    for n, word in enumerate(said.words):
        following = said.words[n + 1].folded if n + 1 < len(said.words) else ""
        if word.folded not in _THERE or following in _EXISTS:
            continue
        places = [
            m
            for m in aligned.content
            if m < n and said.words[m].name and _is_placed(said, m) and said.words[m].clause != word.clause
        ]
        found = aligned.evidence(aligned.clause_words(word.clause))
        if places and found and not any(aligned.matches(m, found.post) for m in places):
            return f"the post does not say that this was in {said.words[places[-1]].folded}"
    return ""


def _is_placed(said: Text, n: int) -> bool:
    return any(word.folded in _PLACING for word in said.words[max(0, n - 2) : n])
