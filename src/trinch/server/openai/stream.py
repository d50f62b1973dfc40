"""The text of an answer for chat clients, piece by piece, and the fields beside it.

These are the typed answer and, on request, the lists of sources in Perplexity's and xAI's shape.
"""

from collections.abc import AsyncIterator
from typing import Any

from trinch.server import answering
from trinch.server.app_state import AppState
from trinch.server.openai.markdown import (
    Piece,
    escape_markdown,
    partial_note,
    piece_of,
    post_title,
    post_url,
    text_without_claims,
)
from trinch.server.openai.search_filters import Filters
from trinch.service import serialize, volume
from trinch.service.ask import AskRequest
from trinch.store.query import parse_time


async def text_pieces(
    state: AppState, asked: AskRequest, base: str, key: str | None, linked: bool = False
) -> AsyncIterator[tuple[dict[str, Any], Piece]]:
    """The text of an answer piece by piece, each with the whole answer as it holds at that step.

    The headline comes with the first claim. The last piece is empty and comes with the final answer."""
    length = 0
    async for update in answering.stream(state, asked, key):
        if update.claim:
            heading = "" if length else escape_markdown(update.answer["headline"])
            text, cited = piece_of(update.claim, length + len(heading), base, linked)
            length += len(heading) + len(text)
            yield update.answer, Piece(heading + text, cited)
        else:
            if not length:
                yield update.answer, Piece(text_without_claims(update.answer, asked.text, base), [])
            if update.answer["partial"]:
                yield update.answer, Piece(partial_note(asked.text), [])
            yield update.answer, Piece("", [])


async def retrieved_posts(
    state: AppState, asked: AskRequest, shown: dict[str, Any], most: int
) -> list[dict[str, Any]]:
    """The posts that an answer was chosen from, best first."""
    return await state.answer_pool.run(
        volume.retrieved_posts, asked._replace(as_of=parse_time(shown["as_of"])), most
    )


async def visible_posts(
    state: AppState, retrieved: list[dict[str, Any]], shown: dict[str, Any]
) -> list[dict[str, Any]]:
    """Those of the retrieved posts that are still visible: a stream takes as long as the client takes to read."""
    keys = [post["key"] for post in retrieved]
    left = (
        await state.search_pool.run(serialize.visible_keys, keys, parse_time(shown["as_of"])) if keys else []
    )
    return [post for post in retrieved if post["key"] in left]


def extras(given: Filters, shown: dict[str, Any], also: list[dict[str, Any]], base: str) -> dict[str, Any]:
    """The fields beside the text: the typed answer and, on request, the lists of sources."""
    return {"trinch": shown} | (source_lists(shown, also, base) if given.wants_sources else {})


def source_lists(shown: dict[str, Any], also: list[dict[str, Any]], base: str) -> dict[str, Any]:
    """Perplexity's and xAI's lists: the sources in the order of the markers, then the other retrieved posts. One that
    was deleted after its marker was sent leaves an empty entry."""
    cited = {source["n"]: source for source in shown["sources"]}
    keys = {source["key"] for source in cited.values()}
    posts = [cited.get(n) for n in range(1, max(cited, default=0) + 1)]
    found = [_result(post, base) for post in [*posts, *(post for post in also if post["key"] not in keys)]]
    return {"citations": [result["url"] for result in found], "search_results": found}


def _result(post: dict[str, Any] | None, base: str) -> dict[str, Any]:
    if post is None:
        return {"title": "", "url": "", "date": None, "last_updated": None, "snippet": ""}
    day = post["created_at"] and post["created_at"][:10]
    return {
        "title": post_title(post),
        "url": post_url(post, base),
        "date": day,
        "last_updated": day,
        "snippet": post["text"],
    }
