"""The tools with which a language model looks for more posts: search, timeline, stories and counts of this store.

They read only, as of the time of the answer and within the filter of its request, and each has a CPU budget.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from trinch.answers.answer import StorySource
from trinch.answers.story_requests import StoryFilter
from trinch.answers.types import Answer
from trinch.answers.writing import MOST_FOUND, Found
from trinch.errors import TrinchError
from trinch.llm.interface import ToolCall
from trinch.posts.times import iso
from trinch.service.limits import answer_budget, search_budget
from trinch.store import pages
from trinch.store.query import QueryError, joined
from trinch.store.store import Store

MOST_ARGUMENTS = 2000
"""Characters of the arguments of a call."""
PERIODS = 60
"""Newest periods of a count that are returned."""
_HOUR = 3_600_000_000
_LENGTHS = {"hour": _HOUR, "day": 24 * _HOUR}

_Query = Annotated[
    str, msgspec.Meta(description='Words and search operators: from:, since:2024-05-01, lang:, "…", -, OR.')
]


class Search(msgspec.Struct):
    """Search posts."""

    query: _Query
    sort: Literal["relevance", "latest"] = "relevance"


class Timeline(msgspec.Struct):
    """The developments of a topic in the order of time, each with its post."""

    topic: str


class Happening(msgspec.Struct):
    """The leading stories of the last hours: what is posted about more than before."""

    hours: Annotated[int, msgspec.Meta(ge=1, le=744)] = 24
    about: Annotated[str, msgspec.Meta(description="Words and search operators; empty for everything.")] = ""


class Counts(msgspec.Struct):
    """How many posts match in each hour or day (UTC)."""

    query: _Query
    by: Literal["hour", "day"] = "day"


_TOOLS: Mapping[str, type[msgspec.Struct]] = {
    "search": Search,
    "timeline": Timeline,
    "stories": Happening,
    "counts": Counts,
}


def definition(name: str, arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """A tool in the form of Chat Completions."""
    schema = msgspec.json.schema(arguments)["$defs"][arguments.__name__]
    parameters = {"type": "object", "properties": schema["properties"], "required": schema["required"]}
    described = {"name": name, "description": schema["description"], "parameters": parameters}
    return {"type": "function", "function": described}


class StoreTools:
    """The `Toolbox` of one answer."""

    definitions: Sequence[Mapping[str, Any]] = tuple(definition(*tool) for tool in _TOOLS.items())

    def __init__(
        self,
        store: Store,
        where: str,
        as_of: int,
        stories: StorySource,
        timeline: Callable[[str], Answer],
    ) -> None:
        """`where` are operators that every post satisfies; `timeline` answers with the developments of a topic."""
        self._store, self._where, self._as_of = store, where, as_of
        self._stories, self._timeline = stories, timeline

    def run(self, call: ToolCall) -> Found:
        """The posts that a call finds; what was wrong with it is in the facts."""
        try:
            return self._found(_arguments(call))
        except (QueryError, msgspec.ValidationError) as error:
            return Found((), {"error": str(error)})
        except TrinchError as error:  # a budget that cannot be read is the operator's, not the model's
            return Found((), {"error": f"this search failed ({type(error).__name__})"})

    def _found(self, given: msgspec.Struct) -> Found:
        match given:
            case Search():
                with self._store.within(search_budget(MOST_FOUND)):
                    page = pages.page(
                        self._store,
                        self._within(given.query),
                        limit=MOST_FOUND,
                        sort=given.sort,
                        as_of=self._as_of,
                    )
                return Found(page.hits, {})
            case Timeline():
                cited = self._timeline(given.topic).sources
                looked = (self._store.get(f"{post.network}:{post.id}", self._as_of) for post in cited)
                return Found([hit for hit in looked if hit is not None], {})
            case Happening():
                only = StoryFilter(about=(given.about,) if given.about.strip() else ())
                with self._store.within(answer_budget()):
                    since = self._as_of - given.hours * _HOUR
                    found = self._stories.headlines(since, self._as_of, MOST_FOUND, only)
                return Found([picked.candidate.source.best for picked in found], {})
            case Counts():
                with self._store.within(answer_budget()) as budget:
                    width = _LENGTHS[given.by]
                    counted, _ = pages.tally(self._store, self._within(given.query), width, self._as_of)
                periods = [
                    {"start": iso(start), "posts": counted[start]} for start in sorted(counted)[-PERIODS:]
                ]
                total = {"total": counted.total(), "exact": not budget.is_used_up}
                return Found((), {**total, "counts": periods})
        raise AssertionError(given)

    def _within(self, query: str) -> str:
        """A query within the filter of the request. Raises QueryError."""
        return joined(query, self._where)


def _arguments(call: ToolCall) -> msgspec.Struct:
    """The arguments of a call. Raises ValidationError, also for a tool that does not exist."""
    if call.name not in _TOOLS:
        raise msgspec.ValidationError(f"there is no such tool; use one of {', '.join(_TOOLS)}")
    if len(call.arguments) > MOST_ARGUMENTS:
        raise msgspec.ValidationError(f"the arguments are longer than {MOST_ARGUMENTS} characters")
    try:
        return msgspec.json.decode(call.arguments.encode(errors="replace"), type=_TOOLS[call.name])
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        raise msgspec.ValidationError("the arguments are no JSON object") from None
