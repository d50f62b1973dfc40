"""A group of commands whose help keeps their order and shows each summary whole."""

import click


class CommandGroup(click.Group):
    """click's group sorts its commands and cuts their summaries; this one does neither."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
