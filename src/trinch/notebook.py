"""How results show in a notebook: tables in HTML. Text of posts is escaped; nothing in it becomes markup."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import msgspec

ROWS = 50
"""Rows of a table that are shown; below them is how many there are."""


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> str:
    """An HTML table of at most ROWS rows."""
    head = "".join(f"<th>{escape(name)}</th>" for name in headers)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[:ROWS])
    more = f"<p>{len(rows):,} rows, {ROWS} shown</p>" if len(rows) > ROWS else ""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def link(text: str, address: str) -> "Markup":
    """A link, where the address is one of the web; else the text."""
    if not address.startswith(("https://", "http://")):
        return Markup(escape(text))
    return Markup(f'<a href="{escape(address)}" rel="noopener noreferrer">{escape(text)}</a>')


class Markup(str):
    """Text that is HTML already."""


def _cell(value: object) -> str:
    if isinstance(value, Markup):
        return f"<td>{value}</td>"
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td style="text-align:right">{value:,}</td>'
    return f"<td>{escape('' if value is None else str(value))}</td>"


def fields(values: Mapping[str, Any], caption: str = "") -> str:
    """Names and values as a table; a mapping within is written as `name: value, …`."""
    return table(
        ("", ""), [(name.replace("_", " "), _short(value)) for name, value in values.items()], caption
    )


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        items: Iterable[tuple[Any, Any]] = list(value.items())[:8]
        return ", ".join(
            f"{name}: {one:,}" if isinstance(one, int) else f"{name}: {one}" for name, one in items
        )
    return f"{len(value):,}" if isinstance(value, list | tuple) else value


class Record:
    """Mixed into a struct that is a result: `to_dict()` gives plain values, a notebook shows a table."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values: dicts, lists, numbers, text."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def _repr_html_(self) -> str:
        return fields(self.to_dict(), type(self).__name__)
