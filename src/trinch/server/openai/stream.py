"""Telling an answer to a chat client: whole, or piece by piece with a last look at the log before each.

Owns the order of those looks and what goes beside the text: the typed answer and, on request, lists of sources.
Knows nothing of the envelopes around it.
"""

from collections.abc import AsyncIterator
from typing import Any

from trinch.server.app_state import AppState
from trinch.server.openai.markdown import Piece, post_url, no_evidence_text, piece_of, post_title
from trinch.server.openai.search_filters import Filters
from trinch.service import serialize, volume
from trinch.service.ask import Asked
from trinch.store.query import parse_time


async def told(
    state: AppState, asked: Asked, base: str, linked: bool = False
) -> AsyncIterator[tuple[dict[str, Any], Piece]]:
    """The pieces of an answer in turn, each with the answer as it stands then; what vanished is left out.

    The last piece is empty: with it comes the answer as it stands when all is told."""
    shown = await state.answer_pool.run(serialize.answered, asked, state.language_model)
    length, numbers = 0, dict[str, int]()
    for n in [claim["n"] for claim in shown["claims"]]:
        shown = serialize.numbered(await state.search_pool.run(serialize.standing, shown), numbers)
        for claim in [claim for claim in shown["claims"] if claim["n"] == n]:
            piece = piece_of(claim, length, base, linked)
            length += len(piece.text)
            numbers |= {citation["key"]: citation["n"] for citation in claim["citations"]}
            yield shown, piece
    if not length:
        yield shown, Piece(no_evidence_text(asked.text), [])
    yield await state.search_pool.run(serialize.standing, shown), Piece("", [])


async def retrieved_posts(state: AppState, asked: Asked, shown: dict[str, Any], most: int) -> list[dict[str, Any]]:
    """The posts that an answer was chosen from, best first."""
    return await state.answer_pool.run(volume.seen, asked._replace(as_of=parse_time(shown["as_of"])), most)


async def visible_posts(state: AppState, also: list[dict[str, Any]], shown: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of the posts seen that may be shown now: telling takes as long as a client takes to read."""
    keys = [post["key"] for post in also]
    left = await state.search_pool.run(serialize.visible, keys, parse_time(shown["as_of"])) if keys else []
    return [post for post in also if post["key"] in left]


def extras(given: Filters, shown: dict[str, Any], also: list[dict[str, Any]], base: str) -> dict[str, Any]:
    """The typed answer, and the lists of sources where they are asked for."""
    return {"trinch": shown} | (sources(shown, also, base) if given.wants_sources else {})


def sources(shown: dict[str, Any], also: list[dict[str, Any]], base: str) -> dict[str, Any]:
    """Perplexity's and xAI's lists: the sources in the order of the markers, then what else was seen. One that was
    taken back since its marker was sent leaves its place empty."""
    cited = {source["n"]: source for source in shown["sources"]}
    keys = {source["key"] for source in cited.values()}
    posts = [cited.get(n) for n in range(1, max(cited, default=0) + 1)]
    found = [_result(post, base) for post in [*posts, *(post for post in also if post["key"] not in keys)]]
    return {"citations": [result["url"] for result in found], "search_results": found}


def _result(post: dict[str, Any] | None, base: str) -> dict[str, Any]:
    if post is None:
        return {"title": "", "url": "", "date": None, "last_updated": None, "snippet": ""}
    day = post["created_at"][:10]
    return {
        "title": post_title(post),
        "url": post_url(post, base),
        "date": day,
        "last_updated": day,
        "snippet": post["text"],
    }
