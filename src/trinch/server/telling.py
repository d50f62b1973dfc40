"""Telling an answer to a chat client: whole, or piece by piece with a last look at the log before each.

Owns the order of those looks and what goes beside the text: the typed answer and, on request, lists of sources.
Knows nothing of the envelopes around it.
"""

from collections.abc import AsyncIterator
from typing import Any

from trinch.server import shapes
from trinch.server.asking import Asked
from trinch.server.filters import Filters
from trinch.server.state import State
from trinch.server.wording import Piece, address, nothing, piece_of, title


async def told(
    state: State, asked: Asked, base: str, linked: bool = False
) -> AsyncIterator[tuple[dict[str, Any], Piece]]:
    """The pieces of an answer in turn, each with the answer as it stands then; what vanished is left out.

    The last piece is empty: with it comes the answer as it stands when all is told."""
    shown = await state.askers.run(shapes.answered, asked, state.writer)
    length = 0
    for n in [claim["n"] for claim in shown["claims"]]:
        shown = await state.readers.run(shapes.standing, shown)
        for claim in [claim for claim in shown["claims"] if claim["n"] == n]:
            piece = piece_of(claim, length, base, linked)
            length += len(piece.text)
            yield shown, piece
    if not length:
        yield shown, Piece(nothing(asked.text), [])
    yield await state.readers.run(shapes.standing, shown), Piece("", [])


async def whole(
    state: State, asked: Asked, base: str, linked: bool = False
) -> tuple[dict[str, Any], list[Piece]]:
    """The answer and all its pieces at once."""
    each = [item async for item in told(state, asked, base, linked)]
    return each[-1][0], [piece for _, piece in each]


def extras(given: Filters, shown: dict[str, Any], base: str) -> dict[str, Any]:
    """The typed answer, and the lists of sources where they are asked for."""
    return {"trinch": shown} | (sources(shown, base) if given.wants_sources else {})


def sources(shown: dict[str, Any], base: str) -> dict[str, Any]:
    """Perplexity's and xAI's lists, in the order of the markers."""
    found = [
        {
            "title": title(source),
            "url": address(source, base),
            "date": source["created_at"][:10],
            "last_updated": source["created_at"][:10],
            "snippet": source["text"],
        }
        for source in shown["sources"]
    ]
    return {"citations": [source["url"] for source in found], "search_results": found}
