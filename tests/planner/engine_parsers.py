"""Argument parsers of the engines, rebuilt from `engine_arguments.csv` (read off the engines' own parsers).

Megatron-LM's rows (names, destinations, kinds, choices, defaults) are those of its commit d98e8a6.
"""

import argparse
import csv
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

SHELL = {
    "TOKENIZER": "/t",
    "DATA": "/d",
    "LR": "0.0001",
    "CHECKPOINTS": "/c",
    "MODULE": "m",
    "CONFIG": "c",
    "MODEL": "/m",
    "DRAFT": "/draft",
    "RANK": "3",
    "HEAD": "head:5050",
}
"""What the user sets before launching."""


@cache
def parser(engine: str) -> argparse.ArgumentParser:
    """The engine's parser, limited to the arguments we use, with the engine's own defaults."""
    made = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    with Path(__file__).with_name("engine_arguments.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["engine"] == engine:
                _add(made, row)
    return made


def _add(made: argparse.ArgumentParser, row: dict[str, str]) -> None:
    dest = {"dest": row["dest"]} if row["dest"] else {}
    if row["kind"] in ("flag", "noflag"):
        made.add_argument(
            row["argument"], action=f"store_{'true' if row['kind'] == 'flag' else 'false'}", **dest
        )  # type: ignore[arg-type]
        return
    kind = {"int": int, "float": float}.get(row["kind"], str)
    made.add_argument(
        row["argument"],
        type=kind,
        nargs="+" if row["kind"] == "list" else None,
        choices=row["choices"].split() or None,
        default=kind(row["default"]) if row["default"] and not row["default"].startswith("<") else None,
        **dest,  # type: ignore[arg-type]
    )


def parsed(engine: str, args: list[str]) -> dict[str, Any]:
    """Values of all arguments after the shell and the engine's parser, by destination."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", " ".join(args))
    text = re.sub(r"\$(\w+)", lambda found: SHELL[found[1]], text)
    return vars(parser(engine).parse_args(shlex.split(text)))
