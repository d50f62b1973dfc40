"""The verbs of this room, for the front door (`cli.py`): serve.

Owns their options and what they print. Knows nothing of how anything is served.
"""

from pathlib import Path

import click

from trinch.cli import data_option


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8377, show_default=True)
@data_option
def serve(host: str, port: int, data: Path) -> None:
    """Drink, answer and show: everything a team needs, in one process group.

    \b
    Example:
      trinch serve
    """
    from trinch.server.serve import run

    run(data, host, port)


if __name__ == "__main__":
    serve()
