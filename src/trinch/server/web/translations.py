"""The page's texts in English and French: plurals, numbers, dates, and the choice of the language.

Reads `static/i18n/*.json`, the same files that the script in the browser reads.
"""

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import msgspec

from trinch.store.query import parse_time

LANGUAGES = ("en", "fr")


class Translations:
    """The texts of one language: `translations("n_posts", n=3)` is "3 posts"."""

    def __init__(self, lang: str) -> None:
        text = files("trinch.server.web").joinpath(f"static/i18n/{lang}.json").read_bytes()
        self.lang = lang
        self._table: dict[str, Any] = msgspec.json.decode(text)

    def __call__(self, key: str, **values: object) -> str:
        found = self._table[key]
        if isinstance(found, dict):
            found = found["one" if self._is_one(values["n"]) else "other"]
        shown = {name: self._format(value) for name, value in values.items()}
        return str(found).format_map(shown)

    def date(self, when: str | None) -> str:
        """An RFC 3339 time as `17 March 2026, 23:00 UTC`; "undated" for None."""
        if when is None:
            return self("undated")
        at = datetime.fromisoformat(when).astimezone(UTC)
        return f"{at.day} {self._table['months'][at.month - 1]} {at.year}, {at:%H:%M} UTC"

    def date_or(self, when: str, otherwise: str) -> str:
        """The date of a time that a reader gave; the text `otherwise` where there is none or it cannot be read."""
        moment = _read(when)
        return self.date(moment.isoformat()) if moment else self(otherwise)

    def local_time(self, when: str) -> str:
        """A time that a reader gave, UTC, as the value of an <input type="datetime-local">; empty for none."""
        moment = _read(when)
        return f"{moment:%Y-%m-%dT%H:%M}" if moment else ""

    def _is_one(self, n: object) -> bool:
        return n == 1 or (self.lang == "fr" and n == 0)

    def _format(self, value: object) -> str:
        return f"{value:,}".replace(",", self._table["thousands"]) if isinstance(value, int) else str(value)


def _read(when: str) -> datetime | None:
    try:
        seconds = int(when) * 1_000_000 if re.fullmatch(r"\d{5,12}", when) else parse_time(when)
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=seconds)
    except (ValueError, OverflowError):
        return None


def preferred(header: str) -> str:
    """The language of ours that an Accept-Language header likes best; English where it likes none."""
    liked: dict[str, float] = {}
    for part in header.split(",")[:20]:
        tag, _, rest = part.strip().partition(";")
        try:
            weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            weight = 0.0
        lang = tag.strip().lower().split("-")[0]
        liked[lang] = max(liked.get(lang, 0.0), weight)
    return max(LANGUAGES, key=lambda lang: liked.get(lang, 0.0))
