"""The command `trinch train` and what belongs to it.

Owns options and what is printed. Heavy libraries are imported by the verb that needs them.
"""

import json
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec

from trinch.training.settings import Settings, SettingsError, read_settings, settings_from
from trinch.training.stop_signal import stop_on_sigterm


class Family(click.Group):
    """A group whose settings errors are told in one sentence, with exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise click.UsageError(str(error), ctx) from None
        except ModuleNotFoundError as error:
            if error.name in ("torch", "tokenizers", "safetensors", "lm_eval"):
                if error.name == "lm_eval":
                    raise click.ClickException("this needs lm-eval: pip install lm-eval") from None
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
@click.option(
    "--settings", "file", type=click.Path(dir_okay=False), help="Settings of the run, as TOML or JSON."
)
@click.option("--config", help="Model: tiny, small, grok-1, grok-2.")
@click.option("--data", "data__path", help="Store (folder) or posts as JSON lines.")
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
      trinch train --config tiny --data store --steps 500
      torchrun --nproc-per-node 4 -m trinch.training --data store --mesh expert=2
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = read_settings(file, **options, **_mesh(mesh))
    from trinch.training import actions

    if measure:
        actions.measure(settings, Path(measure), tell)
    else:
        with stop_on_sigterm() as stop:
            actions.pretrain(settings, tell, stop)


def _mesh(text: str | None) -> dict[str, int]:
    """Settings of `--mesh`."""
    out = {}
    for part in (text or "").split(","):
        name, _, ways = part.partition("=")
        if part and not ways.isdigit():
            raise SettingsError(f"--mesh wants name=number pairs such as expert=2,tensor=2, not {part!r}")
        if part:
            out[f"mesh__{name.strip()}"] = int(ways)
    return out


def _tuned(base: Path, out: str, mesh: str | None, lr: float, **options: int | None) -> Settings:
    """Settings of a run that goes on from another: that one's, with what is given on top."""
    from trinch.training import actions

    raw = msgspec.to_builtins(actions.run_settings(base))
    given = {name: value for name, value in options.items() if value is not None}
    raw |= given | {"out": out, "mesh": {key.removeprefix("mesh__"): n for key, n in _mesh(mesh).items()}}
    raw["optimizer"] |= {"lr": lr, "muon_lr": 0.0, "warmup": min(20, int(raw["steps"]) // 10)}
    return settings_from(raw, "options")


def tuning(function: Callable[..., None]) -> Callable[..., None]:
    """The options that fine-tuning and preference tuning share."""
    options = [
        click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path)),
        click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
        click.option("--out", required=True, help="Folder of the new run."),
        click.option("--steps", type=int, default=100, show_default=True),
        click.option("--batch", type=int, help="Rows per step (two to a pair)."),
        click.option("--lr", type=float, default=3e-4, show_default=True, help="Peak rate."),
        click.option("--mesh", help="Layout, as for training."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@train.command()
@tuning
def sft(run: Path, file: Path, out: str, mesh: str | None, lr: float, **options: int | None) -> None:
    """Fine-tune RUN on conversations in FILE, learning the assistant's words only.

    A line is {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}.

    \b
    Example:
      trinch train sft runs/tiny talks.jsonl --out runs/chat --steps 200
    """
    from trinch.training import actions

    with stop_on_sigterm() as stop:
        actions.fine_tune(_tuned(run, out, mesh, lr, **options), run, file, tell, stop)


@train.command()
@tuning
@click.option("--beta", type=float, default=0.1, show_default=True, help="How far it may leave RUN.")
def dpo(
    run: Path, file: Path, out: str, mesh: str | None, lr: float, beta: float, **options: int | None
) -> None:
    """Tune RUN to prefer the better answers in FILE (DPO).

    A line is {"messages": [...], "chosen": "...", "rejected": "..."}.

    \b
    Example:
      trinch train dpo runs/chat taste.jsonl --out runs/liked --steps 50 --lr 1e-5
    """
    from trinch.training import actions

    with stop_on_sigterm() as stop:
        actions.preference_tune(_tuned(run, out, mesh, lr, **options), run, file, beta, tell, stop)


@train.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
def export(run: Path, target: Path) -> None:
    """Write RUN's newest checkpoint to TARGET as safetensors, for SGLang, vLLM and `trinch model`.

    \b
    Example:
      trinch train export runs/chat models/my-grok
    """
    from trinch.training import actions

    actions.export(run, target)
    tell(f"written to {target}")


@train.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
def forget(run: Path) -> None:
    """Strike out of RUN's data all posts that are no longer visible. A running or resumed run does so itself.

    \b
    Example:
      trinch train forget runs/tiny
    """
    from trinch.training import actions

    tell(f"{actions.forget(run)} posts struck out")


@train.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--harness", is_flag=True, help="Also our small tasks by lm-eval, offline (pip install lm-eval)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(run: Path, harness: bool, as_json: bool) -> None:
    """Score RUN's newest checkpoint on its held-out posts, beside a unigram and a bigram model.

    \b
    Example:
      trinch train evaluate runs/tiny --json
    """
    from trinch.training import actions

    scores = actions.evaluate(run, harness)
    if as_json:
        click.echo(json.dumps(scores))
        return
    for name, score in scores.items():
        click.echo(f"{name:24} {score:.4f}")


@train.command()
@click.option(
    "--data", type=click.Path(exists=True, path_type=Path), help="A store; without, our own sample."
)
@click.option("--out", default="runs/demo", show_default=True, help="Folder of the run.")
@click.option("--posts", type=int, default=30_000, show_default=True, help="Posts of the sample.")
@click.option("--steps", type=int, default=300, show_default=True)
def demo(data: Path | None, out: str, posts: int, steps: int) -> None:
    """Drink the sample, train a tokenizer and a tiny Grok on it, score it, let it talk, and put it behind an answer.

    \b
    Example:
      trinch train demo --out runs/demo
    """
    from trinch.cli.train_demo import demo as run

    store = data or Path(out) / "store"
    if not store.exists():
        tell(f"drinking {posts:,} posts of the simulated network")
        drink_sample(store, posts)
    run(str(store), out, tell, steps)


@train.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--out", default="launch", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--megatron", is_flag=True, help="Also the arguments of Megatron-LM, and what they cannot say.")
@click.option("--torchtitan", is_flag=True, help="Also a module for torchtitan, and what it cannot say.")
def launch(file: str, out: Path, megatron: bool, torchtitan: bool) -> None:
    """Write the files that start the run of settings FILE: torchrun, Slurm, Ray Train.

    \b
    Example:
      trinch train launch settings.toml --out launch
    """
    from trinch.training.launch_files import write_launch_files

    settings = read_settings(file)
    paths = write_launch_files(settings, out)
    if megatron or torchtitan:
        from trinch.model.config import get_config
        from trinch.training.megatron_export import megatron_arguments, not_expressed
        from trinch.training.torchtitan_export import MODULE, torchtitan_module

        try:
            config = get_config(settings.config)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        shape = settings.mesh.filled(settings.launch.nodes * settings.launch.processes)
        lacking = [f"# not expressed: {part}" for part in not_expressed(config)]
        texts = {
            "megatron.txt": "\n".join([*lacking, *megatron_arguments(config, settings, shape)]) + "\n",
            f"{MODULE}.py": torchtitan_module(config, settings, shape),
        }
        for name, wanted in zip(texts, (megatron, torchtitan), strict=True):
            if wanted:
                (out / name).write_text(texts[name], "utf-8")
                paths.append(out / name)
    for path in paths:
        click.echo(path)


def drink_sample(folder: Path, posts: int) -> None:
    """Fill a store with the simulated network's posts (world and store meet only here, at the front
    door)."""
    from trinch.simulator.network import stream
    from trinch.store.store import Store

    store = Store.open(folder)
    events = stream(1, posts=posts)
    while part := list(islice(events, 2000)):
        store.ingest(part)


def main() -> None:
    """Entry of `python -m trinch.training`."""
    train(prog_name="trinch train")
