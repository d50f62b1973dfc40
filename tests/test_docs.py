"""The documentation names all there is, and nothing that only one machine knows."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from trinch.cli.main import main

ROOT = Path(__file__).parents[1]
COMMANDS = (ROOT / "docs" / "commands.md").read_text()
SECTIONS = dict(re.findall(r"^## (trinch [^\n]*)\n(.*?)(?=^## |\Z)", COMMANDS, re.MULTILINE | re.DOTALL))


def commands(command: click.Command, path: str = "trinch") -> Iterator[tuple[str, click.Command]]:
    """Every command below one that does something by itself; rooms whose extras are absent are left out."""
    group = command if isinstance(command, click.Group) else None
    if path != "trinch" and (group is None or group.invoke_without_command):
        yield path, command
    context = click.Context(command)
    for name in group.list_commands(context) if group else ():
        try:
            below = group.get_command(context, name) if group else None
        except ImportError:
            continue
        if below:
            yield from commands(below, f"{path} {name}")


FOUND = dict(commands(main))


@pytest.mark.parametrize("path", FOUND)
def test_every_command_is_documented_with_its_arguments_and_options(path: str) -> None:
    assert path in SECTIONS, f"docs/commands.md has no section `## {path}`"
    said = SECTIONS[path]
    parameters = FOUND[path].params
    options = {
        name for p in parameters if isinstance(p, click.Option) for name in (*p.opts, *p.secondary_opts)
    }
    rows = [line for line in said.splitlines() if line.startswith("| `-")]
    assert {name for row in rows for name in re.findall(r"`(--[\w-]+)", row.split(" | ")[0])} == options
    usage = said.partition(" — ")[0]
    for argument in (p for p in parameters if isinstance(p, click.Argument)):
        wanted = (
            argument.type.choices if isinstance(argument.type, click.Choice) else [str(argument.name).upper()]
        )
        assert all(word in usage for word in wanted), f"{path}: nothing says {wanted}"


def test_no_command_is_documented_that_is_not() -> None:
    rooms = {path.split()[1] for path in FOUND}
    assert [path for path in SECTIONS if path.split()[1] in rooms and path not in FOUND] == []


def test_every_help_has_an_example() -> None:
    assert [path for path, command in FOUND.items() if "xample" not in (command.help or "")] == []


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
