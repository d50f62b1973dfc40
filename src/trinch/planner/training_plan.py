"""Plan a training run from a model and GPUs, tokens or days: the function behind `trinch.plan` and the command."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from trinch.planner.inverse import gpus_for, tokens_for
from trinch.planner.ops.recovery import Options
from trinch.planner.ops.schedule import parse_date, parse_ramp
from trinch.planner.perf.hardware import PlanError, at_rate, machine
from trinch.planner.perf.layout import OFFLOADS, SCHEDULES, Plan
from trinch.planner.perf.layout_grid import parse_layout
from trinch.planner.perf.layout_search import Search, search
from trinch.planner.perf.model_inputs import DEFAULT_DATE, DEFAULT_ENGINE
from trinch.planner.perf.models import at_length, workload
from trinch.planner.perf.run_rows import software_date
from trinch.planner.perf.workload import Workload
from trinch.planner.pipeline import Sections, complete, write_out
from trinch.planner.quantities import gpu_count, quantity
from trinch.planner.report.plan_text import plan_text


@dataclass(frozen=True)
class TrainingPlan:
    """A planned run. `plan` is the layout that was priced, `search` what else there is, `sections` failures,
    calendar, power, cost and orders as plain data. `print` shows it in sentences."""

    plan: Plan
    search: Search
    sections: Sections

    @property
    def gpus(self) -> int:
        """GPUs of the cluster, spares included."""
        return self.plan.n_gpus + self.plan.spare_gpus

    @property
    def days(self) -> float:
        """Days from start to end, failures and restarts included (median)."""
        return float(self.sections["calendar"]["days"]["p50"])

    @property
    def step_time_s(self) -> float:
        """Seconds of an optimizer step."""
        return self.plan.step_time_s

    @property
    def mfu(self) -> float:
        """Model FLOPs utilisation, 0 to 1."""
        return self.plan.mfu

    @property
    def megawatts(self) -> float:
        """Mean power of the site while training."""
        return float(self.sections["power"]["site_mw"])

    @property
    def missed(self) -> list[str]:
        """Why the plan does not do what was asked: a deadline more likely missed than met, too many megawatts."""
        when, power = self.sections["calendar"], self.sections["power"]
        found = []
        if when["probability"] is not None and when["probability"] < 0.5:
            found.append(f"the deadline {when['deadline']} is met with {when['probability']:.0%} only")
        if not power["fits"]:
            found.append(
                f"the peak of {power['peak_mw']:,.1f} MW exceeds the site's {power['limit_mw']:,.0f} MW"
            )
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        facts = {name: value for name, value in self.plan.workload.facts().items() if name != "model"}
        return {**self.search.as_dict(), **facts, **self.sections}

    def write(self, folder: Path | str) -> list[Path]:
        """Write report.html, plan.json and the launch files into `folder`. PlanError where a file cannot launch
        the plan."""
        return write_out(self.plan, self.sections, folder, self.search.as_dict())

    def __str__(self) -> str:
        return plan_text(self.plan, self.search, self.sections)


def plan(
    model: str | Workload,
    *,
    gpus: int | str | None = None,
    tokens: float | str | None = None,
    days: float | None = None,
    gpu: str = "h100",
    site: str | None = None,
    nic_gbits: float | None = None,
    precision: str = "bf16",
    seq_len: int | None = None,
    batch: int | None = None,
    layout: str | None = None,
    engine: str | None = None,
    software_date: str | None = None,
    max_vpp: int | None = None,
    dispatcher: str | None = None,
    schedule: str | None = None,
    offload: str | None = None,
    **options: Any,
) -> TrainingPlan:
    """Plan the training of `model` (a preset, the path of a config.json, or a Workload).

    Two of `gpus`, `tokens` and `days` are given; the third is found: the days of the run, the fewest GPUs, or the
    most tokens. `layout` prices one layout, such as "TP8 PP16 VPP8 DP128". `options` are fields of
    `planner.ops.recovery.Options` (start, by, ramp, fleet, price, ...). Raises PlanError in one sentence."""
    chosen = run_options(options)
    if sum(value is not None for value in (gpus, tokens, days)) != 2:
        raise PlanError("give two of --gpus, --tokens and --days: the third is what is planned")
    if batch is not None and batch < 1:
        raise PlanError(f"--batch {batch}: at least one sequence is needed")
    if max_vpp is not None and max_vpp < 1:
        raise PlanError(f"--max-vpp {max_vpp}: 1 is no interleaving")
    if days is not None and not 0 < days <= 36_500:
        raise PlanError(f"--days {days:g}: give a number of days above zero")
    work = at_length(model, seq_len) if isinstance(model, Workload) else workload(model, seq_len)
    on = at_rate(machine(gpu, site), nic_gbits)
    settings: dict[str, Any] = {
        "engine_name": engine or DEFAULT_ENGINE,
        "date": year_of(software_date) if software_date else DEFAULT_DATE,
        "max_vpp": max_vpp,
        "dispatcher": dispatcher or "",
        "schedule": schedule or SCHEDULES[0],
        "offload": offload or OFFLOADS[0],
        "layout": parse_layout(layout) if layout is not None else None,
    }

    def find(count: int, budget: float) -> Search:
        return search(work, on, count, budget, precision, batch, **settings)

    wanted = days
    for _ in range(3):  # the median of the simulated days lies a little above the expected ones
        count, budget = _complete_question(find, gpus, tokens, wanted, on.max_gpus, chosen)
        check_ramp(chosen, count)
        found = find(count, budget)
        made = TrainingPlan(found.chosen, found, complete(found.chosen, chosen))
        if days is None or wanted is None or made.days <= days:
            break
        wanted *= 0.999 * days / made.days
    return made


def _complete_question(
    find: Callable[[int, float], Search],
    gpus: int | str | None,
    tokens: float | str | None,
    days: float | None,
    most: int,
    options: Options,
) -> tuple[int, float]:
    """GPUs and tokens, the one that is missing found from the days."""
    if gpus is None:
        budget = quantity(tokens or 0, "--tokens", 1e6)
        return gpus_for(find, budget, days or 0.0, most, options), budget
    count = gpu_count(gpus)
    if tokens is None:
        return count, tokens_for(find, count, days or 0.0, options)
    return count, quantity(tokens, "--tokens", 1e6)


def year_of(text: str) -> float:
    """A software date in years. PlanError for anything but 2024-12, 2024 or a release such as 25.04."""
    found = software_date(text)
    if found is None:
        raise PlanError(f"--software-date {text!r}: write 2024-12, 2024 or a release such as 25.04")
    return found


def run_options(given: dict[str, Any]) -> Options:
    """Options from keywords; dates may be text. PlanError for a name that is none, or a date that is none."""
    known = {field.name for field in fields(Options)}
    strange = sorted(set(given) - known)
    if strange:
        raise PlanError(f"no option {strange[0]!r}: known are {', '.join(sorted(known))}")
    dates = {
        name: parse_date(given[name]) if isinstance(given.get(name), str) and given[name] else given.get(name)
        for name in ("start", "by")
    }
    return Options(**(given | {name: value or None for name, value in dates.items()}))


def check_ramp(chosen: Options, gpus: int) -> None:
    """Raise PlanError where the deliveries of the ramp do not end at the GPUs that are planned."""
    if not chosen.ramp:
        return
    most = max(step.gpus for step in parse_ramp(chosen.ramp, chosen.start or date.today()))
    if most != gpus:
        raise PlanError(f"--ramp delivers {most:,} GPUs and --gpus is {gpus:,}: make them equal")
