"""`trinch config`: the settings of trinch.toml and of the environment; and their use as defaults of all commands."""

import os

import click

from trinch.cli import console
from trinch.cli.group import CommandGroup
from trinch.cli.options import json_option
from trinch.service.config import FILE, ConfigError, find, load, values
from trinch.sources.address import without_credentials


def apply(context: click.Context) -> None:
    """Make the settings of the file the defaults of the environment, until the command ends. Exits with 2."""
    try:
        path = find()
        loaded = load(path) if path else {}
    except (ConfigError, OSError) as error:
        console.fail(str(error), 2)
    added = {name: value for name, value in loaded.items() if name not in os.environ}
    os.environ.update(added)
    context.meta["trinch.config"] = (path, frozenset(added))

    def remove() -> None:
        for name in added:
            os.environ.pop(name, None)

    context.call_on_close(remove)


@click.group(cls=CommandGroup)
def config() -> None:
    """Show the settings of trinch.toml and of the environment.

    \b
    Example:
      trinch config show
    """


@config.command("show")
@json_option
@click.pass_context
def show(context: click.Context, as_json: bool) -> None:
    """Show every setting, its value, and whether it comes from the environment, from the file or is the default.

    Secrets are not shown. Options of a command win over the environment, the environment over the file.

    \b
    Example:
      trinch config show
    """
    path, added = context.meta.get("trinch.config", (None, frozenset()))
    environment = {name: value for name, value in os.environ.items() if name not in added}
    rows = []
    for key, value, origin in values(path, environment):
        shown = "(set)" if key.is_secret and value else " ".join(map(without_credentials, value.split(" ")))
        rows.append({"key": key.name, "variable": key.variable, "value": shown or None, "origin": origin})
    if as_json:
        console.print_json({"file": str(path) if path else None, "settings": rows})
        return
    console.note(f"file: {path or f'none ({FILE} here or in the user folder of settings, or TRINCH_CONFIG)'}")
    table = [(row["key"], row["value"] or "", row["origin"], row["variable"]) for row in rows]
    console.table("", ("setting", "value", "from", "environment"), table)
