"""Size a whole service from users and posts: requests, GPUs, layout, racks, power, cost, and what is left to train."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from trinch.planner.ops import cost, power
from trinch.planner.ops.bill_of_materials import racks_of
from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import PlanError, gpu
from trinch.planner.perf.models import workload
from trinch.planner.perf.serving import Demand
from trinch.planner.quantities import gpu_count, quantity
from trinch.planner.report.report_text import money
from trinch.planner.serving_plan import plan_serving

DAY = 86_400.0


@dataclass(frozen=True)
class Duty:
    """One kind of work of the fleet. Rates in requests a second; `way` is the layout that serves the peak."""

    what: str
    model: str
    mean_per_s: float
    peak_per_s: float
    gpus: int
    way: dict[str, Any]


@dataclass(frozen=True)
class FleetPlan:
    """GPUs that serve the peak, and what goes with them. `training_gpus` are the rest of `total_gpus`;
    `idle_at_mean` GPUs of the serving ones are free at the mean load, for training that can be interrupted."""

    gpu: str
    duties: list[Duty]
    serving_gpus: int
    idle_at_mean: int
    total_gpus: int
    training_gpus: int
    racks: int
    megawatts: float
    provision_mw: float
    usd_per_year: dict[str, float]
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"training_share": self.training_gpus / self.total_gpus}

    def __str__(self) -> str:
        lines = [f"{self.serving_gpus:,} {self.gpu} serve the peak"]
        for duty in self.duties:
            way = duty.way
            size = f"EP{way['ep']}" if way["ep"] > 1 else f"TP{way['tp']} PP{way['pp']}"
            lines.append(
                f"  {duty.what:<10} {duty.model}: {duty.mean_per_s:,.0f} requests/s, {duty.peak_per_s:,.0f} at the peak; "
                f"{duty.gpus:,} GPUs, {way['precision']}, {way['mode']}, {size}, batch {way['batch']}, "
                f"TTFT {way['ttft_ms']:,.0f} ms, TPOT {way['tpot_ms']:,.1f} ms"
            )
        share = self.training_gpus / self.total_gpus
        lines += [
            f"  {'training':<10} {self.training_gpus:,} of {self.total_gpus:,} GPUs ({share:.0%}); at the mean load "
            f"{self.idle_at_mean:,} serving GPUs are free as well",
            f"  {'site':<10} {self.racks:,} racks, {self.megawatts:,.1f} MW on average, {self.provision_mw:,.1f} MW provisioned",
            *(f"  {'a year':<10} {how}: {money(usd)}" for how, usd in self.usd_per_year.items()),
            *(f"  {'note':<10} {note}" for note in self.notes),
        ]
        return "\n".join(lines)


def plan_fleet(
    users: float | str,
    posts_per_day: float | str = 0,
    *,
    model: str = "grok-2",
    reader: str = "qwen3-8b",
    gpu_name: str = "h100",
    gpus: int | str | None = None,
    requests_per_user: float | None = None,
    prompt: int | None = None,
    answer: int | None = None,
    reuse: float | None = None,
    peak: float | None = None,
    ttft_ms: float = 2000.0,
    tpot_ms: float = 50.0,
    price: float | None = None,
) -> FleetPlan:
    """The fleet for `users` daily users of `model` and for `reader` to label `posts_per_day` posts.

    Without `gpus` the fleet is as large as serving needs. What is not given comes from data/demand.csv. Raises
    PlanError in one sentence."""
    facts, chip = table("demand"), gpu(gpu_name)
    top = facts["peak_over_mean"].value if peak is None else peak
    if not 1 <= top <= 100:
        raise PlanError(f"a peak of {top:g} times the mean is not one: give 1 to 100")
    each = facts["requests_per_user_day"].value if requests_per_user is None else requests_per_user
    if not 0 < each <= 1e5:
        raise PlanError(f"{each:g} requests a user and day: give a number above zero")
    count, posts = quantity(users, "--users", 1.0), quantity(posts_per_day, "--posts-per-day", 0.0)

    def duty(what: str, name: str, mean: float, tokens: tuple[int, int, float]) -> Duty:
        wanted = Demand(mean * top, tokens[0], tokens[1], ttft_ms, tpot_ms, tokens[2])
        way = plan_serving(workload(name), chip, wanted, price=price)["best"]
        return Duty(what, name, mean, mean * top, int(way["gpus"]), way)

    asked = (
        prompt or int(facts["prompt_tokens"].value),
        answer or int(facts["answer_tokens"].value),
        facts["prompt_reuse"].value if reuse is None else reuse,
    )
    duties = [duty("answers", model, count * each / DAY, asked)]
    if posts:
        before, text = facts["post_instructions"].value, facts["post_tokens"].value
        shape = (int(before + text), int(facts["post_answer_tokens"].value), before / (before + text))
        duties.append(duty("posts", reader, posts / DAY, shape))
    return _fleet(chip.name, duties, gpus, top, price)


def _fleet(
    chip: str, duties: list[Duty], gpus: int | str | None, peak: float, price: float | None
) -> FleetPlan:
    """Site, power and cost of the fleet."""
    serving = sum(one.gpus for one in duties)
    total = serving if gpus is None else gpu_count(gpus)
    if total < serving:
        raise PlanError(f"serving the peak takes {serving:,} {chip}, and --gpus is {total:,}")
    compute, other, _ = racks_of(chip, "", total)
    site = power.site_power(chip, total)
    years = {}
    for provider in [] if price is not None else cost.providers(chip):
        if provider == "own":
            mwh = power.energy_mwh(site, cost.YEAR_HOURS, 1.0)
            years["own"] = cost.own(chip, total, cost.YEAR_HOURS, mwh).usd
        else:
            years[f"rent, {provider}"] = cost.rent(provider, chip, total * cost.YEAR_HOURS).usd
    if price is not None:
        years[f"rent at ${price:g}"] = total * cost.YEAR_HOURS * price
    facts = table("demand")
    weak = sum(fact.mark == "assumed" for fact in facts.values())
    return FleetPlan(
        gpu=chip,
        duties=duties,
        serving_gpus=serving,
        idle_at_mean=serving - math.ceil(serving / peak),
        total_gpus=total,
        training_gpus=total - serving,
        racks=compute + other,
        megawatts=site.site_mw,
        provision_mw=site.provision_mw,
        usd_per_year=years,
        notes=[f"{weak} of {len(facts)} figures of demand are assumed (data/demand.csv): give your own"],
    )
