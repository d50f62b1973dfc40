"""The web page: `/` with its answer rendered on the server, the static files, and the events of deleted posts.

The page shows what the API returns; its script sends further questions to `/v1/ask`. Without the scope `read` the page
holds no post; its script then asks for a key. Posts are hostile input: the templates escape everything, and the
Content-Security-Policy lets nothing run or load but our own files.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from trinch.posts.times import iso
from trinch.server import answering
from trinch.server.api import v1
from trinch.server.app_state import state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.server.web.deletion_watch import DeletionWatch
from trinch.server.web.translations import LANGUAGES, Translations, preferred
from trinch.service.conversation import CONTEXT
from trinch.service.search import search
from trinch.store.store import Store

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

MAX_QUESTION = 2000
"""Characters of a question."""

SUMMARY_SECONDS = 15.0
"""Time for which the summary of the store is cached."""

_STATIC = Path(__file__).parent / "static"
_DAY = 86_400


class StoreSummary(NamedTuple):
    """What the page shows of the store before a question: its time span and suggestions."""

    first: int
    """Seconds since 1970, the first midnight."""
    last: int
    """Seconds since 1970, at most now; the same as `first` when the store is empty."""
    tags: list[str]
    """Hashtags of at least three visible posts, as their authors write them."""


class Visible(msgspec.Struct, forbid_unknown_fields=True):
    """Body of /page/watch."""

    keys: Annotated[list[Annotated[str, msgspec.Meta(max_length=1000)]], msgspec.Meta(max_length=500)]


class _Static(StaticFiles):
    """The static files, revalidated each time, with the page's headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = HEADERS | {"Cache-Control": "no-cache"}
                message["headers"] += [(k.lower().encode(), v.encode()) for k, v in added.items()]
            await send(message)

        await super().__call__(scope, receive, with_headers)


class Page:
    """The page of one server."""

    def __init__(self) -> None:
        self._translations = {lang: Translations(lang) for lang in LANGUAGES}
        self._watch = DeletionWatch()
        self._summary: tuple[float, StoreSummary] | None = None
        self._lock = asyncio.Lock()
        self._env = Environment(
            loader=PackageLoader("trinch.server.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.globals |= {
            "split_marked": split_marked,
            "quoted_spans": quoted_spans,
            "web_url": web_url,
            "host_name": host_name,
        }

    async def index(self, request: Request) -> Response:
        """The page; with `?q=` it holds the answer. `as_of` is a time or seconds since 1970."""
        given = request.query_params
        question, earlier = given.get("q", "").strip()[:MAX_QUESTION], given.getlist("earlier")[-CONTEXT:]
        readable = "read" in getattr(request.state, "scopes", ())
        status, answer, problem = 200, None, ""
        summary = await self._cached_summary(request)
        as_of, until = None, given.get("as_of", "")
        try:
            as_of = _as_of(until, summary)
            if question and readable:
                asked = v1.parse_question(question, earlier=earlier, where="", as_of=as_of)
                state = state_of(request)
                answer = await answering.answer(state, asked, getattr(request.state, "key", None))
        except Problem as error:
            status, problem = error.status, error.message
        lang = given.get("lang") or request.cookies.get("lang") or ""
        if lang not in LANGUAGES:
            lang = preferred(request.headers.get("accept-language", ""))
        other = next(name for name in LANGUAGES if name != lang)
        kept = [(k, v) for k, v in given.multi_items() if k != "lang"]
        html = self._env.get_template("page.html").render(
            t=self._translations[lang],
            other=other,
            other_href="/?" + urlencode([*kept, ("lang", other)]),
            theme=request.cookies["theme"] if request.cookies.get("theme") in ("dark", "light") else "",
            question=question,
            earlier=earlier,
            as_of=iso(as_of) or "",
            at=as_of // 1_000_000 if as_of is not None else summary.last,
            summary=summary,
            tags=summary.tags if readable and not question else [],
            answer=answer,
            answer_json=codec.encode(answer).decode() if answer else "",
            problem=problem,
        )
        headers = HEADERS | {"Cache-Control": "no-store", "Vary": "Accept-Language, Cookie"}
        response = HTMLResponse(html, status, headers)
        if given.get("lang") in LANGUAGES:
            response.set_cookie("lang", lang, max_age=365 * _DAY, samesite="lax", httponly=True)
        return response

    async def watch(self, request: Request) -> Response:
        """Server-sent events `gone`: the keys of posts that are no longer visible."""
        given = await codec.read_body(request, Visible)
        return codec.EventStream(self._gone(request, given.keys))

    async def _gone(self, request: Request, keys: list[str]) -> AsyncIterator[bytes]:
        state = state_of(request)
        try:
            async for left in self._watch.gone(state.search_pool, keys, state.stopping):
                yield codec.sse_event({"keys": left}, "gone")
        except Problem as problem:
            yield codec.sse_event(problem.body, "error")

    async def _cached_summary(self, request: Request) -> StoreSummary:
        async with self._lock:  # one query for all requests at once
            if self._summary is None or time.monotonic() - self._summary[0] > SUMMARY_SECONDS:
                try:
                    self._summary = time.monotonic(), await state_of(request).search_pool.run(_store_summary)
                except Problem:  # too busy: the summary before, or a page without the time slider
                    now = int(time.time())
                    return self._summary[1] if self._summary else StoreSummary(now, now, [])
            return self._summary[1]


def routes() -> list[BaseRoute]:
    """The page and its files."""
    page = Page()
    return [
        Route("/", page.index),
        Route("/page/watch", page.watch, methods=["POST"]),
        Mount("/static", _Static(directory=_STATIC)),
    ]


def _as_of(text: str, summary: StoreSummary) -> int | None:
    """The `as_of` of a link or of the time slider, whose right end means now. Raises Problem."""
    if re.fullmatch(r"\d{1,12}", text):
        return None if int(text) >= summary.last else int(text) * 1_000_000
    return v1.parse_as_of(text) if text else None


def _store_summary(store: Store) -> StoreSummary:
    days = list(store.days())
    now = int(time.time())
    if not days:
        return StoreSummary(now, now, [])
    first, last = (
        int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) for day in (days[0], days[-1])
    )
    return StoreSummary(first, max(first + 1, min(last + _DAY, now)), _tags(store))


def _tags(store: Store) -> list[str]:
    """The most frequent tags. The index may still count deleted posts: a tag needs three visible ones."""
    tags = []
    for tag in store.index.common_tags(6):
        texts = [hit.post.text for hit in search(store, tag, limit=3, sort="latest").hits]
        found = re.search(re.escape(tag) + r"\b", texts[0], re.IGNORECASE) if len(texts) == 3 else None
        if found:
            tags.append(found.group())
    return tags[:3]


def quoted_spans(answer: dict[str, Any], n: int) -> list[tuple[int, int]]:
    """The spans (start, end) that an answer quotes from its source number `n`."""
    cited = [citation for claim in answer["claims"] for citation in claim["citations"]]
    return [(citation["start"], citation["end"]) for citation in cited if citation["n"] == n]


def split_marked(text: str, spans: list[tuple[int, int]]) -> list[tuple[bool, str]]:
    """A text in pieces, each with whether it is quoted. Overlapping spans are merged."""
    pieces, at = [], 0
    for start, end in sorted(spans):
        if end > at:
            pieces += [(False, text[at : max(at, start)]), (True, text[max(at, start) : end])]
            at = end
    return [(quoted, piece) for quoted, piece in [*pieces, (False, text[at:])] if piece]


def web_url(url: Any) -> str:
    """The address if it is http or https, else an empty string: a post may hold `javascript:` links."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return ""
    return str(url) if parts.scheme in ("http", "https") and parts.hostname else ""


def host_name(url: str) -> str:
    """The host name of an address, to show."""
    return urlsplit(url).hostname or ""
