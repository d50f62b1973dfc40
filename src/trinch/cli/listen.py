"""`trinch listen`: ingest a live source until interrupted."""

from pathlib import Path
from urllib.parse import quote_plus

import click

from trinch.cli import console
from trinch.cli.options import data_option, json_option


@click.command()
@click.argument("source")
@click.option("--url", help="Address of the source, instead of writing SOURCE:ADDRESS.")
@click.option(
    "--rule", "rules", multiple=True, metavar="RULE", help="Rule of X's filtered stream; repeatable."
)
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after this many seconds.")
@click.option("--posts", type=click.IntRange(min=1), help="Stop after this many accepted events.")
@data_option
@json_option
def listen(
    source: str, url: str | None, rules: tuple[str, ...], seconds: float | None, posts: int | None, data: Path,
    as_json: bool,
) -> None:  # fmt: skip
    """Ingest a live source until interrupted. Resumes where it stopped, as far as the source allows.

    SOURCE is jetstream (Bluesky), x, mastodon:HOST or feed:ADDRESS; docs/sources.md has their addresses and settings.

    \b
    Example:
      trinch listen jetstream
      trinch listen x --rule "storm lang:en"
      trinch listen "x:search?query=storm"
      trinch listen mastodon:mastodon.social
      trinch listen feed:https://news.example/rss --seconds 60
    """
    from trinch.cli.interrupts import run_until_interrupted
    from trinch.service.listen import listen_until
    from trinch.sources.live import Refused
    from trinch.sources.registry import open_source

    if url:
        source = url if source == "jetstream" else f"{source}:{url}"
    if rules:
        if source not in ("x", "x:filter"):
            console.fail("--rule is for x alone", 2)
        source = "x:filter?" + "&".join(f"rule={quote_plus(rule)}" for rule in rules)
    try:
        opened = open_source(source)
    except ValueError as error:
        console.fail(str(error), 2)
    report = (lambda *_: None) if as_json else console.live_line()
    try:
        totals = run_until_interrupted(
            lambda stop: listen_until(data, opened, stop=stop, seconds=seconds, posts=posts, report=report)
        )
    except Refused as error:
        console.fail(f"{opened.name}: {error}", 1)
    if as_json:
        console.print_json(totals)
    else:
        console.out().print()
        console.summary(console.fields(totals))
    raise SystemExit(0 if totals.read else 1)
