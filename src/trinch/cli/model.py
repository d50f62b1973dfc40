"""`trinch model`: inspect, check and convert Grok models."""

import json
from pathlib import Path
from typing import Any

import click

from trinch.cli.group import CommandGroup


def _need_torch() -> None:
    try:
        import torch  # noqa: F401 - only whether it is there
    except ModuleNotFoundError:
        raise click.UsageError("this needs torch: pip install 'trinch[train]'") from None


@click.group(cls=CommandGroup)
def model() -> None:
    """Inspect, check and convert Grok models."""


@model.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Precision of our matrix products.",
)
@click.option("--json", "as_json", is_flag=True, help="Print {max_abs_diff, argmax_agreement}.")
@click.pass_context
def parity(ctx: click.Context, file: Path, dtype: str, as_json: bool) -> None:
    """Compare our Grok-1 with logits that the original JAX code wrote to FILE.

    Exits with 1 if they differ by more than 2e-5 (5e-2 for a reference in bfloat16).

    \b
    Example:
      trinch model parity grok1_ref_fp32.npz --json
    """
    _need_torch()
    import torch

    from trinch.model.parity import TOLERANCE, ParityFileError, check_parity

    try:
        result = check_parity(file, getattr(torch, dtype))
    except ParityFileError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        values = {"max_abs_diff": result.max_abs_diff, "argmax_agreement": result.argmax_agreement}
        click.echo(json.dumps(values))
    else:
        click.echo(f"largest logit difference  {result.max_abs_diff:.3g}")
        click.echo(f"same most likely token    {result.argmax_agreement:.2%}")
        tolerance = TOLERANCE[result.reference_dtype]
        verdict = "agrees" if result.agrees else "DIFFERS"
        click.echo(f"{verdict} (reference in {result.reference_dtype}: tolerance {tolerance:g})")
    ctx.exit(0 if result.agrees else 1)


@model.command()
@click.argument("name_or_path")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def inspect(name_or_path: str, as_json: bool) -> None:
    """Show architecture, exact parameters and bytes of grok-1, grok-2, tiny, small, a checkpoint or a config.json.

    \b
    Example:
      trinch model inspect grok-2
      trinch model inspect ./checkpoints --json
    """
    from trinch.model.config import CONFIGS
    from trinch.model.describe import describe_config

    other = other_model(name_or_path)
    if other is not None:
        click.echo(json.dumps(other) if as_json else "\n".join(f"{k:<22} {v}" for k, v in other.items()))
        return

    if name_or_path in CONFIGS:
        facts = describe_config(name_or_path, CONFIGS[name_or_path])
    else:
        facts = _describe_grok(Path(name_or_path))
    if as_json:
        click.echo(json.dumps(facts))
    else:
        _print(facts)


def _describe_grok(path: Path) -> dict[str, Any]:
    """Facts of a Grok in a folder, or of its config.json alone."""
    from trinch.model.config import CONFIGS
    from trinch.model.describe import describe_config

    if not path.exists():
        known = ", ".join(CONFIGS)
        raise click.UsageError(f"{str(path)!r} is neither a folder, a config.json nor one of {known}")
    _need_torch()
    from trinch.model.hf_config import config_from_hf, read_config_json
    from trinch.model.load import CheckpointError, describe_checkpoint

    try:
        if path.is_file():
            return describe_config(str(path), config_from_hf(read_config_json(path)))
        return describe_checkpoint(path)
    except CheckpointError as error:
        raise click.UsageError(str(error)) from None


def other_model(name_or_path: str) -> dict[str, Any] | None:
    """Facts of any Hugging Face configuration but Grok's, read without torch; None for everything else."""
    path = Path(name_or_path)
    if not (path / "config.json" if path.is_dir() else path).is_file():
        return None
    from trinch.planner.perf.hardware import PlanError
    from trinch.planner.perf.hf_config import is_grok
    from trinch.planner.perf.models import workload

    try:
        return None if is_grok(path) else workload(name_or_path).facts()
    except PlanError as error:
        raise click.UsageError(str(error)) from None


def _print(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=facts["name"], show_header=False)
    for name, value in facts["architecture"].items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) and value > 9999 else str(value))
    table.add_section()
    for part, count in facts["parameters"]["by_part"].items():
        table.add_row(f"parameters: {part}", f"{count:,}")
    table.add_row("parameters: total", f"{facts['parameters']['total']:,}")
    table.add_row("parameters: active", f"{facts['parameters']['active']:,}")
    table.add_section()
    for dtype, size in facts["bytes"].items():
        table.add_row(f"bytes in {dtype}", f"{size:,}")
    table.add_row("cache bytes per token, bfloat16", f"{facts['kv_cache_bytes_per_token_bfloat16']:,}")
    for name, value in facts.get("checkpoint", {}).items():
        table.add_row(f"checkpoint {name}", f"{value:,}" if isinstance(value, int) else value)
    Console().print(table)


@model.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16"]),
    default="bfloat16",
    show_default=True,
    help="Of the weights written.",
)
@click.option(
    "--file-gib", type=click.FloatRange(min=0.01), default=4.0, show_default=True, help="Size of each file."
)
def convert(source: Path, target: Path, dtype: str, file_gib: float) -> None:
    """Convert the Grok-1 or Grok-2 checkpoint in SOURCE to plain safetensors in TARGET.

    SGLang loads the result. It streams: memory holds one parameter and a copy of one of its experts.

    \b
    Example:
      trinch model convert ./grok-1/checkpoints ./grok-1-safetensors
    """
    _need_torch()
    import torch

    from trinch.model import hf_checkpoint, load

    try:
        config = load.read_config(source)
        tensors = load.read_tensors(source, config, getattr(torch, dtype))
        with click.progressbar(tensors, length=len(config.parameter_shapes()), label="converting") as shown:
            hf_checkpoint.write(
                shown, config, target, dtype=getattr(torch, dtype), file_bytes=int(file_gib * 2**30)
            )
    except (load.CheckpointError, ValueError) as error:
        raise click.UsageError(str(error)) from None
