"""A request and posts as the reader wants them."""

from collections.abc import Sequence

from trinch.answers import lexicon
from trinch.answers.question import Question
from trinch.answers.request import Request
from trinch.answers.types import Hit
from trinch.posts.text import fold, query_terms, tokens
from trinch.reader import Passage, Query, Reading, Wanted
from trinch.reader.registry import reader

KINDRED, MOST_KINDRED = 0.5, 30
"""Cosine from which on a word names one of a kind, and the most such words."""
ASKED = 3.0
"""What a word weighs that only says what is asked of the topic ("died" in "how many died in the quake?")."""

_ROLES = {"part": "name", "aside": "word"}
_KINDS = {
    "explain": "reason",
    "opinions": "opinion",
    "said_by": "opinion",
    "verify": "verify",
    **dict.fromkeys(("summary", "timeline", "list", "latest", "changes"), "overview"),
}


def akin_to(kind: str) -> frozenset[str]:
    """The index terms of words that name one of a kind ("musicians": singer, rapper, guitarist), the kind's own first."""
    return frozenset(form for word in kindred(kind) for form in query_terms(word))


def kindred(kind: str) -> list[str]:
    """A kind and the words nearest to it in meaning."""
    return [kind, *reader().akin([kind], KINDRED, MOST_KINDRED)[0]]


def query_of(task: str, question: Question) -> Query:
    """The request as the reader sees it: the terms of its topic, and the other words that are no stopwords."""
    words = [
        Wanted(term.text, term.forms, term.weight, _ROLES.get(term.role, term.role))
        for term in question.terms
        if not question.period or term.text != question.period.year  # time is not the reader's
    ]
    seen = frozenset().union(*(word.forms | {word.text} for word in words))
    stop = lexicon.STOPWORDS.get(question.lang, lexicon.ANY_STOPWORD)
    words += [
        Wanted(word, frozenset(query_terms(word)), ASKED, "asked")
        for word in dict.fromkeys(tokens(fold(question.text)))
        if len(word) > 1 and word not in stop and word not in seen
    ]
    return Query(tuple(words), _KINDS.get(task, question.kind), question.lang)


def _passage(hit: Hit) -> Passage:
    return Passage(hit.post.text, frozenset(hit.terms), hit.post.lang)


class PostReader:
    """Reads posts and sentences for one request."""

    def __init__(self, request: Request) -> None:
        self._query = query_of(request.task, request.question)
        self._topics: dict[tuple[str, str], float] = {}
        self.judges_answers = (
            request.task in ("question", "explain")
            and request.question.kind not in ("count", "who", "where", "when")
            and not request.wants
        )
        """Whether the request asks for something that the reader was taught to see in a sentence: not a person, a place
        or a time, and not a number, which `counts` looks for."""

        self.judges_evidence = request.task != "said_by"
        """Whether it may decide that there is no answer: what an author posts on a topic answers, whatever it says."""

    def topics(self, hits: Sequence[Hit]) -> list[float]:
        """How likely each post is to be on the topic."""
        keys = [(hit.post.network, hit.post.id) for hit in hits]
        unread = [hit for key, hit in zip(keys, hits, strict=True) if key not in self._topics]
        self._keep(unread, reader().read(self._query, [_passage(hit) for hit in unread]))
        return [self._topics[key] for key in keys]

    def judge(self, hits: Sequence[Hit]) -> tuple[list[Reading], float]:
        """The reading of each post, and how likely all of them together answer the request."""
        readings, chance = reader().judge(self._query, [_passage(hit) for hit in hits])
        self._keep(hits, readings)
        return readings, chance

    def _keep(self, hits: Sequence[Hit], readings: Sequence[Reading]) -> None:
        for hit, reading in zip(hits, readings, strict=True):
            self._topics[hit.post.network, hit.post.id] = reading.topic

    def answers(self, sentences: Sequence[Passage]) -> list[float]:
        """How likely each sentence is to say what is asked."""
        return [reading.answer for reading in reader().read(self._query, sentences)]
