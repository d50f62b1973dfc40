"""Search filters of other vendors' APIs, translated into query operators.

Reads xAI's `x_search` tool and older `search_parameters`, Perplexity's date filters, and the `trinch` extension of a
request. A filter that is not supported is refused, never ignored: it would have changed the results.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from trinch.server.http.errors import Problem
from trinch.store.query import parse_time

Handles = Annotated[list[str], msgspec.Meta(max_length=50)]


class Tool(msgspec.Struct):
    """A tool that a client offers: a search tool with its filters, or a function."""

    type: str = ""
    allowed_x_handles: Handles = []
    excluded_x_handles: Handles = []
    from_date: str | None = None
    to_date: str | None = None
    allowed_domains: list[str] = []
    excluded_domains: list[str] = []
    filters: dict[str, Any] | None = None
    function: dict[str, Any] | None = None
    """A function of Chat Completions; in Responses its fields are those below."""
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class XSource(msgspec.Struct):
    """One of the sources of `search_parameters`."""

    type: str
    included_x_handles: Handles = []
    x_handles: Handles = []
    excluded_x_handles: Handles = []
    post_favorite_count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    post_view_count: Annotated[int, msgspec.Meta(ge=0)] | None = None


class SearchParameters(msgspec.Struct):
    """xAI's parameters of 2025, which its `x_search` tool replaced."""

    mode: Literal["auto", "on", "off"] = "auto"
    from_date: str | None = None
    to_date: str | None = None
    return_citations: bool = True
    max_search_results: Annotated[int, msgspec.Meta(ge=1, le=50)] = 20
    sources: list[XSource] = []


class Extension(msgspec.Struct, forbid_unknown_fields=True):
    """Our extension: `"trinch": {"as_of": …, "where": …}`."""

    as_of: str | None = None
    where: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class Filters(msgspec.Struct, kw_only=True):
    """The fields of a request, of any vendor, that restrict the results."""

    tools: list[Tool] = []
    search_parameters: SearchParameters | None = None
    search_recency_filter: Literal["hour", "day", "week", "month", "year"] | None = None
    search_after_date_filter: str | None = None
    search_before_date_filter: str | None = None
    search_domain_filter: list[str] = []
    disable_search: bool = False
    return_citations: bool = False
    trinch: Extension = msgspec.field(default_factory=Extension)

    @property
    def wants_sources(self) -> bool:
        """Whether the response has `citations` and `search_results` at its top level."""
        perplexity = (
            self.search_recency_filter or self.search_after_date_filter or self.search_before_date_filter
        )
        return self.return_citations or self.wants_all or bool(perplexity)

    @property
    def wants_all(self) -> bool:
        """Whether these lists continue, after the cited posts, with the other retrieved ones, as xAI's do."""
        older = self.search_parameters is not None and self.search_parameters.return_citations
        return older or any(tool.type == "x_search" for tool in self.tools)

    @property
    def most_sources(self) -> int:
        """The largest number of retrieved posts to list."""
        return (self.search_parameters or SearchParameters()).max_search_results


def filters_to_query(given: Filters) -> str:
    """All filters of a request as one query of operators. Raises Problem for an unsupported filter."""
    parts = [given.trinch.where and f"({given.trinch.where})"]
    for i, tool in enumerate(given.tools):
        at = f"tools[{i}]"
        if tool.type == "x_search":
            parts.append(_handles(tool.allowed_x_handles, tool.excluded_x_handles, at))
            parts.append(_dates(tool.from_date, tool.to_date, at))
        elif tool.type.startswith("web_search") and (
            tool.allowed_domains or tool.excluded_domains or (tool.filters or {}).values()
        ):
            raise _unsupported("domain filters: only posts are searched, not the web", at)
    if given.search_parameters:
        parts += _legacy_parameters(given.search_parameters)
    if given.search_domain_filter:
        raise _unsupported("domain filters: only posts are searched, not the web", "search_domain_filter")
    if given.disable_search:
        raise _unsupported("answers without a search", "disable_search")
    if given.search_recency_filter:
        days = {"hour": "1h", "day": "1d", "week": "7d", "month": "30d", "year": "365d"}
        parts.append(f"within_time:{days[given.search_recency_filter]}")
    for name, operator in (("search_after_date_filter", "since"), ("search_before_date_filter", "until")):
        if text := getattr(given, name):
            parts.append(f"{operator}:{_us_date(text, name)}")
    return " ".join(part for part in parts if part)


def _legacy_parameters(given: SearchParameters) -> list[str]:
    if given.mode == "off":
        raise _unsupported("answers without a search", "search_parameters.mode")
    if given.sources and all(source.type != "x" for source in given.sources):
        raise _unsupported("sources other than x: only posts are searched", "search_parameters.sources")
    parts = [_dates(given.from_date, given.to_date, "search_parameters")]
    for i, source in enumerate(given.sources):
        at = f"search_parameters.sources[{i}]"
        if source.type == "x":
            allowed = source.included_x_handles or source.x_handles
            parts.append(_handles(allowed, source.excluded_x_handles, at))
            if source.post_view_count:
                raise _unsupported("post_view_count: the views of posts are not known", at)
            if source.post_favorite_count:
                parts.append(f"min_faves:{source.post_favorite_count}")
    return parts


_HANDLE = re.compile(r"@?([\w.:-]{1,253})", re.ASCII).fullmatch


def _handles(allowed: list[str], excluded: list[str], at: str) -> str:
    if allowed and excluded:
        raise Problem(
            400, "allowed_x_handles and excluded_x_handles exclude each other", param=at, code="invalid_value"
        )
    names = []
    for handle in allowed or excluded:
        match = _HANDLE(handle)
        if not match:
            raise Problem(400, f"not a handle: {handle[:80]!r}", param=at, code="invalid_value")
        names.append(match[1])
    if allowed:
        return f"({' OR '.join(f'from:{name}' for name in names)})"
    return " ".join(f"-from:{name}" for name in names)


def _dates(start: str | None, end: str | None, at: str) -> str:
    """Both ends are inclusive: a bare date as the end includes all of that day."""
    parts = []
    try:
        if start:
            parse_time(start)
            parts.append(f'since:"{start}"')
        if end:
            parse_time(end)
            if len(end) == len("2026-03-01"):
                end = (datetime.fromisoformat(end) + timedelta(days=1)).date().isoformat()
            parts.append(f'until:"{end}"')
    except (ValueError, OverflowError) as error:
        raise Problem(400, str(error), param=at, code="bad_time") from None
    return " ".join(parts)


def _us_date(text: str, param: str) -> str:
    """Perplexity's `3/1/2026` as `2026-03-01`; ISO dates are accepted too."""
    for form in ("%m/%d/%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date().isoformat()
        except ValueError:
            continue
    raise Problem(400, f"cannot read the date {text[:40]!r}; write 3/1/2026", param=param, code="bad_time")


def _unsupported(what: str, param: str) -> Problem:
    return Problem(400, f"not supported: {what}", param=param, code="unsupported_parameter")
