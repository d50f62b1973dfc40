"""`trinch --help` is fast: it imports no command, and says of each what the command says itself."""

import json
import subprocess
import sys

import pytest

from trinch.cli.main import _COMMANDS, main


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_summary_in_the_table_is_that_of_the_command(name: str) -> None:
    assert _COMMANDS[name][1] == main.commands[name].get_short_help_str(limit=1000)


def test_help_imports_nothing_slow() -> None:
    program = (
        "import sys, json\n"
        "from trinch.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "trends" in done.stdout
    imported = {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}
    slow = {
        "asyncio",
        "msgspec",
        "numpy",
        "rich",
        "platformdirs",
        "starlette",
        "tantivy",
        "email",
        "ssl",
        "yaml",
    }
    assert imported & slow == set()
    ours = {name for name in json.loads(done.stderr.splitlines()[-1]) if name.startswith("trinch")}
    assert ours == {"trinch", "trinch.cli", "trinch.cli.group", "trinch.cli.main", "trinch.errors"}
