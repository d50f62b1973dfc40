"""What users can turn, call and read is documented."""

from pathlib import Path

import click
import pytest

from trinch.cli import serve
from trinch.server.api.openapi import document
from trinch.server.http.metrics import NAMES

DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS, API = (DOCS / "operations.md").read_text(), (DOCS / "api.md").read_text()


def test_every_metric() -> None:
    for name, meaning in NAMES.items():
        assert f"| `{name}` | {meaning} |" in OPERATIONS


def test_every_option_of_serve() -> None:
    for option in serve.serve.params:
        assert any(name in OPERATIONS for name in option.opts), option.opts


@pytest.mark.parametrize("command", [serve.serve, serve.mcp, *serve.keys.commands.values()])
def test_every_verb_has_an_example(command: click.Command) -> None:
    assert "Example" in (command.help or "")


def test_every_path() -> None:
    text = API + OPERATIONS
    for path in document()["paths"]:
        assert path.replace("{model}", "").rstrip("/") in text, path
