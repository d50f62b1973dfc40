"""Console output: tables and colour for people, JSON for machines.

Post text is hostile: `clean` removes everything that could steer a terminal.
"""

import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    import msgspec
    from rich.console import Console


@cache
def out() -> "Console":
    """Standard output. rich is imported at first use: it is slow to import, and `--help` does without."""
    from rich.console import Console

    return Console(highlight=False)


@cache
def err() -> "Console":
    """Standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def escape(text: str) -> str:
    """Text in which rich sees no markup."""
    from rich import markup

    return markup.escape(text)


def human_time(micros: int) -> str:
    """To the minute; the years 1 to 9999."""
    from trinch.posts import times

    return times.written(micros)[:16].replace("T", " ") + " UTC"


def human_bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def human_duration(seconds: float) -> str:
    """`45 s`, `2 min 5 s`, `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def clean(text: str) -> str:
    """Text that is safe for a terminal: without control characters, escape sequences and direction overrides."""
    kept = (
        c if (c >= " " and unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co")) or c == "\u200d" else " "
        for c in text
    )
    return " ".join("".join(kept).split())


def print_json(value: Any) -> None:
    """One JSON document on one line."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def fail(message: str, status: int) -> NoReturn:
    """Print an error and exit: 1 ran without a result, 2 wrong usage."""
    err().print(f"[bold red]trinch:[/] {escape(message)}", soft_wrap=True)
    raise SystemExit(status)


def warn(message: str) -> None:
    """A warning on standard error."""
    err().print(f"[yellow]{escape(message)}[/]", soft_wrap=True)


def note(message: str) -> None:
    """A remark on standard error."""
    err().print(f"[dim]{escape(message)}[/]", soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A small table; numbers are aligned to the right."""
    from rich.table import Table

    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="dim")
    for i, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        shown.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(f"{cell:,}" if isinstance(cell, int) else escape(clean(str(cell))) for cell in row))
    out().print(shown)


def print_hits(hits: Sequence[Any]) -> None:
    """Search hits, in the order given."""
    for hit in hits:
        post = hit.post
        counts = {"♥": post.likes, "⟲": post.reposts, "↩": post.replies}
        seen = "".join(f" · {sign} {count:,}" for sign, count in counts.items() if count)
        author = escape(clean(post.author or post.author_id or "unknown author"))
        out().print(f"[bold]@{author}[/] [dim]{_when(post)} · {post.lang}{seen}[/]", soft_wrap=True)
        out().print(f"  {escape(clean(post.text))}", soft_wrap=True)
        for attached in post.attached:
            label = _ATTACHED.get(attached.kind, attached.kind)
            out().print(f"  [dim]{escape(label)}:[/] {escape(clean(attached.text))}", soft_wrap=True)
        if post.url:
            out().print(f"  [dim]{escape(clean(post.url))}[/]", soft_wrap=True)
        out().print()


_ATTACHED = {
    "poll": "poll option",
    "image": "image description",
    "card": "linked page",
    "note": "community note",
}


def _when(post: Any) -> str:
    return "undated" if post.created_at is None else human_time(post.created_at)


def print_answer(answer: Any) -> None:
    """An answer with its sources: coloured and linked in a terminal, plain text in a pipe."""
    from trinch.answers import render

    if out().is_terminal:
        out().print(render.terminal(answer))
    else:
        click.echo(render.plain(answer))
    if answer.partial:
        warn(render.PARTIAL)


def print_stats(found: Any, newest: int) -> None:
    """`trinch stats` for people, with the `newest` days (0: all)."""
    summary({"events": found.events, "posts": found.posts, "without a time": found.undated})
    for index in found.indexes:
        summary({f"{index.name} index": f"{index.posts:,} posts, {index.behind:,} events behind"})
    for name, size in found.bytes.items():
        summary({f"{name} on disk": human_bytes(size)})
    for one in found.sources:
        lag = "" if one.lag_seconds is None else f", {one.lag_seconds:,.1f} s late"
        counted = f"{one.accepted:,} accepted, {one.rejected:,} rejected, {one.reconnects:,} reconnects{lag}"
        summary({one.name: f"{one.state} ({human_time(round(one.updated * 1e6))}): {counted}"})
    for source, cursor in found.cursors.items():
        summary({source: f"read up to {cursor}"})
    for title, counts in (("network", found.networks), ("language", found.languages)):
        out().print()
        _counts_table(title, list(counts.items())[:15], len(counts), "the most frequent; --json shows all")
    out().print()
    days = list(found.days.items())
    _counts_table("day", days[-newest:], len(days), "the newest; --days 0 shows all")


def _counts_table(title: str, rows: Sequence[tuple[str, int]], total: int, which: str) -> None:
    table("", (title, "posts"), rows)
    if len(rows) < total:
        note(f"{len(rows)} of {total:,}: {which}")


def fields(struct: "msgspec.Struct") -> dict[str, Any]:
    """Field names, with spaces, and values of a record."""
    import msgspec

    return {name.replace("_", " "): value for name, value in msgspec.structs.asdict(struct).items()}


@contextmanager
def status(what: str, shown: bool) -> Iterator[Callable[[str], None]]:
    """A line on standard error that is rewritten at each call; silent where `shown` is false or in a pipe."""
    if not (shown and err().is_terminal):
        yield lambda _: None
        return
    with err().status(what) as line:
        yield lambda text: line.update(f"{what} {escape(text)}")


def live_line() -> Callable[[Any, str], None]:
    """A reporter for `listen`: one line that is rewritten; in a pipe, a line for each change of state."""
    last = [""]

    def report(totals: Any, state: str) -> None:
        if err().is_terminal:
            line = f"{clean(state)} · {totals.accepted:,} accepted · {totals.posts_per_second:,.0f}/s"
            err().print(f"\r\x1b[2K[dim]{escape(line)}[/]", end="")
        elif state != last[0]:
            err().print(escape(clean(state)))
        last[0] = state

    return report


def summary(values: Mapping[str, Any]) -> None:
    """Names and values, one per line."""
    width = max(len(name) for name in values)
    for name, value in values.items():
        shown = (
            f"{value:,}"
            if isinstance(value, int)
            else f"{value:,.1f}"
            if isinstance(value, float)
            else str(value)
        )
        out().print(f"  {escape(clean(name)):<{width}}  {escape(clean(shown))}")
