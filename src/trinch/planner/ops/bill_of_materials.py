"""What to order for a cluster: nodes, fabric, racks, cooling, the power chain, storage and spares.

Counts follow from the plan and `data/order.csv`; every item says why, and how far its source may be trusted.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

from trinch.planner.ops.fabric import Fabric, fabric
from trinch.planner.ops.power import SitePower
from trinch.planner.ops.reliability import Checkpoint
from trinch.planner.ops.tables import Fact, table
from trinch.planner.perf.layout import Plan


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order. `mark` is the weakest of the facts behind the count."""

    what: str
    count: float
    unit: str
    why: str
    mark: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data, with the count written out."""
        return asdict(self) | {
            "how_much": f"{self.count:,.4g} {self.unit}"
            if self.count < 100
            else f"{self.count:,.0f} {self.unit}"
        }


def racks_of(gpu: str, site: str, gpus: int) -> tuple[int, int, bool]:
    """(racks with GPUs, other racks, liquid-cooled?)."""
    facts, liquid = table("order"), True
    per = facts.get(f"gpus_per_rack.{gpu}") or facts.get(f"gpus_per_rack.{site}")
    if per is None:
        per, liquid = facts["gpus_per_rack.air"], False
    compute = math.ceil(gpus / per.value)
    return compute, math.ceil(compute * facts["other_racks_share"].value), liquid


def bill(plan: Plan, gpus: int, power: SitePower, store: Checkpoint, spare_nodes: int) -> list[Item]:
    """The order for a site of `gpus` GPUs: `spare_nodes` keep failures from finding the shelf empty."""
    compute, other, liquid = racks_of(plan.machine.gpu.name, plan.machine.site, gpus)
    net = fabric(plan.machine, gpus, compute + other)
    return [
        *_nodes(plan, gpus, spare_nodes),
        *_network(net),
        Item(
            "racks",
            compute + other,
            "",
            f"{compute:,} with GPUs, {other:,} for network, management, storage",
            "assumed",
        ),
        *_cooling(power, liquid),
        *_power_chain(power),
        *_storage(plan, store),
    ]


def _nodes(plan: Plan, gpus: int, spare_nodes: int) -> list[Item]:
    nodes = math.ceil(gpus / plan.machine.gpu.gpus_per_node)
    held = plan.spare_nodes
    more = max(0, spare_nodes - held)
    return [
        Item(
            "nodes",
            nodes,
            plan.machine.shape,
            f"{nodes - held:,} in use, {held:,} spare; site {plan.machine.site}",
            "verified",
        ),
        Item(
            "nodes on the shelf",
            more,
            "",
            f"{spare_nodes:,} spares are enough with 95 %, the plan leaves {held:,} idle",
            "assumed",
        ),
    ]


def _network(net: Fabric) -> list[Item]:
    facts = table("order")
    items = [
        Item(f"{tier} switches", count, net.switch, f"{net.ports} ports, rail-optimised fat tree", net.mark)
        for tier, count in net.switches.items()
    ]
    for link in net.links:
        items.append(
            Item(
                f"cables, {link.between}",
                link.cables,
                link.medium,
                f"runs of up to {link.metres:,.0f} m",
                "assumed",
            )
        )
    spare = facts["spare_module_share"]
    items.append(
        Item(
            "transceiver modules",
            net.modules,
            "",
            "both ends of every optical cable; two ports a module where the cage has two",
            net.mark,
        )
    )
    items.append(
        Item(
            "spare switches",
            math.ceil(net.total_switches * facts["spare_switch_share"].value),
            "",
            f"{facts['spare_switch_share'].value:.0%} on the shelf",
            "assumed",
        )
    )
    items.append(
        Item(
            "spare transceiver modules",
            math.ceil(net.modules * spare.value),
            "",
            f"{spare.value:.0%} on the shelf",
            spare.mark,
        )
    )
    return items


def _blocks(load: float, size: Fact) -> int:
    """Blocks of one size for a load, with the spare share."""
    return math.ceil(load * (1 + table("order")["spare_power_blocks"].value) / size.value)


def _cooling(power: SitePower, liquid: bool) -> list[Item]:
    facts = table("order")
    if not liquid:
        return [
            Item(
                "air cooling",
                power.it_mw,
                "MW",
                "heat of the IT load at training power; no liquid loop",
                "assumed",
            )
        ]
    heat = power.provision_mw * power.it_mw / power.site_mw * facts["liquid_share.liquid"].value
    units = _blocks(heat * 1000, facts["cdu_kw"])
    return [
        Item(
            "coolant distribution units",
            units,
            f"{facts['cdu_kw'].value:,.0f} kW",
            f"{heat:,.0f} MW into the liquid loop, one spare in ten",
            "assumed",
        )
    ]


def _power_chain(power: SitePower) -> list[Item]:
    facts = table("order")
    it = power.provision_mw * power.it_mw / power.site_mw
    batteries = math.ceil(power.swing_mw * facts["swing_share"].value / facts["battery_mw"].value)
    mva = power.provision_mw / facts["power_factor"].value
    return [
        Item(
            "power",
            power.provision_mw,
            "MW provisioned",
            f"{power.site_mw:,.0f} MW on average while training",
            "assumed",
        ),
        Item(
            "transformers",
            _blocks(mva, facts["transformer_mva"]),
            f"{facts['transformer_mva'].value:g} MVA",
            f"{mva:,.0f} MVA, one spare in ten",
            "assumed",
        ),
        Item(
            "uninterruptible supplies",
            _blocks(it, facts["ups_mw"]),
            f"{facts['ups_mw'].value:g} MW",
            f"{it:,.0f} MW of IT load",
            "assumed",
        ),
        Item(
            "generators",
            _blocks(power.provision_mw, facts["generator_mw"]),
            f"{facts['generator_mw'].value:g} MW",
            "the whole site",
            "assumed",
        ),
        Item(
            "batteries",
            batteries,
            f"{facts['battery_mw'].value:g} MW",
            f"smooth the {power.swing_mw:,.1f} MW that vanish when the job stops",
            "second-hand",
        ),
    ]


def _storage(plan: Plan, store: Checkpoint) -> list[Item]:
    """Capacity for checkpoints and data, and the write rate that the plan's checkpoints count on."""
    facts = table("order")
    kept = facts["checkpoints_kept"].value * store.bytes
    data = plan.tokens * (facts["bytes_per_token"].value + facts["raw_bytes_per_token"].value)
    capacity = (kept + data) * facts["store_redundancy"].value / 1e12
    write_s = store.lag_s - store.stall_s if store.kind == "async" else store.stall_s
    rate = store.bytes / 1e9 / write_s
    by_size = math.ceil(capacity / facts["store_server_tb"].value)
    by_rate = math.ceil(rate / facts["store_server_gbps"].value)
    held = f"{facts['checkpoints_kept'].value:g} checkpoints of {store.bytes / 1e12:,.1f} TB and {data / 1e12:,.1f} TB of data"
    return [
        Item("storage", capacity, "TB", held, "assumed"),
        Item("storage rate", rate, "GB/s", f"a checkpoint is written in {write_s:,.1f} s", "verified"),
        Item(
            "storage servers",
            max(by_size, by_rate, 2),
            "",
            f"{by_size:,} for capacity, {by_rate:,} for rate",
            "assumed",
        ),
    ]


def phases(plan: Plan, ramp: list[tuple[str, int]], power: SitePower) -> list[dict[str, Any]]:
    """What each delivery of a ramp adds: (date, GPUs in total) in, nodes, racks, switches and megawatts out.

    `power` is that of the last one."""
    rows, before = [], {"gpus": 0, "nodes": 0, "racks": 0, "switches": 0, "megawatts": 0.0}
    for on, gpus in ramp:
        compute, other, _ = racks_of(plan.machine.gpu.name, plan.machine.site, gpus)
        now = {
            "gpus": gpus,
            "nodes": math.ceil(gpus / plan.machine.gpu.gpus_per_node),
            "racks": compute + other,
            "switches": fabric(plan.machine, gpus, compute + other).total_switches,
            "megawatts": power.provision_mw * gpus / ramp[-1][1],
        }
        rows.append({"on": on, **{name: now[name] - before[name] for name in now}, "total_gpus": gpus})
        before = now
    return rows
