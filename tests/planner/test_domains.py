"""Failures of whole racks, switches, power units and cooling loops, with spares and repairs."""

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

from trinch.cli.plan import plan as command
from trinch.planner.ops import reliability as rel
from trinch.planner.ops.domains import Domain, domains, with_domains
from trinch.planner.ops.recovery import Options, fleet_of
from trinch.planner.ops.run_days import run_days
from trinch.planner.perf.best_layout import best_plan
from trinch.planner.perf.hardware import PlanError, machine
from trinch.planner.perf.layout import Plan
from trinch.planner.perf.models import preset
from trinch.planner.simulate.run_simulation import Job, Outcome, simulate

H100 = machine("h100")
DAY = 86_400.0


@pytest.fixture(scope="module")
def llama() -> Plan:
    return best_plan(preset("llama-3-405b"), H100, 16_384, 15.6e12)


def run(of: list[Domain], spares: int, elastic: bool, days: float = 54.0, trials: int = 200) -> Outcome:
    """16,384 GPUs on which hardly anything but the given domains fails."""
    quiet = rel.fleet("llama-3")
    fleet = with_domains(rel.Fleet("quiet", 1e-9, 1e9, quiet.causes), H100, of)
    saved = rel.checkpoint("async", 5e12, 16_384, fleet.mtbf_s(16_384), 5.0)
    job = Job(16_384, 8, 128, saved, spare_nodes=spares, elastic=elastic)
    return simulate(job, fleet, rel.recovery(False), horizon_s=days * DAY, trials=trials)


def test_the_54_days_of_llama_3_still_come_out(llama: Plan) -> None:
    """419 interruptions, more than 90 % effective, and none of them a rack, power unit or cooling loop."""
    seen = run_days(llama, 54, Options(correlated=True, trials=400), spare_nodes=1024).as_dict()
    assert seen["interruptions"]["p10"] < 419 < seen["interruptions"]["p90"]
    assert seen["ettr"]["p50"] > 0.90
    expected = sum(seen["domain_events"][name] for name in ("rack", "power", "cooling"))
    assert math.exp(-expected) > 0.3, "that none was recorded must be likely"
    assert seen["domain_events"]["switch"] < 35, "switches and cables were 35 of the 419"


def test_switches_fail_as_often_as_published() -> None:
    """Alibaba HPN (SIGCOMM 2024): 0.051 % of the top-of-rack switches a month; a unit has eight leaves."""
    switch = next(one for one in domains() if one.name == "switch")
    assert switch.per_year / 8 / 12 == pytest.approx(0.00051, rel=0.01)


def test_the_rate_grows_by_that_of_the_domains() -> None:
    alone, both = (fleet_of(Options(correlated=on), H100) for on in (False, True))
    added = sum(one.per_year / 365.25 / one.gpus for one in domains())
    assert both.per_gpu_day == pytest.approx(alone.per_gpu_day + added)
    assert sum(cause.share for cause in both.causes) == pytest.approx(1.0)
    gpu = next(cause.share for cause in both.causes if cause.name == "faulty GPU")
    assert gpu * both.per_gpu_day == pytest.approx(148 / 419 * alone.per_gpu_day)


def test_a_domain_takes_all_its_nodes_and_brings_them_back_together() -> None:
    seen = run([Domain("power", 256, 2.0, 6 * 3600)], spares=4096, elastic=True)
    expected = 64 * 2.0 * 54 / 365.25
    assert seen.interruptions.mean() == pytest.approx(expected, rel=0.1)
    assert np.all(seen.most_out % 32 == 0)
    assert np.all(seen.swaps == 32 * seen.interruptions)
    assert np.all(seen.shrunk == 0), "spares cover it"


def test_without_spares_a_job_shrinks_or_waits_for_the_whole_domain() -> None:
    one = [Domain("power", 256, 0.4, 24 * 3600)]
    smaller, waiting = run(one, 0, elastic=True), run(one, 0, elastic=False)
    assert smaller.shrunk.mean() > 0
    assert smaller.waiting.sum() == 0
    assert waiting.waiting.mean() == pytest.approx(waiting.interruptions.mean() * DAY, rel=0.2)
    for seen in (smaller, waiting):
        parts = seen.productive + seen.stall + seen.lost + seen.down + seen.waiting + seen.shrunk
        assert parts == pytest.approx(seen.wall)
    assert waiting.ettr.mean() < smaller.ettr.mean()


def test_single_nodes_back_one_by_one_differ_from_a_domain_of_the_same_size() -> None:
    """The same nodes lost a day, together or one by one: only together do 40 spares not suffice."""
    together = run([Domain("power", 512, 0.5, 72 * 3600)], spares=40, elastic=True)
    apart = run([Domain("rack", 8, 0.5, 72 * 3600)], spares=40, elastic=True)
    assert together.swaps.mean() == pytest.approx(apart.swaps.mean(), rel=0.25)
    assert together.shrunk.mean() > 0
    assert apart.shrunk.mean() == 0


def test_the_command_says_what_whole_racks_cost() -> None:
    asked = ["simulate", "--model", "llama-3-70b", "--gpus", "1024", "--days", "30", "--trials", "50"]
    text = CliRunner().invoke(command, asked)
    assert text.exit_code == 0, text.output
    assert "30 days: effective time" in text.output
    assert "rack" in text.output
    found = json.loads(CliRunner().invoke(command, [*asked, "--json", "--single-nodes"]).stdout)["run"]
    assert found["domain_events"] == {}
    assert sum(found["wall_share"].values()) == pytest.approx(1.0)
    bad = CliRunner().invoke(command, [*asked, "--repair-hours", "-1"])
    assert bad.exit_code == 2
    assert "--repair-hours -1" in bad.output


def test_bad_numbers_are_refused(llama: Plan) -> None:
    for days, spares in ((0.0, 1), (54.0, -1)):
        with pytest.raises(PlanError):
            run_days(llama, days, Options(), spares)
