"""The web page: its views, its static files, a summary of the store, and the events of deleted posts.

`/embed` is one answer for a frame of another site. `/` is what is happening now, or with `?q=` the answer to a question, rendered here; `/search`, `/live`, `/plan`
and `/story/{id}` are filled by their scripts from the API. Without the scope `read` no view holds a post; its script then
asks for a key. Posts are hostile input: the templates escape everything, and the Content-Security-Policy lets nothing
run or load but our own files.
"""

import re
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from trinch.posts.times import iso
from trinch.server import answering
from trinch.server.api import v1
from trinch.server.app_state import state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.server.web import template_functions
from trinch.server.web.deletion_watch import DeletionWatch
from trinch.server.web.embed import Embedded, EmbedKey
from trinch.server.web.summary import CachedSummary
from trinch.server.web.translations import LANGUAGES, Translations, preferred
from trinch.service.conversation import CONTEXT
from trinch.service.plan import choices

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

EMBED_HEADERS = {
    "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace(
        "frame-ancestors 'none'", "frame-ancestors *"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Of `/embed`: other sites may show it in a frame."""

_ANSWERS = '<div id="answers">'
"""Where the answer begins in the template `ask`."""

MAX_QUESTION = 2000
"""Characters of a question."""

_STATIC = Path(__file__).parent / "static"
_YEAR = 365 * 86_400


class Watched(msgspec.Struct, forbid_unknown_fields=True):
    """Body of /page/watch."""

    keys: Annotated[list[Annotated[str, msgspec.Meta(max_length=1000)]], msgspec.Meta(max_length=500)]


class Embed(msgspec.Struct, forbid_unknown_fields=True):
    """Body of /page/embed."""

    question: v1.Question
    as_of: str
    earlier: v1.Earlier = []


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
        self._summary = CachedSummary()
        self._env = Environment(
            loader=PackageLoader("trinch.server.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.globals |= {
            name: getattr(template_functions, name)
            for name in ("split_marked", "quoted_spans", "web_url", "host_name")
        }

    async def home(self, request: Request) -> Response:
        """What is happening now; with `?q=` the answer, in which `earlier` may be repeated.

        The frame is sent at once and painted while the answer is made."""
        given = request.query_params
        question, earlier = given.get("q", "").strip()[:MAX_QUESTION], given.getlist("earlier")[-CONTEXT:]
        if not question:
            return self._render(request, "now")
        shown: dict[str, Any] = {"title": question, "earlier": earlier, "as_of": "", **_answered(None)}
        try:
            as_of = _as_of(given.get("as_of", ""))
            shown["as_of"] = iso(as_of) or ""
            asked = v1.parse_question(question, earlier=earlier, where="", as_of=as_of)
        except Problem as error:
            return self._render(request, "ask", error.status, **shown | {"problem": error.message})
        if "read" not in getattr(request.state, "scopes", ()):
            return self._render(request, "ask", **shown)

        async def parts() -> AsyncIterator[str]:
            frame, slot, _ = self._html(request, "ask", **shown).partition(_ANSWERS)
            yield frame
            try:
                key = getattr(request.state, "key", None)
                found = _answered(await answering.answer(state_of(request), asked, key))
            except Problem as error:
                found = _answered(None) | {"problem": error.message}
            yield slot + self._html(request, "ask", **shown | found).partition(_ANSWERS)[2]

        return self._with_headers(request, StreamingResponse(parts(), media_type="text/html"))

    async def search(self, request: Request) -> Response:
        return self._render(request, "search", title=request.query_params.get("q", ""))

    async def live(self, request: Request) -> Response:
        return self._render(request, "live", title=request.query_params.get("q", ""))

    async def alerts(self, request: Request) -> Response:
        return self._render(request, "alerts")

    async def brief(self, request: Request) -> Response:
        return self._render(request, "brief")

    async def places(self, request: Request) -> Response:
        return self._render(request, "places", title=request.query_params.get("q", ""))

    async def plan(self, request: Request) -> Response:
        return self._render(request, "plan", choices=choices())

    async def story(self, request: Request) -> Response:
        return self._render(request, "story", story=request.path_params["id"])

    def _render(self, request: Request, view: str, status: int = 200, **values: Any) -> Response:
        """One view as a response. No view waits for a query of the store but an answer."""
        return self._with_headers(request, HTMLResponse(self._html(request, view, **values), status))

    def _with_headers(self, request: Request, response: Response) -> Response:
        for name, value in {
            **HEADERS,
            "Cache-Control": "no-store",
            "Vary": "Accept-Language, Cookie",
        }.items():
            response.headers[name] = value
        lang = request.query_params.get("lang")
        if lang in LANGUAGES:
            response.set_cookie("lang", lang, max_age=_YEAR, samesite="lax", httponly=True)
        return response

    def _html(self, request: Request, view: str, **values: Any) -> str:
        """One view in the language and theme of the reader."""
        given = request.query_params
        lang = given.get("lang") or request.cookies.get("lang") or ""
        if lang not in LANGUAGES:
            lang = preferred(request.headers.get("accept-language", ""))
        other = next(name for name in LANGUAGES if name != lang)
        kept = [(k, v) for k, v in given.multi_items() if k != "lang"]
        theme = request.cookies.get("theme", "")
        shown = {
            "t": self._translations[lang],
            "view": view,
            "modules": modules(view),
            "other": other,
            "other_href": f"{request.url.path}?" + urlencode([*kept, ("lang", other)]),
            "theme": theme if theme in ("dark", "light") else "",
            "question": given.get("q", "").strip()[:MAX_QUESTION],
            "as_of": given.get("as_of", ""),
            "title": "",
            "styles": (),
        }
        return self._env.get_template(f"{view}.html").render(**(shown | values))

    async def summary(self, request: Request) -> Response:
        """The summary of the store, and whether this server has alerts."""
        found = await self._summary.get(state_of(request).search_pool)
        alerts = any(getattr(route, "path", "") == "/v1/alerts" for route in request.app.routes)
        return codec.Json(found | {"alerts": alerts}, headers={"Cache-Control": "no-store"})

    async def watch(self, request: Request) -> Response:
        """Server-sent events `gone`: the keys of posts that are no longer visible."""
        given = await codec.read_body(request, Watched)
        return codec.EventStream(self._gone(request, given.keys))

    async def sign_embed(self, request: Request) -> Response:
        """The address of an answer for a frame of another site: `{path}`."""
        given = await codec.read_body(request, Embed)
        v1.parse_as_of(given.as_of)
        shown = Embedded(given.question, tuple(given.earlier), given.as_of)
        return codec.Json({"path": EmbedKey(state_of(request).data).address(shown)})

    async def embed(self, request: Request) -> Response:
        """The answer of a signed address, made anew."""
        shown, state = _embedded(request), state_of(request)
        asked = v1.parse_question(
            shown.question, earlier=list(shown.earlier), where="", as_of=v1.parse_as_of(shown.as_of)
        )
        answer = await answering.answer(state, asked, None)
        response = self._render(
            request,
            "embed",
            title=shown.question,
            earlier=list(shown.earlier),
            answer=answer,
            answer_json=codec.encode(answer).decode(),
        )
        for name, value in EMBED_HEADERS.items():
            response.headers[name] = value
        return response

    async def embed_watch(self, request: Request) -> Response:
        """`watch` for the posts of a signed address."""
        _embedded(request)
        given = await codec.read_body(request, Watched)
        return codec.EventStream(self._gone(request, given.keys))

    async def _gone(self, request: Request, keys: list[str]) -> AsyncIterator[bytes]:
        state = state_of(request)
        try:
            async for left in self._watch.gone(state.search_pool, keys, state.stopping):
                yield codec.sse_event({"keys": left}, "gone")
        except Problem as problem:
            yield codec.sse_event(problem.body, "error")


def routes() -> list[BaseRoute]:
    """The page and its files."""
    page = Page()
    return [
        Route("/", page.home),
        Route("/search", page.search),
        Route("/live", page.live),
        Route("/plan", page.plan),
        Route("/story/{id:path}", page.story),
        Route("/alerts", page.alerts),
        Route("/brief", page.brief),
        Route("/places", page.places),
        Route("/page/summary", page.summary),
        Route("/page/watch", page.watch, methods=["POST"]),
        Route("/page/embed", page.sign_embed, methods=["POST"]),
        Route("/embed", page.embed),
        Route("/embed/watch", page.embed_watch, methods=["POST"]),
        Mount("/static", _Static(directory=_STATIC)),
    ]


@cache
def modules(view: str) -> tuple[str, ...]:
    """The script of a view and all modules that it imports, to be fetched at once."""
    found, waiting = [], [view]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            text = (_STATIC / f"{name}.js").read_text("utf-8")
            waiting += re.findall(r'^(?:import|export) .*?from "\./(\w+)\.js";$', text, re.MULTILINE)
    return tuple(found)


def _embedded(request: Request) -> Embedded:
    """What a signed address shows. Raises Problem where the signature is not ours."""
    given = request.query_params
    shown = Embedded(given.get("q", ""), tuple(given.getlist("earlier")), given.get("as_of", ""))
    if not EmbedKey(state_of(request).data).is_signed(shown, given.get("signature", "")):
        raise Problem(403, "this address was not made by this server, or was revoked", code="bad_signature")
    return shown


def _answered(answer: dict[str, Any] | None) -> dict[str, Any]:
    """What the template needs of an answer."""
    return {"answer": answer, "answer_json": codec.encode(answer).decode() if answer else "", "problem": ""}


def _as_of(text: str) -> int | None:
    """The `as_of` of an address: a time, or seconds since 1970. Raises Problem."""
    if re.fullmatch(r"\d{5,12}", text):
        return int(text) * 1_000_000
    return v1.parse_as_of(text)
