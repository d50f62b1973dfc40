"""Ask a question: its text, its conversation and a filter become one request, and the request an answer."""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from trinch.answers.answer import answer as answer_from_posts
from trinch.answers.claims import Picked
from trinch.answers.rewrite import rewritten
from trinch.answers.types import Answer
from trinch.answers.types import Hit as Found
from trinch.errors import TrinchError
from trinch.llm.interface import Setting
from trinch.service.conversation import CONTEXT, follow_up
from trinch.service.language_model import open_model
from trinch.store.query import OPERATORS, And, parse
from trinch.store.query_eval import Candidate, matches
from trinch.store.store import Hit, Store
from trinch.stories.detect import headlines


class QuestionError(TrinchError, ValueError):
    """A question that asks nothing."""


class AskRequest(NamedTuple):
    """A question ready to be answered from a store."""

    text: str
    """As the user typed it."""
    question: str
    """As it reads in its conversation, without the operators."""
    where: str
    """Operators that every post must satisfy; empty for none."""
    as_of: int | None
    """Microseconds since 1970; None is now."""


def interpret(
    text: str, *, earlier: Sequence[str] = (), where: str = "", as_of: int | None = None
) -> AskRequest:
    """Combine a question with its conversation and its operators.

    Raises QuestionError for an empty question and QueryError for operators that cannot be parsed.
    """
    if not text.strip():
        raise QuestionError('the question is empty: write one, such as "what happened at the harbour"')
    bare, inside = _split_operators(text)
    before = [_split_operators(question)[0] for question in earlier[-CONTEXT:]]
    joined = " ".join(f"({part})" for part in (where.strip(), inside) if part)
    parse(joined)
    return AskRequest(text, follow_up(before, bare), joined, as_of)


def answer(store: Store, request: AskRequest, language_model: Setting | None = None) -> Answer:
    """Answer from the posts that satisfy the request's operators.

    With a language model, sentences that it rewrote and that pass verification replace their quotes.
    """
    corpus = filtered(store, request.where)

    def trends(since: int, as_of: int, most: int) -> list[Picked]:
        return headlines(store, as_of, as_of - since, limit=most, about=request.where)

    given = answer_from_posts(corpus, request.question, request.as_of, only_author(request.where), trends)
    return rewritten(store, given, partial(open_model, language_model)) if language_model else given


def only_author(where: str) -> str:
    """The author that operators restrict a search to; empty where they name none or several."""
    named = re.findall(r"(?<![-\w])from:@?([\w.-]+)", where)
    return named[0] if len(set(named)) == 1 else ""


class FilteredStore:
    """The part of a store whose posts satisfy some operators; what `answers/` needs of a store."""

    def __init__(self, store: Store, where: str) -> None:
        self._store, self._where, self._node = store, where, parse(where)
        self.num_posts, self.doc_freq = store.num_posts, store.doc_freq

    def retrieve(
        self, text: str, *, limit: int = 100, as_of: int | None = None, where: str = ""
    ) -> list[Hit]:
        """As `Store.retrieve`, within the filter."""
        # Joined as parsed trees: each is within the length limit of a query, their joined text may not be.
        both = And((self._node, parse(where)))
        return self._store.retrieve(text, limit=limit, as_of=as_of, where=both)

    def search(self, query: str, *, limit: int, sort: str, as_of: int | None) -> list[Hit]:
        """As `Store.search`, within the filter."""
        return self._store.search(f"({self._where}) {query}", limit=limit, sort=sort, as_of=as_of)

    def copies(self, hit: Found, *, as_of: int | None = None) -> list[Hit]:
        """As `Store.copies`, within the filter."""
        moment = as_of if as_of is not None else hit.at
        found = self._store.copies(hit, as_of=as_of)
        return [copy for copy in found if matches(self._node, Candidate(copy.post, copy.at), moment)]


def filtered(store: Store, where: str) -> Store | FilteredStore:
    """The store itself, or the part of it that satisfies the operators `where`."""
    return FilteredStore(store, where) if where else store


_OPERATOR = re.compile(rf'(?<!\S)-?(?:{"|".join(OPERATORS)}):(?:"[^"]*"|[^\s"]+)')


def _split_operators(text: str) -> tuple[str, str]:
    """A question without the operators written into it, and those operators."""
    found = [match.group().rstrip("?!,.;") for match in _OPERATOR.finditer(text)]
    return " ".join(_OPERATOR.sub(" ", text).split()), " ".join(found)
