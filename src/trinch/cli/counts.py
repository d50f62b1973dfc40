"""`trinch counts`: how many posts match a query, over time."""

from pathlib import Path

import click

from trinch.cli import console
from trinch.cli.options import as_of_option, data_option, filter_options, json_option, open_store


@click.command()
@click.argument("query", nargs=-1)
@click.option(
    "--by",
    type=click.Choice(["minute", "hour", "day"]),
    default="day",
    show_default=True,
    help="Width of a count, UTC.",
)
@filter_options
@as_of_option
@data_option
@json_option
def counts(
    query: tuple[str, ...],
    by: str,
    where: str,
    earlier: tuple[str, ...],
    as_of: int | None,
    data: Path,
    as_json: bool,
) -> None:
    """Count the posts that match a query (see trinch search) by minute, hour or day; without QUERY, all posts.

    Minutes, hours and days without posts are left out. Undated posts are counted apart.

    \b
    Example:
      trinch counts storm lang:en --by hour
    """
    from trinch.service.volume import counts_json
    from trinch.store.query import QueryError

    store = open_store(data, as_json)
    try:
        found = counts_json(store, " ".join(query), by, earlier=earlier, where=where, as_of=as_of)  # type: ignore[arg-type]  # click checked `by`
    except QueryError as error:
        console.fail(str(error), 2)
    if as_json:
        console.print_json(found)
    else:
        console.table("", (by, "posts"), [(one["start"], one["posts"]) for one in found["counts"]])
        undated = f", {found['undated']:,} of them undated" if found["undated"] else ""
        console.note(f"{found['total']['posts']:,} posts{undated}")
    raise SystemExit(0 if found["total"]["posts"] else 1)
