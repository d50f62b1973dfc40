"""What the commands print: tables and colour for a person, JSON for a machine.

Owns the look of the terminal. Text of posts is hostile: `clean` takes out what could steer a terminal.
Knows nothing of how anything is found.
"""

import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trinch.posts import times
from trinch.posts.times import iso

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def human_time(micros: int) -> str:
    """To the minute; also of the year 9999, which authors do claim."""
    return times.written(micros)[:16].replace("T", " ") + " UTC"


def human_bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def clean(text: str) -> str:
    """Text fit for a terminal: control characters, escape sequences and direction overrides are left out."""
    kept = (
        c if (c >= " " and unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co")) or c == "\u200d" else " "
        for c in text
    )
    return " ".join("".join(kept).split())


def print_json(value: Any) -> None:
    """One JSON document on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def fail(message: str, status: int) -> None:
    """Say on standard error what went wrong and end: 1 ran but not what you hoped, 2 wrong usage."""
    err.print(f"[bold red]trinch:[/] {escape(message)}", soft_wrap=True)
    raise SystemExit(status)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A small table; numbers stand to the right."""
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="dim")
    for i, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        shown.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(f"{cell:,}" if isinstance(cell, int) else escape(clean(str(cell))) for cell in row))
    out.print(shown)


def hit_json(hit: Any) -> dict[str, Any]:
    """A search hit as the API and `--json` show it."""
    post = hit.post
    return {
        "id": post.id,
        "url": post.url or None,
        "author": post.author or post.author_id or None,
        "created_at": iso(post.created_at),
        "text": post.text,
        "lang": post.lang,
        "score": round(hit.score, 6),
        "likes": post.likes,
        "reposts": post.reposts,
        "replies": post.replies,
    }


def print_hits(hits: Sequence[Any]) -> None:
    """Hits for a person, in the order given."""
    for hit in hits:
        post = hit.post
        counts = {"♥": post.likes, "⟲": post.reposts, "↩": post.replies}
        seen = "".join(f" · {sign} {count:,}" for sign, count in counts.items() if count)
        author = escape(clean(post.author or post.author_id or "unknown author"))
        out.print(
            f"[bold]@{author}[/] [dim]{human_time(post.created_at)} · {post.lang}{seen}[/]", soft_wrap=True
        )
        out.print(f"  {escape(clean(post.text))}", soft_wrap=True)
        if post.url:
            out.print(f"  [dim]{escape(clean(post.url))}[/]", soft_wrap=True)
        out.print()


def print_answer(answer: Any) -> None:
    """An answer with its sources: coloured and linked in a terminal, plain in a pipe."""
    from trinch.answers import render

    if out.is_terminal:
        out.print(render.terminal(answer))
    else:
        click.echo(render.plain(answer))


def print_stats(found: Any) -> None:
    """`trinch stats` for a person."""
    summary({"events": found.events, "posts": found.posts})
    for index in found.indexes:
        summary({f"{index.name} index": f"{index.posts:,} posts, {index.behind:,} events behind"})
    for name, size in found.bytes.items():
        summary({f"{name} on disk": human_bytes(size)})
    for source, cursor in found.cursors.items():
        summary({source: f"read up to {cursor}"})
    for title, counts in (("network", found.networks), ("language", found.languages)):
        out.print()
        table("", (title, "posts"), list(counts.items())[:15])
    out.print()
    table("", ("day", "posts"), list(found.days.items())[-14:])


def fields(struct: msgspec.Struct) -> dict[str, Any]:
    """Names and values of a record, names for people."""
    return {name.replace("_", " "): value for name, value in msgspec.structs.asdict(struct).items()}


@contextmanager
def progress(what: str, shown: bool) -> Iterator[Callable[..., None]]:
    """A line on standard error that follows `done`, or `done, total`; silent where nobody watches."""
    if not (shown and err.is_terminal):
        yield lambda *_: None
        return
    started = time.monotonic()
    with err.status(what) as status:

        def update(done: int, total: int | None = None) -> None:
            rate = done / max(1e-3, time.monotonic() - started)
            of = f" of {total:,}" if total else ""
            status.update(f"{what} {done:,}{of} · {rate:,.0f}/s")

        yield update


def live_line() -> Callable[[Any, str], None]:
    """A reporter for `listen`: one line that is rewritten, or a line per change of state in a pipe."""
    last = [""]

    def report(totals: Any, state: str) -> None:
        if err.is_terminal:
            line = f"{clean(state)} · {totals.accepted:,} accepted · {totals.posts_per_second:,.0f}/s"
            err.print(f"\r\x1b[2K[dim]{escape(line)}[/]", end="")
        elif state != last[0]:
            err.print(escape(clean(state)))
        last[0] = state

    return report


def read_time(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Option callback: microseconds of `--as-of` and its like."""
    from trinch.store.query import parse_time

    if value is None:
        return None
    try:
        return parse_time(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def summary(values: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    width = max(len(name) for name in values)
    for name, value in values.items():
        shown = (
            f"{value:,}"
            if isinstance(value, int)
            else f"{value:,.1f}"
            if isinstance(value, float)
            else str(value)
        )
        out.print(f"  {escape(clean(name)):<{width}}  {escape(clean(shown))}")
