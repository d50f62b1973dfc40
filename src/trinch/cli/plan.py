"""`trinch plan`: the group, and its commands about tables of runs (predict, validate, calibrate)."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from trinch.cli.group import CommandGroup
from trinch.cli.plan_fleet import fleet
from trinch.cli.plan_options import usage
from trinch.cli.plan_serve import serve
from trinch.cli.plan_simulate import simulate
from trinch.cli.plan_train import train

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=CommandGroup)
def plan() -> None:
    """Plan training and serving on thousands of GPUs: layout, time, failures, power, cost."""


plan.add_command(train)
plan.add_command(serve)
plan.add_command(fleet)
plan.add_command(simulate)


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
