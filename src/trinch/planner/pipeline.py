"""From a priced plan to failures, power, cost and calendar, the report, and the files that launch it.

Assembles the plain data (`sections`) that JSON and the report show; `ops`, `simulate`, `launch` and `report`
compute the parts.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from trinch.planner.launch import kubernetes, oci_terraform, slurm, torchtitan, trainer_settings
from trinch.planner.launch.megatron import megatron, uneven_last
from trinch.planner.launch.saving import saving_of
from trinch.planner.ops import cost, power, schedule
from trinch.planner.ops import reliability as rel
from trinch.planner.ops.bill_of_materials import bill, phases
from trinch.planner.ops.ownership import ways_to_pay
from trinch.planner.ops.recovery import Options, Survival, fleet_of, ladder, pick, simulated
from trinch.planner.ops.tables import table
from trinch.planner.ops.tornado import tornado
from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import OFFLOADS, SCHEDULES, Plan
from trinch.planner.report import html_report
from trinch.planner.report.assumptions import assumptions
from trinch.planner.simulate.run_simulation import Floats, Outcome, percentiles

Sections = dict[str, Any]

SCALES = (16_384, 100_000)


def complete(plan: Plan, options: Options | None = None) -> Sections:
    """Failures, calendar, power, cost, what to order, what if and the assumptions of a plan, as plain data.

    The same seed gives the same sections. PlanError where an option cannot be met."""
    chosen = options or Options()
    fleet = fleet_of(chosen, plan.machine)
    total = plan.n_gpus + plan.spare_gpus
    survival = pick(plan, fleet, plan.n_gpus, chosen)
    outcome = simulated(plan, fleet, survival, plan.n_gpus, plan.spare_nodes, chosen)
    failures = _failures(plan, fleet, survival, outcome, chosen)
    when = _calendar(plan, fleet, outcome, chosen)
    largest = max([total, *(tranche.gpus for tranche in when.ramp)])
    energy = power_of(plan, when.gpu_hours, largest, float(outcome.ettr.mean()), chosen)
    money = cost_of(plan, when.gpu_hours, energy["energy_mwh"], total, chosen)
    sections: Sections = {
        "failures": failures,
        "calendar": _calendar_data(when),
        "power": energy,
        "cost": money,
    }
    site = power.site_power(plan.machine.gpu.name, largest, chosen.pue, chosen.limit_mw, plan.machine.site)
    sections["order"] = _order(plan, site, largest, survival, failures["spare_nodes_needed"])
    sections["ownership"] = ways_to_pay(plan.machine.gpu.name, largest, site, float(outcome.ettr.mean()))
    sections["tornado"] = tornado(plan, survival, chosen)
    sections["phases"] = phases(plan, [(t.on.isoformat(), t.gpus) for t in when.ramp], site)
    sections["assumptions"] = [fact.as_dict() for fact in assumptions(plan, chosen.fleet, chosen.grid)]
    sections["options"] = {key: _plain(value) for key, value in asdict(chosen).items()}
    return sections


def _failures(plan: Plan, fleet: rel.Fleet, way: Survival, outcome: Outcome, options: Options) -> Sections:
    wall = outcome.wall.mean()
    parts = ("productive", "stall", "lost", "down", "waiting", "shrunk")
    scales = []
    for n_gpus in sorted({plan.n_gpus, *SCALES}):
        rungs = ladder(plan, fleet, n_gpus, options)
        scales.append(
            {
                "gpus": n_gpus,
                "mtbf_minutes": fleet.mtbf_s(n_gpus) / 60,
                "ettr": {f"{rung.kind}{' hot' if rung.hot else ''}": rung.expected for rung in rungs},
                "interval_s": rungs[-1].checkpoint.interval_s,
            }
        )
    return {
        "fleet": fleet.name,
        "gpus": plan.n_gpus,
        "way": f"{way.kind}{' hot' if way.hot else ''}",
        "mtbf_hours": fleet.mtbf_s(plan.n_gpus) / 3600,
        "interruptions": percentiles(outcome.interruptions),
        "ettr": percentiles(outcome.ettr * (1 - rel.planned_share(way.recovery))),
        "wall_share": {part: float(getattr(outcome, part).mean() / wall) for part in parts},
        "planned_share": rel.planned_share(way.recovery),
        "by_cause": outcome.by_cause,
        "checkpoint": asdict(way.checkpoint) | {"interval_steps": interval_steps(plan, way.checkpoint)},
        "store_checkpoint": asdict(way.store),
        "restart": "hot" if way.hot else "cold",
        "recovery": asdict(way.recovery),
        "spare_nodes": plan.spare_nodes,
        "spare_nodes_needed": rel.spares_needed(fleet, plan.n_gpus, way.recovery.repair_s),
        "nodes_swapped": percentiles(outcome.swaps),
        "elastic": options.elastic and plan.replica_nodes > 0,
        "scales": scales,
    }


def interval_steps(plan: Plan, saved: rel.Checkpoint) -> int:
    """The chosen interval in optimizer steps."""
    return max(1, round(saved.interval_s / plan.step_time_s))


def work_sigma(plan: Plan) -> float:
    """Standard deviation of the logarithm of the step time, from its 80 % band."""
    low, high = plan.band_s
    return math.log(high / low) / (2 * 1.2816) if 0 < low < high else 0.0


def _calendar(plan: Plan, fleet: rel.Fleet, outcome: Outcome, options: Options) -> schedule.Schedule:
    start = options.start or date.today()
    total = plan.n_gpus + plan.spare_gpus
    ramp = schedule.parse_ramp(options.ramp, start) if options.ramp else [schedule.Tranche(start, total)]

    cut = plan.layout
    replica = cut.tp * cut.pp * cut.cp

    def usable(gpus: int) -> int:
        if gpus == total:
            return plan.n_gpus
        return int(gpus * plan.n_gpus / total) // replica * replica

    @cache
    def ettr(gpus: int) -> Floats:
        used = usable(gpus)
        if used < replica:
            raise PlanError(
                f"{gpus:,} GPUs hold no replica of {replica:,}: start the ramp with at least that many"
            )
        way = pick(plan, fleet, used, options)
        spares = (gpus - used) // plan.machine.gpu.gpus_per_node
        done = outcome if used == plan.n_gpus else simulated(plan, fleet, way, used, spares, options)
        return np.asarray(done.ettr * (1 - rel.planned_share(way.recovery)))

    return schedule.schedule(
        plan.days * 86_400 * plan.n_gpus,
        start,
        ramp,
        ettr,
        usable=usable,
        work_sigma=work_sigma(plan),
        deadline=options.by,
        trials=options.trials,
        seed=options.seed,
    )


def _calendar_data(when: schedule.Schedule) -> Sections:
    data = asdict(when)
    data["ramp"] = [{"on": t.on.isoformat(), "gpus": t.gpus} for t in when.ramp]
    data["finish"] = {key: value.isoformat() for key, value in when.finish.items()}
    return {key: _plain(value) for key, value in data.items()}


def power_of(plan: Plan, gpu_hours: float, largest: int, busy: float, options: Options) -> Sections:
    """Power and energy of `largest` GPUs for `gpu_hours` in all, `busy` of them training."""
    name = plan.machine.gpu.name
    site = power.site_power(name, largest, options.pue, options.limit_mw, plan.machine.site)
    hours = gpu_hours / largest
    mwh = power.energy_mwh(site, hours, busy)
    grid = power.carbon(options.grid)
    return asdict(site) | {
        "gpus": largest,
        "draw": asdict(power.draw(name)),
        "pue": options.pue or table("power")["pue"].value,
        "energy_mwh": mwh,
        "carbon_tonnes": mwh * grid.value,
        "carbon_low": mwh * grid.low,
        "carbon_high": mwh * grid.high,
        "grid": options.grid,
    }


def cost_of(plan: Plan, gpu_hours: float, mwh: float, total: int, options: Options) -> Sections:
    """Each way to pay for `gpu_hours` on `total` GPUs that take `mwh`."""
    name = plan.machine.gpu.name
    known = cost.providers(name)
    ways = []
    if options.usd_per_gpu_hour is not None:
        ways.append(cost.rent(options.provider or "given", name, gpu_hours, options.usd_per_gpu_hour))
    elif options.provider and options.provider != "own":
        ways.append(cost.rent(options.provider, name, gpu_hours))
    ways += [cost.rent(p, name, gpu_hours) for p in known if p not in ("own", options.provider)]
    buy = None
    if "own" in known:
        hours = gpu_hours / total
        ways.append(cost.own(name, total, hours, mwh, options.usd_per_kwh))
        buy = cost.purchase(name, total)
    return {
        "gpu_hours": gpu_hours,
        "ways": [asdict(way) for way in ways],
        "purchase": None if buy is None else asdict(buy),
    }


def _order(
    plan: Plan, site: power.SitePower, largest: int, way: Survival, spares: int
) -> list[dict[str, Any]]:
    return [item.as_dict() for item in bill(plan, largest, site, way.store, spares)]


def manifests(plan: Plan, sections: Sections) -> dict[str, str]:
    """File name -> text of everything that launches the plan. Kubernetes needs the `plan` extra.

    Raises PlanError for a plan that they cannot launch as it was priced."""
    check_launchable(plan, sections)
    saving = saving_of(plan, sections)
    cuts = sections["failures"]["interruptions"]["p90"]
    days = sections["calendar"]["days"]["p90"]
    files = slurm.scripts(plan, saving, days, cuts, "torchtitan") | torchtitan.torchtitan_model(plan)
    files["torchtitan.args"] = "\n".join(torchtitan.torchtitan(plan, saving)) + "\n"
    if plan.layout.schedule:  # Megatron-LM and our trainer run 1F1B only
        return files
    files |= slurm.scripts(plan, saving, days, cuts, "megatron")
    if plan.layout.offload or uneven_last(plan):  # the others have no flag for either
        files = {name: text for name, text in files.items() if "titan" not in name}
    elif trainer_settings.runs(plan):
        own = trainer_settings.files(plan, saving, days, cuts)
        files |= {f"trinch/{name}": text for name, text in own.items()}
    files["megatron.args"] = "\n".join(megatron(plan, saving)) + "\n"
    files["jobset.yaml"] = kubernetes.to_yaml(kubernetes.jobset(plan, saving, cuts))
    files["trainjob.yaml"] = kubernetes.to_yaml(kubernetes.trainjob(plan, saving))
    files["raycluster.yaml"] = kubernetes.to_yaml(kubernetes.raycluster(plan))
    if plan.machine.shape.startswith("BM.GPU"):
        files["main.tf"] = oci_terraform.terraform(plan)
    return files


LAUNCHED = ("megatron-bridge", "megatron-core", "megatron-lm", "nemo", "nemo-mlperf", "torchtitan")
"""Engines whose speed the launch files can reach: Megatron-LM's core, and torchtitan."""


def check_launchable(plan: Plan, sections: Sections) -> None:
    """Raise PlanError where a launch file would not run what the plan counts on."""
    if sections["failures"]["restart"] == "hot":
        raise PlanError("the launch files restart cold: write files (--out) without --hot")
    if plan.engine not in LAUNCHED:
        raise PlanError(
            f"no launch file starts {plan.engine}: write files (--out) with one of {', '.join(LAUNCHED)}"
        )
    if plan.dispatcher == "node-limited":
        raise PlanError(
            "no launch file sends tokens once a node without DeepEP: use --dispatcher alltoall or deepep"
        )
    if plan.layout.vpp > 1 and plan.layout.accumulation % plan.layout.pp:
        raise PlanError(
            f"interleaved stages need a multiple of {plan.layout.pp} micro-batches, and there are "
            f"{plan.layout.accumulation}: change --batch"
        )
    _check_order(plan)
    layers, chunks = plan.workload.layers, plan.layout.pp * plan.layout.vpp
    if layers % chunks and (layers + 2) % chunks and not uneven_last(plan):
        raise PlanError(
            f"the launch files place {layers} layers evenly, and {chunks} pipeline chunks do not divide them"
        )


def _check_order(plan: Plan) -> None:
    """Raise PlanError for a schedule or an offload that no launch file asks of its engine."""
    order, moved = SCHEDULES[plan.layout.schedule], OFFLOADS[plan.layout.offload]
    if plan.layout.schedule and (plan.engine != "torchtitan" or order not in torchtitan.SCHEDULE_NAMES):
        raise PlanError(
            f"no launch file starts {order} on {plan.engine}: write files (--out) with --engine torchtitan and "
            f"--schedule {' or '.join(torchtitan.SCHEDULE_NAMES)}"
        )
    if moved not in ("none", "optimizer") or (plan.layout.offload and plan.engine == "torchtitan"):
        raise PlanError(
            f"no launch file of {plan.engine} offloads {moved}: Megatron-LM's offloads the optimizer (--offload optimizer)"
        )
    if plan.layout.offload and plan.layout.zero > 1:
        raise PlanError("Megatron-LM's FSDP does not offload the optimizer: use ZeRO-1, or --offload none")


def write_out(
    plan: Plan, sections: Sections, out: Path | str, search: Mapping[str, Any] | None = None
) -> list[Path]:
    """Writes report.html, plan.json and manifests/ into the folder `out`; returns what was written.

    `search` is the search's own result (layouts_scored, seconds, pareto, why), shown and stored as it is.
    PlanError if the folder cannot be written."""
    folder = Path(out)
    texts = {f"manifests/{name}": text for name, text in manifests(plan, sections).items()}
    data = {"plan": plan.as_dict(), **sections, "search": dict(search or {})}
    texts["plan.json"] = json.dumps(data, indent=1, default=_plain) + "\n"
    texts["report.html"] = html_report.render(plan, sections, dict(search or {}))
    written = []
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if path.suffix in (".sh", ".sbatch"):
                path.chmod(0o755)
            written.append(path)
    except OSError as err:
        raise PlanError(f"cannot write {folder}: {err.strerror}") from None
    return written


def _plain(value: Any) -> Any:
    """Dates as text, numpy numbers as Python's."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, np.generic):
        return value.item()
    return value
