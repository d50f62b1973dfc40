"""The switches and cables of a rail-optimised fat tree, from GPUs, ports of a switch and oversubscription.

Every GPU has one port. Rail i of all nodes of a pod shares a leaf switch; half the ports of a switch point down,
half up, and switches of the top tier point down only.
"""

import math
from dataclasses import dataclass

from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import Machine, PlanError
from trinch.planner.perf.hardware import table as raw_table

TIERS = ("leaf", "spine", "core", "super core")


@dataclass(frozen=True, slots=True)
class Links:
    """Cables between two levels. `metres` is the longest run, `medium` copper, multimode or single-mode."""

    between: str
    cables: int
    metres: float
    medium: str


@dataclass(frozen=True, slots=True)
class Fabric:
    """`switches` by tier and `links` from the nodes upwards. Transceiver modules sit at both ends of every
    optical cable; a switch's module may carry two ports, a node's carries two."""

    switch: str
    ports: int
    switches: dict[str, int]
    links: list[Links]
    modules: int
    source: str
    mark: str

    @property
    def total_switches(self) -> int:
        """Switches of all tiers."""
        return sum(self.switches.values())

    @property
    def cables(self) -> int:
        """Cables of all levels."""
        return sum(link.cables for link in self.links)


def fat_tree(gpus: int, ports: int, oversubscription: float = 1.0) -> tuple[dict[str, int], list[int]]:
    """(switches by tier, cables by level) of the smallest fat tree of `ports`-port switches that holds `gpus`.

    `oversubscription` thins what leads to the top tier. With 64 ports this is the table of NVIDIA's reference
    architecture: 2,048 GPUs take 64 + 32 switches, 16,384 take 512 + 512 + 256."""
    half, tiers = ports // 2, 1
    while 2 * half**tiers < gpus:
        tiers += 1
    if tiers > len(TIERS):
        raise PlanError(f"{gpus:,} GPUs need more than {len(TIERS)} tiers of {ports}-port switches")
    if tiers == 1:
        return {TIERS[0]: math.ceil(gpus / ports)}, [gpus]
    thin = math.ceil(gpus / oversubscription)
    counts = {TIERS[tier]: math.ceil(gpus / half) for tier in range(tiers - 1)}
    counts[TIERS[tiers - 1]] = math.ceil(thin / ports)
    return counts, [gpus] * (tiers - 1) + [thin]


def fabric(machine: Machine, gpus: int, racks: int) -> Fabric:
    """The compute fabric of `gpus` GPUs in `racks` racks. PlanError for a network the tables do not know."""
    row = next(
        (
            row
            for row in raw_table("switches.csv")
            if (row["fabric"], float(row["nic_gbits"])) == (machine.fabric, machine.nic_gbits)
        ),
        None,
    )
    if row is None:
        raise PlanError(f"no switch of {machine.nic_gbits:g} Gb/s {machine.fabric} in the tables")
    thin = machine.oversubscription if gpus > machine.pod_gpus else 1.0
    switches, cables = fat_tree(gpus, int(row["ports"]), thin)
    runs = _runs(len(cables), gpus, racks)
    links = [
        Links(f"{below} to {above}", count, metres, _medium(metres))
        for below, above, count, metres in zip(("node", *TIERS), TIERS, cables, runs, strict=False)
    ]
    per_switch = int(row["ports_per_module"])
    optical = [link for link in links if link.medium != "copper"]
    modules = sum(
        math.ceil(link.cables / (2 if link is links[0] else per_switch)) + math.ceil(link.cables / per_switch)
        for link in optical
    )
    return Fabric(row["name"], int(row["ports"]), switches, links, modules, row["source"], row["mark"])


def _runs(levels: int, gpus: int, racks: int) -> list[float]:
    """Longest cable of each level in metres: across a pod, across four pods, then across the hall."""
    facts = table("order")
    area, slack = facts["rack_area_m2"].value, facts["slack"].value
    pod = min(1.0, facts["pod_gpus"].value / gpus) * racks

    def across(count: float) -> float:
        return 2 * math.sqrt(max(count, 1.0) * area) * slack  # along a row and a column

    spans = [across(pod), across(min(8 * pod, racks)), across(racks)]
    return [*spans[: levels - 1], across(racks)]


def _medium(metres: float) -> str:
    facts = table("order")
    if metres <= facts["copper_m"].value:
        return "copper"
    return "multimode" if metres <= facts["multimode_m"].value else "single-mode"
