"""Running the server: the indexer beside it, the socket, a graceful end.

Owns processes and signals. Knows nothing of endpoints.
"""

from pathlib import Path

import uvicorn

from trinch.ocean import indexer
from trinch.server.app import build


def run(data: Path, host: str, port: int) -> None:
    """Serve until interrupted."""
    data.mkdir(parents=True, exist_ok=True)
    with indexer.running(data):
        config = uvicorn.Config(
            build(data), host, port, http="h11", ws="none", log_level="warning", proxy_headers=False,
            server_header=False, timeout_graceful_shutdown=4,
        )  # fmt: skip
        uvicorn.Server(config).run()
