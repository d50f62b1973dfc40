"""The documentation names all there is, and nothing that only one machine knows."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from tests.command_reference import PAGE, commands, reference
from trinch.cli.main import main

ROOT = Path(__file__).parents[1]


def test_the_reference_of_commands_is_current() -> None:
    """After a change of a command: `python -m tests.command_reference`."""
    page = PAGE.read_text()
    assert page[page.index("## trinch ") :].strip() == reference().strip()


@pytest.mark.parametrize(("path", "command"), list(commands(main)))
def test_every_command_has_a_whole_summary_an_example_and_a_help_for_each_option(
    path: str, command: click.Command
) -> None:
    assert "Example" in (command.help or "")
    unexplained = [p.opts for p in command.params if isinstance(p, click.Option) and not p.help]
    assert unexplained == []


def test_every_environment_variable_is_documented() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    documents = "".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    names = set(re.findall(r"\bTRINCH_[A-Z_]+\b", source))
    assert "TRINCH_DATA" in names
    assert {name for name in names if f"`{name}`" not in documents} == set()


def test_every_link_between_documents_leads_somewhere() -> None:
    dead = []
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
            if "://" not in target and not (path.parent / target).exists():
                dead.append(f"{path.name}: {target}")
    assert dead == []


MACHINE = re.compile(
    # Folders that are on one machine only.
    rb"(?<![\w.)/}-])/(?:work/|tmp/venv|tmp/brief|home/(?!\$)\w)"
    # Package registries; that of torch's CPU builds is public, and the reader needs it.
    rb"|https?://[\w.:-]+/(?:[\w./-]+/)?simple\b|(?:index-url|registry)[ =]+https?://(?!download\.pytorch\.org/)"
)


def test_no_file_names_a_machine_or_a_private_registry() -> None:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    found = []
    for path in files:
        if path.is_file() and path != Path(__file__).resolve():
            found += [
                f"{path.relative_to(ROOT)}: {hit[0].decode()}" for hit in MACHINE.finditer(path.read_bytes())
            ]
    assert found == []
