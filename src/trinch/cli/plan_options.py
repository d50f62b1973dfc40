"""The options of `trinch plan train` about the run after the layout, and the summary of its result."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trinch.planner.ops.recovery import Options
    from trinch.planner.pipeline import Sections

_OPTIONS = (
    click.option("--start", help="First day of the run, as 2025-06-01; by default today."),
    click.option("--by", help="Deadline, as 2025-12-31: gives the chance of meeting it."),
    click.option("--ramp", default="", help='Deliveries: "20k@now;100k@2025-12-31".'),
    click.option(
        "--fleet", default="llama-3", show_default=True, help="Failure rates: llama-3, rsc-1, rsc-2."
    ),
    click.option(
        "--checkpoint",
        default="",
        help="sync, async or memory; by default the simplest that keeps 90 % of the time effective.",
    ),
    click.option("--hot/--cold", default=None, help="Keep processes and spares warm for a restart, or not."),
    click.option("--store-gbps", type=float, help="Bandwidth of the checkpoint store, GB/s."),
    click.option("--provider", default="", help="oci, neocloud or own; by default all in the tables."),
    click.option("--price", "usd_per_gpu_hour", type=float, help="Rent in USD per GPU-hour."),
    click.option("--electricity", "usd_per_kwh", type=float, help="USD per kWh."),
    click.option("--pue", type=float, help="Power usage effectiveness: site power over IT power."),
    click.option("--limit-mw", type=float, help="Most megawatts that the site may draw."),
    click.option(
        "--grid",
        default="us",
        show_default=True,
        help="Grid for the carbon estimate: us, us-tva, gas-turbine, world, ...",
    ),
    click.option("--trials", default=500, show_default=True, help="Number of simulated runs."),
    click.option("--seed", default=0, show_default=True, help="Of everything random."),
    click.option(
        "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for report and files."
    ),
)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options above to a click command, which receives them as keywords for `options_of`, and `out`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def options_of(given: dict[str, Any]) -> "Options":
    """The keywords of `run_options` (without `out`) as Options. Raises PlanError for a date that is none."""
    from trinch.planner.ops.recovery import Options
    from trinch.planner.ops.schedule import parse_date

    dates = {name: parse_date(given[name]) if given.get(name) else None for name in ("start", "by")}
    return Options(**(given | dates))


def check_ramp(chosen: "Options", gpus: int) -> None:
    """Raise PlanError where the deliveries of --ramp do not end at the GPUs of --gpus."""
    from trinch.planner.ops.schedule import parse_ramp
    from trinch.planner.perf.hardware import PlanError

    if not chosen.ramp:
        return
    most = max(step.gpus for step in parse_ramp(chosen.ramp, chosen.start or date.today()))
    if most != gpus:
        raise PlanError(f"--ramp delivers {most:,} GPUs and --gpus is {gpus:,}: make them equal")


def exit_if_missed(sections: "Sections") -> None:
    """Exit with status 1 where the plan more likely than not misses its deadline, or exceeds the site's power."""
    when, power = sections["calendar"], sections["power"]
    missed = []
    if when["probability"] is not None and when["probability"] < 0.5:
        missed.append(f"the deadline {when['deadline']} is met with {when['probability']:.0%} only")
    if not power["fits"]:
        missed.append(
            f"the peak of {power['peak_mw']:,.1f} MW exceeds the site's {power['limit_mw']:,.0f} MW"
        )
    if missed:
        click.echo(f"not met: {'; '.join(missed)}", err=True)
        raise SystemExit(1)


def summary(sections: "Sections") -> list[tuple[str, str]]:
    """(name, sentence) lines: failures, calendar, power, cost."""
    from trinch.planner.report.report_text import duration, money

    fail, when, power, cost = (sections[name] for name in ("failures", "calendar", "power", "cost"))
    ettr, cuts, days, finish = fail["ettr"], fail["interruptions"], when["days"], when["finish"]
    lines = [
        (
            "failures",
            f"{cuts['p50']:,.0f} interruptions ({cuts['p10']:,.0f} to {cuts['p90']:,.0f}), effective time "
            f"{ettr['p50']:.1%} ({ettr['p10']:.1%} to {ettr['p90']:.1%}), checkpoint "
            f"{fail['checkpoint']['kind']} every {fail['checkpoint']['interval_s']:,.0f} s, "
            f"restart {fail['restart']}",
        ),
        (
            "calendar",
            f"{duration(days['p50'])} ({days['p10']:,.1f} to {days['p90']:,.1f}): {when['start']} to "
            f"{finish['p50']} ({finish['p10']} to {finish['p90']})",
        ),
        (
            "power",
            f"{power['site_mw']:,.1f} MW ({power['site_low_mw']:,.1f} to {power['site_high_mw']:,.1f}), "
            f"{power['energy_mwh']:,.0f} MWh, {power['carbon_tonnes']:,.0f} t CO2",
        ),
    ]
    if when["probability"] is not None:
        late = "" if when["probability"] >= 0.9 else f"; for 90 % start by {when['latest_start']}"
        lines.insert(2, ("deadline", f"{when['deadline']}: met with {when['probability']:.0%}{late}"))
    if not power["fits"]:
        lines.append(
            ("limit", f"{power['limit_mw']:,.0f} MW holds {power['gpus_within_limit']:,} GPUs at their peak")
        )
    for way in cost["ways"]:
        lines.append(
            ("cost", f"{way['how']}: {money(way['usd'])} ({money(way['low'])} to {money(way['high'])})")
        )
    return lines
