"""`trinch places`: where the posts of a search were written."""

from pathlib import Path

import click

from trinch.cli import console
from trinch.cli.options import as_of_option, data_option, json_option, open_store


@click.command()
@click.argument("query", nargs=-1)
@click.option("--where", default="", metavar="OPERATORS", help="Only posts that match these operators too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Most places.")
@as_of_option
@data_option
@json_option
def places(
    query: tuple[str, ...], where: str, limit: int, as_of: int | None, data: Path, as_json: bool
) -> None:
    """List the places where the posts that match a query were written, as far as their authors shared them.

    \b
    Example:
      trinch places storm lang:en
    """
    from trinch.service.places import places_json
    from trinch.store.query import QueryError

    try:
        found = places_json(open_store(data, as_json), " ".join(query), where, as_of, limit)
    except QueryError as error:
        console.fail(str(error), 2)
    if as_json:
        console.print_json(found)
    else:
        rows = [
            (
                ", ".join(filter(None, (place["name"], place["country"]))),
                f"{place['latitude']:.2f}",
                f"{place['longitude']:.2f}",
                place["posts"],
            )
            for place in found["places"]
        ]
        console.table("", ("place", "north", "east", "posts"), rows)
        console.note(f"{found['total']['posts']:,} posts with a place")
    raise SystemExit(0 if found["places"] else 1)
