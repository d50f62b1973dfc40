"""`python -m benchmarks [NAMES…]`: measure, and print one table with the machine above it.

python -m benchmarks ingest search --posts 1000000
python -m benchmarks peers --posts 100000 --json
"""

import argparse
import importlib
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import Options, Row, as_dicts, describe

CORE = ("ingest", "search", "peers")
NAMES = (*CORE, "model", "training")
"""The last two need the extra `train`, and are run when named."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which of {', '.join(NAMES)}; by default {', '.join(CORE)}"
    )
    parser.add_argument("--posts", type=int, default=1_000_000, help="posts of the simulated stream")
    parser.add_argument("--peer-posts", type=int, default=100_000, help="posts that the peers get")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trinch-benchmarks",
                        help="folder for corpora and stores; about 5 GB for a million posts")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    unknown = set(given.names) - set(NAMES)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    options = Options(given.posts, given.seed, given.work, given.peer_posts)
    machine = describe()
    rows: list[Row] = []
    for name in given.names or CORE:
        print(f"measuring {name}", file=sys.stderr)
        rows += importlib.import_module(f"benchmarks.{name}").measure(options)
    if given.json:
        print(json.dumps({"machine": machine, "rows": as_dicts(rows)}, indent=1))
    else:
        _print(machine, rows)


def _print(machine: dict[str, object], rows: list[Row]) -> None:
    console = Console()
    console.print(
        ", ".join(f"{name} {value}" for name, value in machine.items()), style="dim", soft_wrap=True
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("benchmark", style="cyan")
    table.add_column("measure")
    table.add_column("value", justify="right", style="bold")
    table.add_column("unit")
    table.add_column("note", style="dim")
    for row in rows:
        digits = 0 if abs(row.value) >= 1_000 else 1 if abs(row.value) >= 10 else 2
        table.add_row(row.benchmark, row.measure, f"{row.value:,.{digits}f}", row.unit, row.note)
    console.print(table)


if __name__ == "__main__":
    main()
