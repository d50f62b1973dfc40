"""From what a client asks to what the store is asked: operators inside questions, restrictions.

Owns the reading of a question in its conversation (`conversation.py` has the rules) and the store seen through operators.
Knows nothing of HTTP or of any client's format.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from trinch.answers.answer import answer as answer_to
from trinch.answers.rewrite import rewritten
from trinch.answers.types import Answer
from trinch.answers.types import Hit as Found
from trinch.llm.interface import Setting
from trinch.service.conversation import CONTEXT, follow_up
from trinch.service.language_model import open_model
from trinch.store.query import OPERATORS, And, parse
from trinch.store.query_eval import Candidate, matches
from trinch.store.store import Hit, Store


class AskRequest(NamedTuple):
    """A question ready to be put to a store."""

    text: str
    """As it was typed."""
    question: str
    """As it is understood in its conversation, without the operators."""
    where: str
    """Operators that every post must satisfy; empty for none."""
    as_of: int | None


def interpret(
    text: str, *, earlier: Sequence[str] = (), where: str = "", as_of: int | None = None
) -> AskRequest:
    """A question with what its conversation and its operators add. Raises QueryError for bad operators."""
    bare, inside = _operators(text)
    before = [_operators(question)[0] for question in earlier[-CONTEXT:]]
    parts = [f"({part})" for part in (where.strip(), inside) if part]
    joined = " ".join(parts)
    parse(joined)
    return AskRequest(text, follow_up(before, bare), joined, as_of)


def answer(store: Store, asked: AskRequest, writer: Setting | None = None) -> Answer:
    """The answer to what was asked, from the posts that its operators let through; in a model's words where one is
    set and they pass the check."""
    sea = FilteredStore(store, asked.where) if asked.where else store
    given = answer_to(sea, asked.question, asked.as_of)
    return rewritten(store, given, partial(open_model, writer)) if writer else given


class FilteredStore:
    """A store of only those posts that satisfy some operators."""

    def __init__(self, store: Store, where: str) -> None:
        self._store, self._node = store, parse(where)
        self.num_posts, self.doc_freq = store.num_posts, store.doc_freq

    def retrieve(
        self, text: str, *, limit: int = 100, as_of: int | None = None, where: str = ""
    ) -> list[Hit]:
        """As `Store.retrieve`, within the restriction."""
        both = And((self._node, parse(where)))  # each within its bounds; as one text they might be too long
        return self._store.retrieve(text, limit=limit, as_of=as_of, where=both)

    def copies(self, hit: Found, *, as_of: int | None = None) -> list[Hit]:
        """As `Store.copies`, within the restriction."""
        moment = as_of if as_of is not None else hit.at
        found = self._store.copies(hit, as_of=as_of)
        return [copy for copy in found if matches(self._node, Candidate(copy.post, copy.at), moment)]


_OPERATOR = re.compile(rf'(?<!\S)-?(?:{"|".join(OPERATORS)}):(?:"[^"]*"|[^\s"]+)')


def _operators(text: str) -> tuple[str, str]:
    """A question without the operators written into it, and those operators."""
    found = [match.group().rstrip("?!,.;") for match in _OPERATOR.finditer(text)]
    return " ".join(_OPERATOR.sub(" ", text).split()), " ".join(found)
