"""Ask a question: its text, its conversation and a filter become one request, and the request an answer."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers import request as requests
from trinch.answers.answer import answer as answer_from_posts
from trinch.answers.claims import Picked
from trinch.answers.prompt import Wishes
from trinch.answers.reading_list import reading_list
from trinch.answers.story_requests import StoryFilter
from trinch.answers.types import Answer
from trinch.answers.types import Hit as Found
from trinch.answers.writing import Limits, Writing
from trinch.errors import TrinchError
from trinch.llm.interface import Setting
from trinch.posts.times import now
from trinch.service.conversation import CONTEXT, follow_up
from trinch.service.language_model import open_model
from trinch.service.limits import answer_budget
from trinch.service.model_tools import StoreTools
from trinch.store.query import OPERATORS, joined, normalized, parse
from trinch.store.query_eval import Candidate, matches
from trinch.store.store import Hit, Store
from trinch.stories.brief import picked_brief
from trinch.stories.detect import headlines
from trinch.stories.term_index import Only


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
    earlier: tuple[str, ...] = ()
    """Earlier questions of the conversation, oldest first."""
    style: str = ""
    """How a language model should put the answer, in the client's words; it changes no fact."""
    model: str = ""
    """Which of a server's named language models writes the answer; empty for its default."""


MAX_STYLE = 2000
"""Characters of a style; the rest is left out."""


def interpret(
    text: str,
    *,
    earlier: Sequence[str] = (),
    where: str = "",
    as_of: int | None = None,
    style: str = "",
) -> AskRequest:
    """Combine a question with its conversation, its operators and the style wanted.

    Raises QuestionError for an empty question and QueryError for operators that cannot be parsed.
    """
    if not text.strip():
        raise QuestionError('the question is empty: write one, such as "what happened at the harbour"')
    bare, inside = _split_operators(text)
    before = [_split_operators(question)[0] for question in earlier[-CONTEXT:]]
    operators = joined(where, inside)
    parse(operators)
    return AskRequest(
        text, follow_up(before, bare), operators, as_of, tuple(before), style.strip()[:MAX_STYLE]
    )


def needs_stories(store: Store, request: AskRequest) -> bool:
    """Whether a request is for trends or a brief, which need the index of terms (`service.stories.catch_up`)."""
    moment = now() if request.as_of is None else request.as_of
    return requests.interpret(request.question, moment, store).task in ("trends", "brief")


def answer(store: Store, request: AskRequest, language_model: Setting | None = None) -> Answer:
    """Answer from the posts that satisfy the request's operators.

    Where the CPU budget ends the searches (`limits.py`), the answer is `partial`: it rests on the posts found so far.
    A language model reads the best of them and writes the answer; its sentences that pass verification are shown.
    """
    *_, whole = steps(store, request, language_model)
    return whole


def steps(store: Store, request: AskRequest, language_model: Setting | None) -> Iterator[Answer]:
    """The answer as it grows by each sentence that a language model has written; the last is whole."""
    extractive = _extractive(store, request)
    if not language_model or extractive.outcome == "chat":
        yield extractive
        return
    writing = written(store, request, extractive, language_model)
    if not writing.has_posts:
        yield extractive
        return
    for _ in writing.claims():
        yield writing.answer()
    yield writing.answer()


def _extractive(store: Store, request: AskRequest) -> Answer:
    corpus = filtered(store, request.where)
    stories = Stories(store, request.where)
    with store.within(answer_budget()) as budget:
        return answer_from_posts(
            corpus,
            request.question,
            request.as_of,
            only_author(request.where),
            stories,
            lambda: budget.is_used_up,
        )


class Stories:
    """The stories of the part of a store that satisfies some operators; the StorySource of answers."""

    def __init__(self, store: Store, where: str) -> None:
        self._store, self._where = store, where

    def headlines(self, since: int, as_of: int, most: int, only: StoryFilter) -> list[Picked]:
        """The headlines of the leading stories that fit a filter."""
        about = (self._where, *only.about)
        only_of = Only(only.lang, only.network)
        return headlines(self._store, as_of, as_of - since, limit=most, about=about, only=only_of)

    def brief(self, since: int, as_of: int, most: int, topic: str, names: tuple[str, str]) -> list[Picked]:
        """The headlines of a brief about a topic, with the developments, each labelled with a name: new, continued."""
        return picked_brief(self._store, as_of, since, (self._where, topic), most, names)


def written(store: Store, request: AskRequest, given: Answer, language_model: Setting) -> Writing:
    """The answer that a language model is to write in place of a given one; nothing is asked of it yet."""
    corpus = filtered(store, request.where)
    with store.within(answer_budget()):
        asked = requests.interpret(request.question, given.as_of, corpus, only_author(request.where))
        posts = reading_list(asked, corpus, given, language_model.posts)
    wishes = Wishes(
        lang=lexicon.name_of("en", "names_of_languages", asked.lang)
        if asked.lang in lexicon.COMPLETE
        else asked.lang,
        sentences=asked.limit or SENTENCES,
        max_words=asked.max_words,
        style=request.style,
        earlier=request.earlier,
    )
    limits = Limits(language_model.tokens, language_model.seconds, language_model.searches)

    def timeline(topic: str) -> Answer:
        return _extractive(store, request._replace(question=f"timeline of {topic}", as_of=given.as_of))

    tools = StoreTools(store, request.where, given.as_of, Stories(store, request.where), timeline)
    return Writing(store, given, posts, partial(open_model, language_model), wishes, limits, tools)


SENTENCES = 6
"""Most sentences of an answer that does not ask for a number."""


def only_author(where: str) -> str:
    """The author that operators restrict a search to; empty where they name none or several."""
    named = re.findall(r"(?<![-\w])from:@?([\w.-]+)", where)
    return named[0] if len(set(named)) == 1 else ""


class FilteredStore:
    """The part of a store whose posts satisfy some operators; what `answers/` needs of a store."""

    def __init__(self, store: Store, where: str) -> None:
        self._store, self._where, self._node = store, where, normalized(parse(where))
        self.num_posts, self.doc_freq = store.num_posts, store.doc_freq

    def retrieve(
        self, text: str, *, limit: int = 100, as_of: int | None = None, where: str = ""
    ) -> list[Hit]:
        """As `Store.retrieve`, within the filter."""
        # Not joined: each is within the length limit of a query, their joined text may not be.
        return self._store.retrieve(text, limit=limit, as_of=as_of, where=(self._where, where))

    def search(self, query: str, *, limit: int, sort: str, as_of: int | None) -> list[Hit]:
        """As `Store.search`, within the filter."""
        return self._store.search(joined(self._where, query), limit=limit, sort=sort, as_of=as_of)

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
