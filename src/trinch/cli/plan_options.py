"""The options of `trinch plan train` about the run after the layout, and its exit status."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trinch.planner.training_plan import TrainingPlan

_OPTIONS = (
    click.option("--start", help="First day of the run, as 2025-06-01; by default today."),
    click.option("--by", help="Deadline, as 2025-12-31: gives the chance of meeting it."),
    click.option("--ramp", default="", help='Deliveries: "20k@now;100k@2025-12-31".'),
    click.option(
        "--fleet", default="llama-3", show_default=True, help="Failure rates: llama-3, rsc-1, rsc-2."
    ),
    click.option(
        "--mtbf-hours", type=float, help="GPU-hours between unexpected interruptions, instead of the fleet's."
    ),
    click.option(
        "--checkpoint",
        default="",
        help="sync, async or memory; by default the simplest that keeps 90 % of the time effective.",
    ),
    click.option("--hot/--cold", default=None, help="Keep processes and spares warm for a restart, or not."),
    click.option(
        "--correlated", is_flag=True, help="Count failures of racks, switches, power and cooling too."
    ),
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
    """Add the options above to a click command, which receives them as keywords, and `out`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@contextmanager
def usage() -> Iterator[None]:
    """Report input that cannot be planned in one sentence, with exit status 2."""
    from trinch.planner.perf.hardware import PlanError

    try:
        yield
    except PlanError as err:
        raise click.UsageError(str(err)) from None


def exit_if_missed(made: "TrainingPlan") -> None:
    """Exit with status 1 where the plan more likely than not misses its deadline, or exceeds the site's power."""
    if made.missed:
        click.echo(f"not met: {'; '.join(made.missed)}", err=True)
        raise SystemExit(1)
