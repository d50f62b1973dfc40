"""`trinch ingest`: read files of posts into the store."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trinch.cli import console
from trinch.cli.options import data_option, json_option
from trinch.posts import formats

if TYPE_CHECKING:
    from trinch.service.ingest import Progress


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--format",
    "format",
    default="auto",
    show_default=True,
    type=click.Choice(formats.names()),
    help="Wire format; auto detects it for each line.",
)
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN,...",
    help="Columns of a table (CSV, TSV, Parquet) for fields of a post, as text=content,created_at=date.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if anything was rejected.")
@data_option
@json_option
def ingest(
    paths: tuple[str, ...], format: str, columns: tuple[str, ...], strict: bool, data: Path, as_json: bool
) -> None:
    """Ingest files of posts: JSON of X, Bluesky, Mastodon, Reddit, Telegram or Trinch, feeds, tables; also compressed.

    "-" is standard input. Lines that cannot be read are counted and kept in DIR/rejected.jsonl.

    \b
    Example:
      trinch ingest stream-2026-*.jsonl.gz
      zstdcat archive.zst | trinch ingest -
    """
    from trinch.service.ingest import Stopped
    from trinch.service.ingest import ingest as run

    for path in paths:
        if path != "-" and (not Path(path).exists() or Path(path).is_dir()):
            console.fail(f"no such file: {path}", 2)
    mapping = _mapping(columns)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: what was read is kept
    stopped = ""
    try:
        with console.status("ingesting", not as_json) as show:
            totals = run(data, paths, format, lambda progress: show(progress_line(progress)), mapping)
    except Stopped as early:
        stopped, totals = str(early), early.totals
    if as_json:
        console.print_json(totals)
    else:
        console.summary(console.fields(totals))
        if totals.rejected:
            console.warn(f"{totals.rejected:,} rejected: see {data / 'rejected.jsonl'}")
    if stopped:
        console.fail(stopped, 1)
    if (strict and totals.rejected) or not totals.read:
        raise SystemExit(1)


def _mapping(columns: tuple[str, ...]) -> dict[str, str]:
    """Field of a post -> column, from the values of `--map`. Exits with 2 on a field that no post has."""
    from trinch.sources import tables

    pairs = [pair.partition("=") for text in columns for pair in text.split(",")]
    for field, _, column in pairs:
        if field not in tables.FIELDS or not column:
            console.fail(f"--map: {field!r} is no field of a post, or has no column; write FIELD=COLUMN", 2)
    return {field: column for field, _, column in pairs}


def progress_line(progress: "Progress") -> str:
    """`120,000 lines · 14,210/s · 43 % · 2 min 5 s left`; without share and rest where the size is unknown."""
    parts = [f"{progress.lines:,} lines", f"{progress.lines / max(1e-3, progress.seconds):,.0f}/s"]
    if progress.share is not None:
        parts.append(f"{progress.share:.0%}".replace("%", " %"))
    if progress.seconds_left is not None:
        parts.append(f"{console.human_duration(progress.seconds_left)} left")
    return " · ".join(parts)
