"""The operations tables: every number the planner did not compute, with its unit, source, date and mark.

Reads `data/*.csv` tables with columns `key,value,low,high,unit,source,date,mark`. Marks say how far a number may be trusted:

verified     read in the source itself
measured     computed by us from published raw data
second-hand  press, reseller, or a page quoting the source
recalled     known from the named source, not re-read: check before quoting
assumed      our judgement; the report lists it so that you can replace it
"""

import csv
import functools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files

MARKS = ("verified", "measured", "second-hand", "recalled", "assumed")


@dataclass(frozen=True, slots=True)
class Fact:
    """One number of a table. `low` and `high` are the range the sources give, or equal `value`."""

    key: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    date: str
    mark: str

    def as_dict(self) -> dict[str, float | str]:
        return asdict(self)


def rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of `data/NAME.csv`, as written."""
    text = (files("trinch.planner") / "data" / f"{name}.csv").read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


@functools.cache
def table(name: str) -> dict[str, Fact]:
    """The facts of `data/NAME.csv` by key, in the order of the file."""
    facts: dict[str, Fact] = {}
    for row in rows(name):
        value = float(row["value"])
        fact = Fact(
            key=row["key"],
            value=value,
            low=float(row["low"] or value),
            high=float(row["high"] or value),
            unit=row["unit"],
            source=row["source"],
            date=row["date"],
            mark=row["mark"],
        )
        if fact.mark not in MARKS or not fact.low <= value <= fact.high:
            raise ValueError(f"data/{name}.csv: row {fact.key}: needs low <= value <= high and a known mark")
        facts[fact.key] = fact
    return facts
