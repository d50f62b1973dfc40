"""Render the sections of docs/commands.md from the commands themselves.

`python -m tests.command_reference` writes them into the page; a test checks that they are current.
"""

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from trinch.cli.main import main

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"


def commands(command: click.Command, path: str = "trinch") -> Iterator[tuple[str, click.Command]]:
    """(full name, command) of every command that does something by itself."""
    group = command if isinstance(command, click.Group) else None
    if path != "trinch" and (group is None or group.invoke_without_command):
        yield path, command
    for name, below in group.commands.items() if group else ():
        yield from commands(below, f"{path} {name}")


def reference() -> str:
    """All sections, in the order of `trinch --help`."""
    return "\n".join(section(path, command) for path, command in commands(main))


def section(path: str, command: click.Command) -> str:
    """What a command does, its example and its options."""
    text, _, example = cleandoc(command.help or "").partition("\n\n\b\nExample")
    usage = " ".join([path, *map(_argument, _of(command, click.Argument))])
    lines = [f"## {path}", "", f"`{usage}`", "", text.strip(), "", "```", *_example_lines(example), "```", ""]
    options = _of(command, click.Option)
    if options:
        lines += ["| Option | |", "|---|---|", *map(_row, options), ""]
    return "\n".join(lines)


def _of(command: click.Command, kind: type[click.Parameter]) -> list[click.Parameter]:
    return [one for one in command.params if isinstance(one, kind)]


def _argument(argument: click.Parameter) -> str:
    name = (
        f"{{{'|'.join(argument.type.choices)}}}"
        if isinstance(argument.type, click.Choice)
        else str(argument.name).upper()
    )
    name += "..." if argument.nargs == -1 else ""
    return name if argument.required else f"[{name}]"


def _example_lines(example: str) -> list[str]:
    return [line.strip() for line in example.splitlines()[1:]]


def _row(option: click.Parameter) -> str:
    assert isinstance(option, click.Option)
    names = " / ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if not option.is_flag:
        names = f"`{option.opts[0]} {option.make_metavar(click.Context(main)).replace(' RANGE', '')}`"
    extra = []
    if option.required:
        extra.append("required")
    if option.multiple:
        extra.append("repeatable")
    if option.show_default and option.name != "data" and option.default not in (None, (), False):
        default = option.default
        extra.append(f"default {' '.join(default) if isinstance(default, list | tuple) else default}")
    more = f" ({'; '.join(extra)})" if extra else ""
    cells = (names, f"{option.help or ''}{more}")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    text = PAGE.read_text()
    PAGE.write_text(text[: text.index("## trinch ")] + reference())
