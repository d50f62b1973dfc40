"""The order for a site against NVIDIA's and Oracle's published networks, and its arithmetic."""

import math

import pytest
from cluster_plans import grok, plan

from trinch.planner.ops import power, reliability
from trinch.planner.ops.bill_of_materials import Item, bill, phases, racks_of
from trinch.planner.ops.fabric import fabric, fat_tree
from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import PlanError, machine
from trinch.planner.perf.layout import Layout, Plan

# GPUs: (leaf, spine, core) switches and cables a level. NVIDIA DGX SuperPOD B200 reference architecture,
# docs.nvidia.com/dgx-superpod, table of scalable units; the H100 edition has the same counts.
SUPERPOD = {
    512: ((16, 8, 0), 512),
    1024: ((32, 16, 0), 1024),
    2048: ((64, 32, 0), 2048),
    4096: ((128, 128, 64), 4096),
    8192: ((256, 256, 128), 8192),
    16_384: ((512, 512, 256), 16_384),
}


@pytest.mark.parametrize("gpus", SUPERPOD)
def test_the_reference_architecture_switch_by_switch(gpus: int) -> None:
    (leaf, spine, core), each = SUPERPOD[gpus]
    switches, cables = fat_tree(gpus, 64)
    assert (switches["leaf"], switches["spine"], switches.get("core", 0)) == (leaf, spine, core)
    assert set(cables) == {each}


@pytest.mark.parametrize("gpus", [20_000, 100_000])
def test_every_cable_has_a_port_at_both_ends(gpus: int) -> None:
    for ports in (40, 64, 128, 144):
        switches, cables = fat_tree(gpus, ports)
        used = cables[0] + 2 * sum(cables[1:])
        built = ports * sum(switches.values())
        assert used <= built <= 1.1 * used + ports * len(switches)


def test_oversubscription_thins_the_top_only() -> None:
    even, thin = fat_tree(24_576, 64)[0], fat_tree(24_576, 64, 7)[0]
    assert (even["leaf"], even["spine"]) == (thin["leaf"], thin["spine"])
    assert thin["core"] == pytest.approx(even["core"] / 7, abs=1)


def test_a_network_too_large_or_unknown_is_refused() -> None:
    with pytest.raises(PlanError, match="more than 4 tiers"):
        fat_tree(10**9, 40)
    from dataclasses import replace

    with pytest.raises(PlanError, match="no switch of 123 Gb/s"):
        fabric(replace(machine("h100"), nic_gbits=123), 64, 2)


def ordered(made: Plan, gpus: int) -> dict[str, Item]:
    site = power.site_power(made.machine.gpu.name, gpus, site=made.machine.site)
    store = reliability.checkpoint("async", 4.4e12, gpus, 6000, 10)
    return {item.what: item for item in bill(made, gpus, site, store, 40)}


def test_four_scalable_units_take_the_racks_of_the_reference() -> None:
    # 127 nodes of DGX H100 stand in 38 racks (reference architecture of H100, table 7).
    compute, other, liquid = racks_of("H100-SXM-80GB", "superpod", 127 * 8)
    assert compute + other == pytest.approx(38, rel=0.1)
    assert not liquid


def test_twenty_thousand_and_a_hundred_thousand() -> None:
    cut = Layout(tp=8, pp=8, dp=312, micro_batch=1, global_batch=2496)
    small = ordered(plan(cut, site="superpod", spare_gpus=32), 20_000)
    assert small["nodes"].count == 2500
    # Three tiers of 64 ports: 5 switch ports a GPU, counted out from the reference's ratio of 1,280 at 16,384.
    switches = sum(
        item.count for name, item in small.items() if name.endswith("switches") and "spare" not in name
    )
    assert switches == pytest.approx(1280 * 20_000 / 16_384, rel=0.01)
    large = ordered(plan(cut, site="colossus"), 100_000)
    assert large["power"].count == pytest.approx(150, rel=0.1), "Colossus: 150 MW (press)"
    assert large["racks"].count > 100_000 / 64
    assert (
        large["coolant distribution units"].count * 1.3
        > 0.8 * table("order")["liquid_share.liquid"].value * 100
    )
    assert "coolant distribution units" not in small


def test_storage_follows_checkpoint_and_data_and_spares_the_failures() -> None:
    from dataclasses import replace

    made = grok()
    few, many = ordered(replace(made, tokens=1e12), 16_192), ordered(replace(made, tokens=50e12), 16_192)
    assert many["storage"].count > few["storage"].count * 5
    assert few["storage rate"].count == pytest.approx(
        16_192 * table("operations")["store_gbps_per_gpu"].value
    )
    assert few["nodes on the shelf"].count == 40 - made.spare_nodes


def test_phases_add_up_to_the_site() -> None:
    made = grok()
    site = power.site_power(made.machine.gpu.name, 100_000, site="oci")
    steps = phases(made, [("2025-06-01", 20_000), ("2025-12-31", 100_000)], site)
    assert [step["gpus"] for step in steps] == [20_000, 80_000]
    assert sum(step["megawatts"] for step in steps) == pytest.approx(site.provision_mw)
    compute, other, _ = racks_of(made.machine.gpu.name, "oci", 100_000)
    assert sum(step["racks"] for step in steps) == compute + other
    assert all(math.isfinite(step["switches"]) and step["switches"] > 0 for step in steps)
