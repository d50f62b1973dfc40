"""`trinch listen`: ingest a live network until interrupted."""

from pathlib import Path

import click

from trinch.cli import console
from trinch.cli.options import data_option, json_option


@click.command()
@click.argument("source", type=click.Choice(["jetstream"]))
@click.option("--url", help="WebSocket address of the instance (v1 or v2).")
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after this many seconds.")
@click.option("--posts", type=click.IntRange(min=1), help="Stop after this many accepted events.")
@data_option
@json_option
def listen(
    source: str, url: str | None, seconds: float | None, posts: int | None, data: Path, as_json: bool
) -> None:
    """Ingest a live network until interrupted: Bluesky through its Jetstream. Resumes where it stopped.

    \b
    Example:
      trinch listen jetstream
      trinch listen jetstream --url wss://jetstream1.us-west.bsky.network/subscribe --seconds 60
    """
    from trinch.cli.interrupts import run_until_interrupted
    from trinch.service.listen import listen_until
    from trinch.sources.jetstream_client import JETSTREAM, Jetstream

    if url and not url.startswith(("ws://", "wss://")):
        console.fail(f"--url: {url} is not a WebSocket address; write wss://…", 2)
    report = (lambda *_: None) if as_json else console.live_line()
    totals = run_until_interrupted(
        lambda stop: listen_until(
            data, Jetstream(url or JETSTREAM), stop=stop, seconds=seconds, posts=posts, report=report
        )
    )
    if as_json:
        console.print_json(totals)
    else:
        console.out().print()
        console.summary(console.fields(totals))
    raise SystemExit(0 if totals.read else 1)
