"""`trinch plan`: predict step times, plan training and serving, calibrate."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trinch.cli.group import CommandGroup
from trinch.cli.plan_options import check_ramp, exit_if_missed, options_of, run_options, summary
from trinch.cli.plan_serve import serve

if TYPE_CHECKING:
    from trinch.planner.perf.workload import Workload

UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@contextmanager
def usage() -> Iterator[None]:
    """Report input that cannot be planned in one sentence, with exit status 2."""
    from trinch.planner.perf.hardware import PlanError

    try:
        yield
    except PlanError as err:
        raise click.UsageError(str(err)) from None


def quantity(text: str, name: str, least: float) -> float:
    """A count such as 20000, 20k, 15.6T. Raises UsageError if it is none, or so small that a unit must be missing."""
    match = re.fullmatch(
        r"(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmbgt]?)", text.strip().lower().replace(",", "").replace("_", "")
    )
    if not match:
        raise click.UsageError(f"{name} {text!r} is not a count: write for example 10T, 300B or 20k")
    value = float(match[1]) * UNITS.get(match[2], 1.0)
    if value < least:
        raise click.UsageError(f"{name} {text} is too small: did you forget the unit, as in {match[1]}T?")
    return value


def gpu_count(text: str) -> int:
    """A number of GPUs. Raises UsageError unless it is whole and positive."""
    value = quantity(text, "--gpus", 0.0)
    if value < 1 or value != int(value):
        raise click.UsageError(f"--gpus {text}: a whole number of GPUs is needed, for example 20000 or 20k")
    return int(value)


@click.group(cls=CommandGroup)
def plan() -> None:
    """Plan training and serving on thousands of GPUs: layout, time, failures, power, cost."""


plan.add_command(serve)


@plan.command()
@click.argument("runs", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--calibration", type=FILE, help="A calibration file to use instead of the shipped one.")
def predict(runs: Path, as_json: bool, calibration: Path | None) -> None:
    """Predict the step time of each run in the CSV table RUNS.

    Columns of measurements may be blank; other blanks are inferred and listed.

    \b
    Example:
      trinch plan predict runs.csv --json
    """
    from trinch.planner.perf.calibration import load, shipped
    from trinch.planner.perf.run_rows import predict_table, read_table

    with usage():
        fit = load(calibration) if calibration else shipped()
        records = predict_table(read_table(runs), fit)
    if as_json:
        for record in records:
            click.echo(json.dumps(record))
    else:
        table(
            ("id", "step s", "80 % band s", "tokens/s/GPU", "TFLOP/s", "GB", "error", "inferred"),
            records,
            _row,
        )
    if records and all("reason" in record for record in records):
        raise SystemExit(1)


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    if "reason" in record:
        return (record["id"], "-", "-", "-", "-", "-", "-", record["reason"])
    low, high = record["band"]
    return (
        record["id"],
        f"{record['step_time_s']:.4g}",
        f"{low:.4g} to {high:.4g}",
        f"{record['tokens_per_s_per_gpu']:,.0f}",
        f"{record['tflops_per_gpu']:.0f}",
        f"{record['memory_gb']:.0f}",
        f"{record['error']:+.1%}" if "error" in record else "",
        " ".join(record["inferred"]),
    )


@plan.command()
@click.argument("runs", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--calibration", type=FILE, help="A calibration file to use instead of the shipped one.")
def validate(runs: Path, as_json: bool, calibration: Path | None) -> None:
    """Compare predictions with the measurements in RUNS, by family of runs.

    \b
    Example:
      trinch plan validate published_runs.csv
    """
    from trinch.planner.perf.calibration import load, shipped
    from trinch.planner.perf.run_rows import read_table, understand_all
    from trinch.planner.perf.validate import by_family

    with usage():
        known = list(understand_all(read_table(runs))[0].values())
        scores = by_family(known, load(calibration) if calibration else shipped())
    if not scores:
        raise click.UsageError(f"{runs} has no row with a measurement that can be predicted")
    _print_scores([one.as_dict() for one in scores], as_json)


def _print_scores(scores: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        for one in scores:
            click.echo(json.dumps(one))
        return
    heads = (
        "family, engine, GPU",
        "rows",
        "mean |error|",
        "median",
        "worst",
        "bias",
        "in band",
        "calibration",
    )
    table(
        heads,
        scores,
        lambda one: (
            one["group"],
            str(one["rows"]),
            *(f"{one[name]:.1%}" for name in ("mape", "median", "worst")),
            f"{one['bias']:+.1%}",
            f"{one['covered']:.0%}",
            one["fitted"],
        ),
    )


@plan.command()
@click.argument("runs", type=FILE)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File for the calibration."
)
@click.option("--cross", is_flag=True, help="Also print the errors of a cross-validation over all families.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def calibrate(runs: Path, out: Path, cross: bool, as_json: bool) -> None:
    """Fit the coefficients of the predictor to the measured rows of RUNS; takes a minute or two.

    Every fifth family is held out, so that `validate` can be scored on it.

    \b
    Example:
      trinch plan calibrate published_runs.csv --out calibration.csv
    """
    from trinch.planner.perf import fit as fitting
    from trinch.planner.perf.calibration import save
    from trinch.planner.perf.run_rows import read_table, understand_all
    from trinch.planner.perf.validate import cross_validated

    with usage():
        known = list(understand_all(read_table(runs))[0].values())
        click.echo(f"fitting on {len(fitting.usable(known))} measured rows", err=True)
        save(fitting.calibrate(fitting.usable(known)), out)
        if cross:
            _print_scores([one.as_dict() for one in cross_validated(known)], as_json)


@plan.command()
@click.option("--model", required=True, help="A preset such as grok-1, or a Hugging Face config.json.")
@click.option("--gpus", required=True, help="How many GPUs: 20000 or 20k.")
@click.option("--tokens", required=True, help="Tokens to train on: 10T, 300B.")
@click.option("--gpu", default="h100", show_default=True, help="a100, h100, h200, b200, gb200, ...")
@click.option("--site", help="oci, colossus, superpod, meta-24k; by default the GPU maker's network.")
@click.option("--precision", default="bf16", show_default=True, help="bf16, fp8, mxfp8 or nvfp4.")
@click.option("--seq-len", type=int, help="Sequence length; by default the model's own.")
@click.option("--batch", type=int, help="Sequences per step, kept exactly; by default 1024 tokens per GPU.")
@run_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(
    model: str,
    gpus: str,
    tokens: str,
    gpu: str,
    site: str | None,
    precision: str,
    seq_len: int | None,
    batch: int | None,
    as_json: bool,
    out: Path | None,
    **run: Any,
) -> None:
    """Find the fastest layout of a model on a number of GPUs, then predict failures, power, cost and dates.

    \b
    Example:
      trinch plan train --model grok-1 --gpus 20000 --tokens 10T --gpu h100 --out plan
    """
    from trinch.planner.perf.hardware import machine
    from trinch.planner.perf.layout_search import search
    from trinch.planner.perf.models import workload
    from trinch.planner.pipeline import complete, write_out

    with usage():
        if batch is not None and batch < 1:
            raise click.UsageError(f"--batch {batch}: at least one sequence is needed")
        found = search(
            workload(model, seq_len),
            machine(gpu, site),
            gpu_count(gpus),
            quantity(tokens, "--tokens", 1e6),
            precision,
            batch,
        )
        best, data = found.best, found.as_dict()
        data |= {name: value for name, value in best.workload.facts().items() if name != "model"}
        chosen = options_of(run)
        check_ramp(chosen, gpu_count(gpus))
        sections = complete(best, chosen)
        files = [str(path) for path in write_out(best, sections, out, data)] if out else []
    if as_json:
        click.echo(json.dumps({**data, **sections, "files": files}))
        exit_if_missed(sections)
        return
    low, high = (seconds * best.steps / 86400 for seconds in best.band_s)
    click.echo(f"{best.workload.name} on {best.n_gpus:,} of {gpu_count(gpus):,} {best.machine.gpu.name}")
    click.echo(f"  model      {parameters_line(best.workload)}")
    click.echo(f"  layout     {best.layout.label()}, {best.layout.global_batch} sequences a step")
    span = f"{best.band_s[0]:.3g} to {best.band_s[1]:.3g}"
    click.echo(f"  step       {best.step_time_s:.3g} s ({span}), MFU {best.mfu:.1%}")
    click.echo(
        f"  run        {best.days:.1f} days of stepping ({low:.1f} to {high:.1f}), failures not counted"
    )
    click.echo(f"  memory     {best.memory_total_gb:.0f} of {best.machine.gpu.memory_gb:.0f} GB")
    click.echo(f"  runner-up  {found.runner_up_lost}")
    for published, source, why in found.published:
        click.echo(f"  published  {source}: MFU {published.mfu:.1%}; {why}")
    for note in found.notes:
        click.echo(f"  note       {note}")
    for name, sentence in summary(sections):
        click.echo(f"  {name:<10} {sentence}")
    click.echo(f"  {found.scored:,} layouts priced in {found.seconds:.1f} s")
    for path in files:
        click.echo(f"  wrote      {path}")
    table(
        ("part", "s", "share"),
        list(best.breakdown_s.items()),
        lambda item: (item[0].replace("_", " "), f"{item[1]:.4f}", f"{item[1] / best.step_time_s:.1%}"),
    )
    exit_if_missed(sections)


def parameters_line(work: "Workload") -> str:
    """Counts of a model for people: 15.52 B parameters, 49,152 bytes of cache a token."""
    total, active = work.parameters(), work.active_parameters()
    some = f", {active / 1e9:,.2f} B active" if active < total else ""
    windows = (
        f", {work.window_layers} of {work.layers} layers see {work.window:,} tokens" if work.window else ""
    )
    return (
        f"{total / 1e9:,.2f} B parameters{some}, "
        f"{work.kv_bytes_per_token():,.0f} bytes of cache a token{windows}"
    )


def table(heads: Sequence[str], items: Sequence[Any], row: Callable[[Any], tuple[str, ...]]) -> None:
    """A rich table in a terminal, tab-separated text in a pipe."""
    if not sys.stdout.isatty():
        click.echo("\t".join(heads))
        for item in items:
            click.echo("\t".join(row(item)))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(*heads)
    for item in items:
        drawn.add_row(*(escape(cell) for cell in row(item)))
    Console().print(drawn)
