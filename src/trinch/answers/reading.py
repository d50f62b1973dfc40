"""A request and posts as the reader wants them, and its readings kept for the length of one request."""

from collections.abc import Sequence

from trinch.answers import lexicon
from trinch.answers.question import Question
from trinch.answers.request import Request
from trinch.answers.types import Hit
from trinch.posts.text import fold, query_terms, tokens
from trinch.reader import Passage, Query, Reading, Wanted, load

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


def query_of(task: str, question: Question) -> Query:
    """The request as the reader sees it: the terms of its topic, and the other words that are no stopwords."""
    words = [
        Wanted(term.text, term.forms, term.weight, _ROLES.get(term.role, term.role))
        for term in question.terms
    ]
    seen = frozenset().union(*(word.forms | {word.text} for word in words))
    stop = lexicon.STOPWORDS.get(question.lang, lexicon.ANY_STOPWORD)
    words += [
        Wanted(word, frozenset(query_terms(word)), ASKED, "asked")
        for word in dict.fromkeys(tokens(fold(question.text)))
        if len(word) > 1 and word not in stop and word not in seen
    ]
    return Query(tuple(words), _KINDS.get(task, question.kind), question.lang)


class PostReader:
    """Reads posts and sentences for one request; a post that comes back from another search is read once."""

    def __init__(self, request: Request) -> None:
        self._query = query_of(request.task, request.question)
        self._read: dict[tuple[str, str], Reading] = {}

    def posts(self, hits: Sequence[Hit]) -> list[Reading]:
        """A reading of each post, in the order given."""
        keys = [(hit.post.network, hit.post.id) for hit in hits]
        new = {key: hit for key, hit in zip(keys, hits, strict=True) if key not in self._read}
        passages = [Passage(hit.post.text, frozenset(hit.terms), hit.post.lang) for hit in new.values()]
        self._read.update(zip(new, load().read(self._query, passages), strict=True))
        return [self._read[key] for key in keys]

    def sentences(self, found: Sequence[tuple[str, frozenset[str], str]]) -> list[Reading]:
        """A reading of each sentence, given as text, index terms and language."""
        return load().read(self._query, [Passage(*each) for each in found])
