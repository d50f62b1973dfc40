"""Failures that take many nodes at once: a rack, the leaf switches of a unit, a power unit, a cooling loop.

Sizes, rates and repair times are in data/domains.csv.
"""

import math
from dataclasses import dataclass, replace

from trinch.planner.ops.reliability import Cause, Fleet
from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import Machine

YEAR_DAYS = 365.25
NAMES = ("rack", "switch", "power", "cooling")


@dataclass(frozen=True, slots=True)
class Domain:
    """What fails together: `gpus` GPUs, `per_year` times a year each, back after `repair_s` seconds in the mean."""

    name: str
    gpus: int
    per_year: float
    repair_s: float


def domains() -> list[Domain]:
    """The domains of the table."""
    facts = table("domains")
    return [
        Domain(
            name,
            int(facts[f"{name}.gpus"].value),
            facts[f"{name}.per_year"].value,
            facts[f"{name}.repair_hours"].value * 3600,
        )
        for name in NAMES
    ]


def with_domains(fleet: Fleet, machine: Machine, of: list[Domain] | None = None) -> Fleet:
    """The fleet with the failures of domains added to its own: the rate grows, the shares of causes shrink.

    A switch is noticed as a hang, the rest as a crash; all lose copies in the memory of peers."""
    listed = domains() if of is None else of
    rates = [one.per_year / YEAR_DAYS / one.gpus for one in listed]
    whole = fleet.per_gpu_day + sum(rates)
    causes = [replace(cause, share=cause.share * fleet.per_gpu_day / whole) for cause in fleet.causes]
    causes += [
        Cause(
            name=one.name,
            share=rate / whole,
            scope="domain",
            seen_as="hang" if one.name == "switch" else "crash",
            swap=True,
            nodes=math.ceil(one.gpus / machine.gpu.gpus_per_node),
            repair_s=one.repair_s,
        )
        for one, rate in zip(listed, rates, strict=True)
    ]
    return replace(fleet, per_gpu_day=whole, causes=tuple(causes))
