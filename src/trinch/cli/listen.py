"""`trinch listen`: ingest live sources until interrupted."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trinch.cli import console
from trinch.cli.options import data_option, json_option

if TYPE_CHECKING:
    from trinch.service.listen import Listened
    from trinch.sources.live import LiveSource


@click.command()
@click.argument("sources", nargs=-1, envvar="TRINCH_LISTEN")
@click.option("--url", help="Address of the source, instead of writing SOURCE:ADDRESS.")
@click.option(
    "--rule", "rules", multiple=True, metavar="RULE", help="Rule of X's filtered stream; repeatable."
)
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after this many seconds.")
@click.option("--posts", type=click.IntRange(min=1), help="Stop after this many accepted events.")
@data_option
@json_option
def listen(
    sources: tuple[str, ...], url: str | None, rules: tuple[str, ...], seconds: float | None, posts: int | None,
    data: Path, as_json: bool,
) -> None:  # fmt: skip
    """Ingest live sources until interrupted. Resumes where each stopped, as far as it allows.

    SOURCES are one or several of jetstream (Bluesky), x, mastodon:HOST, feed:ADDRESS, nats://HOST/SUBJECT and
    kafka://HOST/TOPIC; without any, those of TRINCH_LISTEN or trinch.toml. docs/sources.md has their settings.

    \b
    Example:
      trinch listen jetstream
      trinch listen x --rule "storm lang:en"
      trinch listen "x:search?query=storm" mastodon:mastodon.social
      trinch listen feed:https://news.example/rss --seconds 60
      trinch listen nats://127.0.0.1:4222/posts.en
    """
    from trinch.cli.interrupts import run_until_interrupted
    from trinch.service.listen import listen_all

    opened = _opened(_addresses(sources, url, rules))
    report = console.live_line() if not as_json else None
    done = run_until_interrupted(
        lambda stop: listen_all(
            data, opened, stop=stop, seconds=seconds, posts=posts, report=_named(report, len(opened))
        )
    )
    _print(done, as_json)
    for one in done:
        if one.refused:
            console.warn(f"{one.name}: {one.refused}")
    raise SystemExit(
        0 if any(one.totals.read for one in done) and not any(one.refused for one in done) else 1
    )


def _addresses(sources: tuple[str, ...], url: str | None, rules: tuple[str, ...]) -> list[str]:
    """The addresses of the sources, with what the options say; exits with 2 where they cannot be combined."""
    from trinch.service.config import filtered_stream

    if not sources:
        console.fail("name a source, such as jetstream, or put [[sources]] into trinch.toml", 2)
    if (url or rules) and len(sources) > 1:
        console.fail("--url and --rule are for one source", 2)
    source = sources[0]
    if url:
        return [url if source == "jetstream" else f"{source}:{url}"]
    if rules:
        if source not in ("x", "x:filter"):
            console.fail("--rule is for x alone", 2)
        return [filtered_stream(rules)]
    return list(sources)


def _opened(addresses: Sequence[str]) -> "list[LiveSource]":
    """The sources at the addresses, each once; exits with 2 where one cannot be used."""
    from trinch.sources.registry import open_source

    try:
        return list({source.name: source for source in map(open_source, addresses)}.values())
    except ValueError as error:
        console.fail(str(error), 2)


def _named(report: Callable[[Any, str], None] | None, count: int) -> Callable[[str, Any, str], None]:
    """A reporter for several sources, with the name of each where there is more than one."""

    def shown(name: str, totals: Any, state: str) -> None:
        if report:
            report(totals, f"{name}: {state}" if count > 1 else state)

    return shown


def _print(done: "Sequence[Listened]", as_json: bool) -> None:
    if as_json:
        totals = {one.name: one.totals for one in done}
        console.print_json(done[0].totals if len(done) == 1 else totals)
        return
    console.out().print()
    for one in done:
        if len(done) > 1:
            console.out().print(console.escape(one.name))
        console.summary(console.fields(one.totals))
