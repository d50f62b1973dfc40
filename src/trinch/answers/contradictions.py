"""Who says that something is not so, and of what.

Owns finding the posts that a denial (`negation.py`) speaks of, and whether a denied post may still be quoted. Knows no truth: it compares who says a thing with who denies it, and
leaves contested numbers to `count_timeline.py`.

A denial speaks of the post it answers or quotes, and of any earlier post that shares enough words with it that the
topic's other posts do not hold ("sabotage", "two men running").
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.candidates import QuoteCandidate
from trinch.answers.evidence import PostGroup, collapse
from trinch.answers.negation import denies
from trinch.answers.quantities import figures
from trinch.answers.question import Question
from trinch.answers.spans import spans
from trinch.answers.types import Corpus
from trinch.posts.text import query_terms, terms

SPOKEN_OF = 0.34
"""Share of distinctive weight that a denial and the post it denies have in common, of the lighter of the two."""
TOPICAL = 0.15
"""A word held by more of the sources than this belongs to the topic and tells no two claims apart."""

CHORUS = 2
"""Authors who must deny an unverified author's post in reply before their denial is set in front of it."""
REPLIES = 50
"""Replies looked at, to all posts of an answer together."""
_ASKED = "false fake hoax rumour not true no evidence denied debunked faux falso bulo falsch boato"

_STOP = lexicon.ANY_STOPWORD
_COUNTING = frozenset(
    form for words in lexicon.MEASURES.values() for word in words for form in query_terms(word)
)
_CUE_TERMS = frozenset(form for word in lexicon.DENIAL_WORDS for form in query_terms(word))


class Denied(NamedTuple):
    """What is said against one source."""

    denials: tuple[QuoteCandidate, ...]
    """Most credible first."""
    outweighed: bool
    """Whether those who deny are more credible than those who claim, or more; however many strangers deny what a
    verified author says, it is kept."""


def standing(source: PostGroup) -> float:
    """How credible a source's author is, however often the text was repeated: 1 for a stranger, 1.55 at most."""
    post = source.best.post
    known = min(math.log10(1 + (post.author_followers or 0)) / 20, 0.3)
    return 1.0 + (0.25 if post.author_verified else 0.0) + known


# Two short passes over the same groups that share `worth`, which is defined by both.
def denied(  # noqa: C901 - see above
    question: Question, found: Sequence[QuoteCandidate], weight_of: Callable[[str], float]
) -> dict[str, Denied]:
    """The denied sources among those of `found`, by the id of their best post."""
    sources = {c.source.best.post.id: c.source for c in found}
    denials: dict[str, QuoteCandidate] = {}
    for candidate in found:
        if denies(candidate.text):
            denials.setdefault(candidate.source.best.post.id, candidate)
    if not denials:
        return {}
    holders = Counter(term for source in sources.values() for term in set(source.best.terms))
    most = max(TOPICAL * len(sources), 4)
    asked = frozenset().union(*(term.forms for term in question.terms))

    @cache
    def worth(term: str) -> float:
        if holders[term] > most or term in asked or term in _STOP or term in _COUNTING or term in _CUE_TERMS:
            return 0.0
        if len(term) < 3 or term[0] in "#@$" or any(c.isdigit() for c in term):
            return 0.0
        return weight_of(term)

    weighed = {id: _weighed(source, worth) for id, source in sources.items()}
    against: dict[str, list[QuoteCandidate]] = {}
    for id, source in sources.items():
        if id in denials or denies(source.best.post.text):
            continue
        for denial in denials.values():
            if _answers(denial.source, source) or (
                denial.source.first >= source.first
                and _alike(weighed[id], weighed[denial.source.best.post.id])
            ):
                against.setdefault(id, []).append(denial)
    judged = {id: _judged(sources, id, against) for id in against}
    return {
        id: said
        for id, said in judged.items()
        if said.outweighed or not sources[id].best.post.author_verified
    }


_PLAIN_ID = re.compile(r"[\w:/.@#+~%-]{1,200}").fullmatch
"""An id that may stand in a query: ids come from outside and may hold anything, quotes and brackets too."""


def heard(chosen: Sequence[QuoteCandidate], store: Corpus, as_of: int) -> dict[str, Denied]:
    """What the replies to the posts to be quoted deny: they seldom name the topic, so no other search finds them.

    Replies by strangers count from `CHORUS` authors on, and not against a verified author; one by somebody who
    ranks above the claim's author is enough.
    """
    posts = [candidate.source.best.post for candidate in chosen]
    begun = {post.conversation_id or post.id for post in posts if not denies(post.text)}
    talks = sorted(talk for talk in begun if _PLAIN_ID(talk))
    if not talks:
        return {}
    where = "(" + " OR ".join(f"conversation_id:{talk}" for talk in talks) + ")"
    hits = [hit for hit in store.retrieve(_ASKED, limit=REPLIES, as_of=as_of, where=where) if hit.at <= as_of]
    said = [_spoken(source) for source in collapse([hit for hit in hits if denies(hit.post.text)])]
    result: dict[str, Denied] = {}
    for candidate in chosen:
        source = candidate.source
        denials = [d for d in said if d and d.source.voice != source.voice and _answers(d.source, source)]
        denials.sort(key=lambda d: (-standing(d.source), d.source.first, d.source.best.post.id))
        better = bool(denials) and standing(denials[0].source) > standing(source)
        chorus = not source.best.post.author_verified and _voices(d.source for d in denials) >= CHORUS
        if better or chorus:
            result[source.best.post.id] = Denied(tuple(denials), False)
    return result


def _spoken(source: PostGroup) -> QuoteCandidate | None:
    """The sentence of a post that denies."""
    post = source.best.post
    for span in spans(post.text):
        text = post.text[span.start : span.end]
        if denies(text):
            return QuoteCandidate(
                source, span, text, frozenset(terms(text, post.lang)), 0.0, 0.0, 0.0, figures(text), 1.0
            )
    return None


def _weighed(source: PostGroup, worth: Callable[[str], float]) -> dict[str, float]:
    return {term: worth(term) for term in sorted(set(source.best.terms)) if worth(term) > 0}


def _answers(denial: PostGroup, source: PostGroup) -> bool:
    """Whether a denial replies to, or quotes, a post that carries the source."""
    post = denial.best.post
    to = {post.reply_to, post.quote_of} - {""}
    return bool(to) and any(hit.post.id in to and hit.post.network == post.network for hit in source.hits)


def _alike(claim: dict[str, float], denial: dict[str, float]) -> bool:
    shared = [claim[term] for term in claim if term in denial]
    lighter = min(sum(claim.values()), sum(denial.values()))
    return len(shared) >= 2 and sum(shared) >= SPOKEN_OF * lighter


def _voices(sources: Iterable[PostGroup]) -> int:
    return len({source.voice or source.best.post.id for source in sources})


def _judged(sources: dict[str, PostGroup], id: str, against: dict[str, list[QuoteCandidate]]) -> Denied:
    """Both sides: those who deny this source, and those whom the same denials speak of."""
    denials = against[id]
    ids = {denial.source.best.post.id for denial in denials}
    claiming = [
        sources[other]
        for other, said in against.items()
        if other == id or not ids.isdisjoint(d.source.best.post.id for d in said)
    ]
    denying = [denial.source for denial in denials]
    more = not sources[id].best.post.author_verified and _voices(denying) > _voices(claiming)
    better = max(map(standing, denying)) > max(map(standing, [sources[id], *claiming]))
    ordered = sorted(denials, key=lambda d: (-standing(d.source), -d.near, d.source.best.post.id))
    return Denied(tuple(ordered), more or better)


def _denial(said: Denied, question: Question) -> QuoteCandidate:
    """The most credible denial in the question's language, where there is any in it."""
    return max(said.denials, key=lambda d: d.source.best.post.lang == question.lang)


def replaced(
    chosen: Sequence[QuoteCandidate], against: dict[str, Denied], question: Question
) -> list[QuoteCandidate]:
    """`chosen` with each outweighed claim replaced by its denial."""
    result: dict[str, QuoteCandidate] = {}
    for candidate in chosen:
        said = against.get(candidate.source.best.post.id)
        kept = _denial(said, question) if said and said.outweighed else candidate
        result.setdefault(kept.source.best.post.id, kept)
    return list(result.values())


def paired(
    ordered: Sequence[QuoteCandidate], against: dict[str, Denied], question: Question
) -> list[QuoteCandidate]:
    """`ordered` with its denial in front of each claim that is denied and stays."""
    result: dict[str, QuoteCandidate] = {}
    for candidate in ordered:
        if said := against.get(candidate.source.best.post.id):
            denial = _denial(said, question)
            result.setdefault(denial.source.best.post.id, denial)
        result.setdefault(candidate.source.best.post.id, candidate)
    return list(result.values())
