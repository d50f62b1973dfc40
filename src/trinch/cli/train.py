"""`trinch train`: train, tune, evaluate and export Grok models on the posts of a store."""

import json
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec

from trinch.cli.group import CommandGroup
from trinch.service.config import data_folder
from trinch.training.settings import Settings, SettingsError, read_settings, settings_from
from trinch.training.stop_signal import stop_on_sigterm


class TrainGroup(CommandGroup):
    """A group that reports a settings error in one sentence, with exit status 2."""

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


def say(text: str) -> None:
    """Print a line for people, from the lead process only."""
    if os.environ.get("RANK", "0") == "0":
        click.echo(text, err=True)


@click.group(cls=TrainGroup, invoke_without_command=True)
@click.option(
    "--settings", "file", type=click.Path(dir_okay=False), help="Settings of the run, as TOML or JSON."
)
@click.option("--config", help="Model: tiny, small, grok-1, grok-2.")
@click.option(
    "--data",
    "data__path",
    help="Folder of a store, or any file that `trinch ingest` reads; by default that of the run or of the settings, else TRINCH_DATA, "
    "else the default store.",
)
@click.option("--until", "data__until", help="Train on what was visible at this time.")
@click.option("--out", help="Folder of the run.")
@click.option("--steps", type=int, help="Updates of the weights.")
@click.option("--batch", type=int, help="Sequences per step, over all processes.")
@click.option("--sequence", type=int, help="Tokens per sequence.")
@click.option("--seed", type=int, help="Of everything random.")
@click.option("--dtype", help="float32 or bfloat16.")
@click.option(
    "--mesh", help='Layout, e.g. "expert=2,tensor=2"; a dimension not named is 1, shard takes the rest.'
)
@click.option(
    "--measure",
    type=click.Path(dir_okay=False),
    help="Only time the steps, and append a row to this CSV table.",
)
@click.pass_context
def train(
    ctx: click.Context, /, file: str | None, measure: str | None, mesh: str | None, **options: Any
) -> None:
    """Train a Grok on the posts of a store; the same command resumes.

    \b
    Example:
      trinch train --config tiny --data store --steps 500
      torchrun --nproc-per-node 4 -m trinch.training --data store --mesh expert=2
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = _with_default_data(read_settings(file, **options, **_mesh(mesh)))
    from trinch.training import actions

    if measure:
        actions.measure(settings, Path(measure), say)
    else:
        with stop_on_sigterm() as stop:
            actions.pretrain(settings, say, stop)


def _with_default_data(settings: Settings) -> Settings:
    """Settings that name a source of posts: their own, that of the run or prepared data they continue, or the default
    store."""
    out = Path(settings.out)
    if settings.data.path or (out / "settings.json").exists() or (out / "data").is_dir():
        return settings
    data = msgspec.structs.replace(settings.data, path=str(data_folder()))
    return msgspec.structs.replace(settings, data=data)


def _mesh(text: str | None) -> dict[str, int | str]:
    """Settings of `--mesh`."""
    out = {}
    for part in (text or "").split(","):
        name, _, ways = part.partition("=")
        words = name.strip() in ("schedule", "exchange")
        if part and not ways.isdigit() and not words:
            raise SettingsError(f"--mesh wants name=number pairs such as expert=2,tensor=2, not {part!r}")
        if part:
            out[f"mesh__{name.strip()}"] = ways if words else int(ways)
    return out


def _tuned(base: Path, out: str, mesh: str | None, lr: float, **options: int | None) -> Settings:
    """Settings of a run that continues another: its settings, overridden by the options given."""
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
        click.option("--steps", type=int, default=100, show_default=True, help="Updates of the weights."),
        click.option("--batch", type=int, help="Rows per step (a pair is two)."),
        click.option("--lr", type=float, default=3e-4, show_default=True, help="Peak rate."),
        click.option("--mesh", help="Layout, as for training."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@train.command()
@tuning
def sft(run: Path, file: Path, out: str, mesh: str | None, lr: float, **options: int | None) -> None:
    """Fine-tune RUN on the conversations in FILE; the loss is on the assistant's words only.

    A line is {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}.

    \b
    Example:
      trinch train sft runs/tiny talks.jsonl --out runs/chat --steps 200
    """
    from trinch.training import actions

    with stop_on_sigterm() as stop:
        actions.fine_tune(_tuned(run, out, mesh, lr, **options), run, file, say, stop)


@train.command()
@tuning
@click.option("--beta", type=float, default=0.1, show_default=True, help="Strength of the pull towards RUN.")
def dpo(
    run: Path, file: Path, out: str, mesh: str | None, lr: float, beta: float, **options: int | None
) -> None:
    """Tune RUN to prefer the chosen answers in FILE (direct preference optimisation).

    A line is {"messages": [...], "chosen": "...", "rejected": "..."}.

    \b
    Example:
      trinch train dpo runs/chat taste.jsonl --out runs/liked --steps 50 --lr 1e-5
    """
    from trinch.training import actions

    with stop_on_sigterm() as stop:
        actions.preference_tune(_tuned(run, out, mesh, lr, **options), run, file, beta, say, stop)


@train.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
def export(run: Path, target: Path) -> None:
    """Write RUN's newest checkpoint to TARGET as safetensors, for SGLang and `trinch model`.

    \b
    Example:
      trinch train export runs/chat models/my-grok
    """
    from trinch.training import actions

    actions.export(run, target)
    say(f"written to {target}")


@train.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
def forget(run: Path) -> None:
    """Remove from RUN's data all posts that are no longer visible; a running or resumed run does so itself.

    \b
    Example:
      trinch train forget runs/tiny
    """
    from trinch.training import actions

    say(f"{actions.forget(run)} posts removed")


@train.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--harness", is_flag=True, help="Also run our small lm-eval tasks, offline (pip install lm-eval)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(run: Path, harness: bool, as_json: bool) -> None:
    """Score RUN's newest checkpoint on its held-out posts, next to a unigram and a bigram model.

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
    "--data", type=click.Path(exists=True, path_type=Path), help="A store; by default our own sample."
)
@click.option("--out", default="runs/demo", show_default=True, help="Folder of the run.")
@click.option("--posts", type=int, default=30_000, show_default=True, help="Posts of the sample.")
@click.option("--steps", type=int, default=300, show_default=True, help="Updates of the weights.")
def demo(data: Path | None, out: str, posts: int, steps: int) -> None:
    """Train a tokenizer and a tiny Grok on the sample, score it, generate with it, and answer a question with it.

    \b
    Example:
      trinch train demo --out runs/demo
    """
    from trinch.cli.train_demo import demo as run

    store = data or Path(out) / "store"
    if not store.exists():
        say(f"ingesting {posts:,} posts of the simulated network")
        ingest_sample(store, posts)
    run(str(store), out, say, steps)


@train.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--out",
    default="launch",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files.",
)
@click.option(
    "--megatron",
    is_flag=True,
    help="Also write the arguments for Megatron-LM, and list what they cannot express.",
)
@click.option(
    "--torchtitan", is_flag=True, help="Also write a module for torchtitan, and list what it cannot express."
)
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


def ingest_sample(folder: Path, posts: int) -> None:
    """Fill a store with posts of the simulated network."""
    from trinch.simulator.network import stream
    from trinch.store.store import Store

    store = Store.open(folder)
    events = stream(1, posts=posts)
    while part := list(islice(events, 2000)):
        store.ingest(part)


def main() -> None:
    """Entry of `python -m trinch.training`."""
    train(prog_name="trinch train")
