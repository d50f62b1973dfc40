"""`trinch models`: the named language models that run in this process."""

from pathlib import Path

import click

from trinch.cli import console
from trinch.cli.group import CommandGroup
from trinch.cli.options import json_option


@click.group(cls=CommandGroup)
def models() -> None:
    """List and get language models that write answers in this process (needs trinch[local]).

    \b
    Example:
      trinch models list
      trinch models get qwen3-4b
      trinch ask "what happened at the harbour" --model qwen3-4b
    """


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the models that can be got, with licence, size and which are there.

    They are kept in the folder of TRINCH_MODELS, by default beside the store.

    \b
    Example:
      trinch models list
    """
    from trinch.service.models import as_rows, listed

    if as_json:
        console.print_json(as_rows())
        return
    rows = [
        (m.name, f"{m.size / 1e9:.1f} GB", f"{m.memory_gb:g} GB", m.license, "yes" if path else "no", m.about)
        for m, path in listed()
    ]
    console.table("", ("name", "file", "memory", "licence", "there", "about"), rows)


@models.command("get")
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, path_type=Path),
    help="A folder that has the file, or the file itself, in place of the hub.",
)
def get_model(name: str, source: Path | None) -> None:
    """Get a model: from its hub, or from a folder. Its sha256 is checked; an interrupted download goes on at the next run.

    \b
    Example:
      trinch models get qwen3-4b
      trinch models get qwen2.5-1.5b --from /media/stick
    """
    from trinch.service.models import ModelError, get, named

    try:
        model = named(name)
        with console.status(f"getting {name}", True) as show:
            path = get(model, source, lambda there, of: show(f"{there / 1e6:,.0f} of {of / 1e6:,.0f} MB"))
    except ModelError as error:
        console.fail(str(error), 1)
    click.echo(path)
    console.note(f"sha256 {model.sha256}, {model.license}; use it with --model {name}")
