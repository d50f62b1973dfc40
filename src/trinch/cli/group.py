"""Groups of commands whose help keeps their order and shows each summary whole."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class CommandGroup(click.Group):
    """click's group sorts its commands and cuts their summaries; this one does neither."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class LazyGroup(CommandGroup):
    """A group that imports a command when it is used. `table` has (module of `trinch.cli`, summary) by name."""

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **options: Any) -> None:
        self._table = table
        super().__init__(*args, **options)

    @property
    def commands(self) -> dict[str, click.Command]:
        """All commands, imported."""
        return {name: self._imported(name) for name in self._table}

    @commands.setter
    def commands(self, _: object) -> None: ...  # click's constructor assigns an empty one

    def _imported(self, name: str) -> click.Command:
        module = import_module(f"trinch.cli.{self._table[name][0]}")
        found: click.Command = getattr(module, name)
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._imported(cmd_name) if cmd_name in self._table else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._table.items()])
