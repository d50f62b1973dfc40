"""`trinch stats`: what the store holds."""

from pathlib import Path

import click

from trinch.cli import console
from trinch.cli.options import data_option, json_option, open_store


@click.command()
@click.option(
    "--days",
    type=click.IntRange(min=0),
    default=14,
    show_default=True,
    help="Newest days to list; 0 lists all. JSON always holds all.",
)
@data_option
@json_option
def stats(days: int, data: Path, as_json: bool) -> None:
    """Show what the store holds: posts by network, language and day; how far each index is behind; sizes on disk.

    \b
    Example:
      trinch stats --days 30
    """
    from trinch.store.stats import stats as run

    found = run(open_store(data, as_json))
    if as_json:
        console.print_json(found)
    else:
        console.print_stats(found, days)
    raise SystemExit(0 if found.posts else 1)
