"""`trinch brief`: what happened since a time, by topic, each line cited."""

from pathlib import Path
from typing import Any

import click

from trinch.cli import console
from trinch.cli.options import as_of_option, data_option, json_option
from trinch.cli.stories import open_terms


@click.command()
@click.option(
    "--topics",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="File with a topic on each line, words or search operators; `-` is standard input. Default: all stories.",
)
@click.option("--topic", multiple=True, metavar="TOPIC", help="One topic; repeatable.")
@click.option(
    "--since",
    default="yesterday",
    show_default=True,
    metavar="TIME",
    help="yesterday, monday, 24h, a date or a time: that of the last brief, to read what changed since.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "html", "email"]),
    default="md",
    show_default=True,
    help="Markdown, one HTML page, or an e-mail.",
)
@click.option(
    "--limit", type=click.IntRange(1, 50), default=8, show_default=True, help="Most stories of a topic."
)
@as_of_option
@data_option
@json_option
def brief(
    topics: Path | None,
    topic: tuple[str, ...],
    since: str,
    form: Any,
    limit: int,
    as_of: int | None,
    data: Path,
    as_json: bool,
) -> None:
    """Write a brief: what happened since a time, grouped by topic, and what of it is new. Each line is cited.

    Made of exact quotes, without a language model: the same request gives the same brief.

    \b
    Example:
      trinch brief --since 24h
      trinch brief --topics topics.txt --format email | sendmail editor@example.org
    """
    from trinch.service.brief_text import iter_topics
    from trinch.service.briefs import BriefError, brief_json
    from trinch.service.stories import WindowError
    from trinch.store.query import QueryError

    wanted = [*topic, *(iter_topics(click.open_file(str(topics), encoding="utf-8").read()) if topics else ())]
    try:
        made = brief_json(open_terms(data, as_json), wanted, since, as_of, limit, None if as_json else form)
    except (BriefError, WindowError, QueryError) as error:
        console.fail(str(error), 2)
    if as_json:
        console.print_json(made)
    else:
        click.echo(made["text"], nl=False)
    raise SystemExit(0 if any(part["stories"] or part["quotes"] for part in made["topics"]) else 1)
