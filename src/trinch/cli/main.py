"""The front door: `trinch VERB …`. Thin: each verb parses its options, calls one room and prints.

Exit status everywhere: 0 success, 1 ran but not what you hoped, 2 wrong usage.
Rooms are imported inside the verbs, so that `trinch --help` stays instant and optional extras optional.
"""

import os
import signal
import sqlite3
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click

import trinch
from trinch.cli import console
from trinch.cli.options import as_of_option, data_option, json_option, model_options, model_setting
from trinch.posts.times import iso

# Our matrices are small: numpy's threads would burn as much again in waiting for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


ROOMS = {
    "serve": ("trinch.cli.serve", "Serve the API and the page, and drink from the given sources."),
    "keys": ("trinch.cli.serve", "Make, list and revoke keys of the API."),
    "mcp": ("trinch.cli.serve", "Speak the Model Context Protocol on standard input and output."),
    "plan": ("trinch.cli.plan", "Plan training and serving on thousands of GPUs."),
    "model": ("trinch.cli.model", "Inspect, check and convert Grok models."),
    "train": ("trinch.cli.train", "Train a Grok on what was drunk."),
}
"""Verbs that live beside their room, with the module and what they are for."""


class Front(click.Group):
    """A group that imports a room's verbs only when they are called, and says what a disk or a file refused."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # click knows: whoever read our output has enough
        except sqlite3.Error as error:
            console.fail(f"the store cannot be read or written: {error}; what was acknowledged is safe", 1)
        except OSError as error:
            console.fail(str(error), 1)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands, *ROOMS]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in ROOMS:
            found: click.Command = getattr(import_module(ROOMS[name][0]), name)
            return found
        return super().get_command(ctx, name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = [(name, command.get_short_help_str(80)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl([*own, *((name, purpose) for name, (_, purpose) in ROOMS.items())])


@click.group(cls=Front, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(trinch.__version__, prog_name="trinch")
def main() -> None:
    """Drink the store of posts; ask it anything; get answers that quote their sources.

    \b
    Example:
      trinch ingest posts.jsonl.zst
      trinch ask "what happened at the harbour"
    """


@main.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--format",
    "format",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "jsonl", "x", "jetstream"]),
    help="Wire format; auto looks at each line.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if anything was rejected.")
@data_option
@json_option
def ingest(paths: tuple[str, ...], format: str, strict: bool, data: Path, as_json: bool) -> None:
    """Drink files of posts: JSON lines of X (v2, v1.1, compliance), Jetstream or our own, plain, .gz or .zst.

    "-" is standard input. What cannot be read is counted and kept in DIR/rejected.jsonl.

    \b
    Example:
      trinch ingest stream-2026-*.jsonl.gz
      zstdcat archive.zst | trinch ingest -
    """
    from trinch.service.ingest import Stopped, ingest

    for path in paths:
        if path != "-" and (not Path(path).exists() or Path(path).is_dir()):
            console.fail(f"no such file: {path}", 2)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: nothing read is lost
    stopped = ""
    try:
        with console.progress("drinking", not as_json) as progress:
            totals = ingest(data, paths, format, progress)
    except Stopped as early:
        stopped, totals = str(early), early.totals
    if as_json:
        console.print_json(totals)
    else:
        console.summary(console.fields(totals))
        if totals.rejected:
            console.err.print(f"[yellow]{totals.rejected:,} rejected: see {data / 'rejected.jsonl'}[/]")
    if stopped:
        console.fail(stopped, 1)
    if (strict and totals.rejected) or not totals.read:
        raise SystemExit(1)


@main.command()
@click.argument("source", type=click.Choice(["jetstream"]))
@click.option("--url", help="WebSocket address of the instance (v1 or v2).")
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after this long.")
@click.option("--posts", type=click.IntRange(min=1), help="Stop after so many accepted events.")
@data_option
@json_option
def listen(
    source: str, url: str | None, seconds: float | None, posts: int | None, data: Path, as_json: bool
) -> None:
    """Drink a live network until interrupted: Bluesky by its Jetstream. Resumes where it left off.

    \b
    Example:
      trinch listen jetstream
      trinch listen jetstream --url wss://jetstream1.us-west.bsky.network/subscribe --seconds 60
    """
    from trinch.service.listen import listen_until
    from trinch.sources.jetstream_client import JETSTREAM, Jetstream

    if url and not url.startswith(("ws://", "wss://")):
        console.fail(f"--url: {url} is no WebSocket address; write wss://…", 2)
    totals = listen_until(
        data, Jetstream(url or JETSTREAM), seconds, posts, None if as_json else console.live_line()
    )
    if as_json:
        console.print_json(totals)
    else:
        console.out.print()
        console.summary(console.fields(totals))
    raise SystemExit(0 if totals.read else 1)


@main.command()
@click.argument("query", required=False)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), help="How many posts; 10 by default, 1000 in a batch."
)
@click.option("--sort", type=click.Choice(["relevance", "latest"]), default="relevance", show_default=True)
@click.option(
    "--batch", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Queries, JSON lines."
)
@click.option("--trec", type=click.Path(dir_okay=False, path_type=Path), help="Where a batch writes its run.")
@as_of_option
@data_option
@json_option
def search(
    query: str | None,
    limit: int | None,
    sort: str,
    batch: Path | None,
    trec: Path | None,
    as_of: int | None,
    data: Path,
    as_json: bool,
) -> None:
    """Find posts with the operators of X's search box.

    Words are ANDed; "phrase", OR, -not, ( ), from: to: @user #tag $CASH since: until: lang: filter:links
    min_faves: url: and more: see docs/search.md.

    A batch ranks by meaning of all the words (any may be missing): each line {"_id", "text", "as_of"?};
    the run is in TREC format.

    \b
    Example:
      trinch search '"dam break" since:2026-05-01 -filter:retweets' --sort latest
      trinch search --batch queries.jsonl --trec run.txt
    """
    from trinch.store.query import QueryError
    from trinch.store.store import timed_search
    from trinch.store.trec_run import run_batch

    if (query is None) == (batch is None) or (batch is None) != (trec is None):
        console.fail("give either a QUERY, or --batch with --trec", 2)
    store = _open(data, as_json)
    if batch and trec:
        try:
            found = run_batch(store, batch, trec, limit or 1000, as_of)
        except ValueError as error:
            console.fail(str(error), 2)
        raise SystemExit(0 if found else 1)
    try:
        hits, took_ms = timed_search(store, query or "", limit or 10, sort, as_of)
    except QueryError as error:
        console.fail(str(error), 2)
    if as_json:
        shown = [console.hit_json(hit) for hit in hits]
        console.print_json({"query": query, "as_of": iso(as_of), "took_ms": took_ms, "hits": shown})
    else:
        console.print_hits(hits)
        console.err.print(f"[dim]{len(hits)} posts, {took_ms:.1f} ms[/]")
    raise SystemExit(0 if hits else 1)


@main.command()
@click.argument("question")
@as_of_option
@model_options
@data_option
@json_option
def ask(
    question: str, as_of: int | None, where: str | None, model_name: str | None, data: Path, as_json: bool
) -> None:
    """Answer a question in exact quotes from posts: cited, dated, with the number of independent authors.

    Says "not enough evidence" (exit status 1) rather than guess.

    \b
    Example:
      trinch ask "how many people were hurt in the ferry accident"
      trinch ask "quelle est la situation au port" --as-of 2026-05-12T18:00Z
      trinch ask "what happened at the harbour" --model http://127.0.0.1:8080/v1
    """
    from trinch.answers.answer import answer
    from trinch.answers.render import as_json as plain_data
    from trinch.answers.rewrite import rewritten
    from trinch.service.language_model import open_model

    language_model = model_setting(where, model_name)
    store = _open(data, as_json)
    given = answer(store, question, as_of)
    if language_model:
        given = rewritten(store, given, partial(open_model, language_model))
    if as_json:
        console.print_json(plain_data(given))
    else:
        console.print_answer(given)
    raise SystemExit(0 if given.outcome == "answer" else 1)


@main.command()
@data_option
@json_option
def stats(data: Path, as_json: bool) -> None:
    """What was drunk: by network, language and day; how level the indexes are; sizes on disk.

    \b
    Example:
      trinch stats
    """
    from trinch.store.stats import stats

    found = stats(_open(data, as_json))
    if as_json:
        console.print_json(found)
    else:
        console.print_stats(found)
    raise SystemExit(0 if found.posts else 1)


@main.command()
@click.option("--offline", is_flag=True, help="Play our own sample even if the live network can be reached.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the demo's store; a temporary one that is kept, by default.",
)
def demo(offline: bool, data: Path | None) -> None:
    """Drink the live Bluesky stream, or our own sample where that cannot be reached, and ask three questions.

    \b
    Example:
      trinch demo
    """
    from trinch.cli.demo import run

    raise SystemExit(run(data, offline))


def _open(data: Path, quiet: bool) -> Any:
    """The store, level with its log: catches up first where nobody else is indexing."""
    from trinch.store.store import Store

    if not (data / "ocean.db").exists():
        console.fail(f"there is no store in {data} yet; drink first: trinch ingest FILE, or trinch demo", 1)
    store = Store.open(data)
    with console.progress("indexing", not quiet and sys.stderr.isatty()) as progress:
        store.catch_up(lambda position, last: progress(position, last))
    return store


if __name__ == "__main__":
    main()
