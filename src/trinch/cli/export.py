"""`trinch export`: write all posts that match a query to a file."""

import os
import sys
from pathlib import Path

import click

from trinch.cli import console
from trinch.cli.options import as_of_option, data_option, filter_options, open_store


@click.command()
@click.argument("query", nargs=-1)
@click.option(
    "--format", "format", type=click.Choice(["jsonl", "csv", "parquet"]), default="jsonl", show_default=True,
    help="jsonl can be ingested again as it was; parquet needs the extra tables.",
)  # fmt: skip
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="File to write; standard output by default.",
)  # fmt: skip
@filter_options
@as_of_option
@data_option
def export(
    query: tuple[str, ...], format: str, output: Path | None, where: str, earlier: tuple[str, ...], as_of: int | None,
    data: Path,
) -> None:  # fmt: skip
    """Write all visible posts that match a query (see trinch search), with all their fields; without QUERY, all posts.

    Posts are written in the order of their ingestion, any number of them in bounded memory. FILE appears when it is
    complete.

    \b
    Example:
      trinch export storm lang:en --format csv -o storm.csv
      trinch export --format parquet -o all.parquet
    """
    from trinch.service.export import WRITERS, ExportError, import_arrow
    from trinch.service.search import matches
    from trinch.store.query import QueryError

    store = open_store(data, True)
    try:
        if format == "parquet":
            import_arrow()
        found = matches(store, " ".join(query), earlier=earlier, where=where, as_of=as_of)
        if output is None:
            written = WRITERS[format](found, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            part = output.with_name(f".{output.name}.{os.getpid()}.part")
            try:
                with part.open("wb") as file:
                    written = WRITERS[format](found, file)
                part.replace(output)
            finally:
                part.unlink(missing_ok=True)
    except ExportError as error:
        console.fail(str(error), 1)
    except QueryError as error:
        console.fail(str(error), 2)
    console.note(f"{written:,} posts")
    raise SystemExit(0 if written else 1)
