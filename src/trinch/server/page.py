"""The web page. Owns `/` and its static files. Knows nothing of the ocean."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route


async def index(_: Request) -> Response:
    return PlainTextResponse("Trinch")


def routes() -> list[BaseRoute]:
    """The page and what it loads."""
    return [Route("/", index)]
