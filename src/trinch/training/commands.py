"""The command `trinch train` and what belongs to it.

Owns options and what is printed. Heavy libraries are imported by the verb that needs them.
"""

import os
import sys
from pathlib import Path
from typing import Any

import click

from trinch.training.settings import Settings, SettingsError, read_settings, write_settings


class Family(click.Group):
    """A group whose settings errors are told in one sentence, with exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise click.UsageError(str(error), ctx) from None
        except ModuleNotFoundError as error:
            if error.name in ("torch", "tokenizers", "safetensors"):
                raise click.ClickException(
                    f"training needs {error.name}: pip install 'trinch[train]' "
                    f"(the README says how to get a CPU-only torch)"
                ) from None
            raise


def tell(text: str) -> None:
    """A line for people, from the lead process only."""
    if os.environ.get("RANK", "0") == "0":
        click.echo(text, err=True)


@click.group(cls=Family, invoke_without_command=True)
@click.option("--settings", "file", type=click.Path(dir_okay=False), help="Settings of the run, as TOML.")
@click.option("--config", help="Model: tiny, small, grok-1, grok-2.")
@click.option("--data", "data__path", help="Ocean (folder) or posts as JSON lines.")
@click.option("--until", "data__until", help="Train on what was visible at this time.")
@click.option("--out", help="Folder of the run.")
@click.option("--steps", type=int, help="Updates.")
@click.option("--batch", type=int, help="Sequences per step, over all processes.")
@click.option("--sequence", type=int, help="Tokens per sequence.")
@click.option("--seed", type=int)
@click.option("--dtype", help="float32 or bfloat16.")
@click.option(
    "--mesh", help='Layout, e.g. "expert=2,tensor=2"; what is not named is 1, shard takes the rest.'
)
@click.option(
    "--measure", type=click.Path(dir_okay=False), help="Only time steps; append a row to this CSV table."
)
@click.pass_context
def train(
    ctx: click.Context, /, file: str | None, measure: str | None, mesh: str | None, **options: Any
) -> None:
    """Train a Grok on what was drunk; the same command resumes.

    \b
    Example:
      trinch train --config tiny --data ocean --steps 500
      torchrun --nproc-per-node 4 -m trinch.training --data ocean --mesh expert=2
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = read_settings(file, **options, **_mesh(mesh))
    from trinch.training import verbs

    if measure:
        verbs.measure(settings, Path(measure), tell)
    else:
        verbs.pretrain(settings, tell)


def _mesh(text: str | None) -> dict[str, int]:
    out = {}
    for part in (text or "").split(","):
        name, _, ways = part.partition("=")
        if part and not ways.isdigit():
            raise SettingsError(f"--mesh wants name=number pairs such as expert=2,tensor=2, not {part!r}")
        if part:
            out[f"mesh__{name.strip()}"] = int(ways)
    return out


def main() -> None:
    """Entry of `python -m trinch.training`."""
    train(prog_name="trinch train")


__all__ = ["Settings", "main", "sys", "train", "write_settings"]
