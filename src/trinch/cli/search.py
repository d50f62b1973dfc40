"""`trinch search`: find posts by X's operators, or run a batch of queries."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from trinch.cli import console
from trinch.cli.options import as_of_option, data_option, filter_options, json_option, open_store

if TYPE_CHECKING:
    from trinch.store.store import Store


@click.command()
@click.argument("query", nargs=-1)
@click.option("--limit", type=click.IntRange(1, 10_000), help="Most posts; 10 by default, 1000 in a batch.")
@click.option(
    "--sort",
    type=click.Choice(["relevance", "latest"]),
    default="relevance",
    show_default=True,
    help="Best or newest first.",
)
@click.option(
    "--batch", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Queries as JSON lines."
)
@click.option("--trec", type=click.Path(dir_okay=False, path_type=Path), help="File for the run of a batch.")
@click.option(
    "--cursor", default="", metavar="TEXT", help="Show the page behind this cursor of the page before."
)
@click.option("--total", is_flag=True, help="Count all posts that match.")
@filter_options
@as_of_option
@data_option
@json_option
def search(
    query: tuple[str, ...],
    limit: int | None,
    sort: str,
    batch: Path | None,
    trec: Path | None,
    cursor: str,
    total: bool,
    where: str,
    earlier: tuple[str, ...],
    as_of: int | None,
    data: Path,
    as_json: bool,
) -> None:
    """Find posts with the operators of X's search box.

    Words are ANDed; "phrase", OR, -not, ( ), from: to: @user #tag $CASH since: until: lang: filter:links
    min_faves: url: and more: see docs/search.md.

    A batch ranks by all the words (any may be missing): each line {"_id", "text", "as_of"?};
    the run is in TREC format.

    \b
    Example:
      trinch search '"dam break" since:2026-05-01 -filter:retweets' --sort latest --total
      trinch search --batch queries.jsonl --trec run.txt
    """
    from trinch.answers.render import PARTIAL
    from trinch.service.search import search as run
    from trinch.service.search import search_json
    from trinch.store.pages import CursorError
    from trinch.store.query import QueryError

    text = " ".join(query)
    if bool(query) == bool(batch) or bool(batch) != bool(trec):
        console.fail("give either a QUERY, or --batch with --trec", 2)
    store = open_store(data, as_json)
    if batch and trec:
        _run_batch(store, batch, trec, limit or 1000, as_of)
    try:
        found = run(
            store, text, earlier=earlier, where=where, limit=limit or 10, sort=sort, as_of=as_of, cursor=cursor,
            total=total,
        )  # fmt: skip
    except (QueryError, CursorError) as error:
        console.fail(str(error), 2)
    if as_json:
        console.print_json(search_json(found))
    else:
        console.print_hits(found.hits)
        for hint in found.hints:
            console.note(hint)
        of = f" of {found.total.posts:,}" if found.total else ""
        console.note(f"{len(found.hits)}{of} posts, {found.took_ms:.1f} ms")
        if found.next:
            console.note(f"next page: --cursor {found.next}")
        if found.hits.partial:
            console.warn(PARTIAL)
    raise SystemExit(0 if found.hits else 1)


def _run_batch(store: "Store", batch: Path, run: Path, limit: int, as_of: int | None) -> NoReturn:
    """Write the TREC run of a batch of queries and exit: 1 if no query found anything, 2 for a bad line."""
    from trinch.store.trec_run import run_batch

    try:
        found = run_batch(store, batch, run, limit, as_of)
    except ValueError as error:
        console.fail(str(error), 2)
    raise SystemExit(0 if found else 1)
