"""Serving over many nodes against SGLang's published rates, speculative decoding and reuse, and the fleet."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from engine_parsers import parsed

from trinch.cli.plan_fleet import fleet
from trinch.cli.plan_serve import serve
from trinch.planner.fleet_plan import plan_fleet
from trinch.planner.launch.sglang import sglang
from trinch.planner.perf.hardware import PlanError, gpu
from trinch.planner.perf.models import workload
from trinch.planner.perf.serving import Demand, options
from trinch.planner.perf.serving_wide import (
    exchange_s,
    experts_each,
    pass_s,
    replica_gb,
    supported,
    wide_options,
)
from trinch.planner.perf.step_time import distinct_nodes

V3, H100, ONE = workload("deepseek-v3"), gpu("h100"), np.array(1.0)

# lmsys.org 2025-05-05 (96 H100: prefill on 4 nodes, decode on 9; tokens/s a node of 8) and 2025-06-16 (GB200
# NVL72, tokens/s a GPU). No constant was fitted to them. GPU, EP, sequences a GPU, new, context, phase, per, rate.
PUBLISHED = [
    ("h100", 32, 16, 1024, 0, "prefill", 8, 57_674),
    ("h100", 32, 8, 2048, 0, "prefill", 8, 54_543),
    ("h100", 32, 8, 2000, 0, "prefill", 8, 52_300),
    ("h100", 32, 4, 4096, 0, "prefill", 8, 50_302),
    ("h100", 72, 256, 1, 2050, "decode", 8, 22_282),
    ("gb200", 48, 768, 1, 2050, "decode", 1, 7_583),
]


@pytest.mark.parametrize("case", PUBLISHED)
def test_published_rates_of_deepseek_v3_are_met_within_15_percent(case: tuple) -> None:
    chip, ep, batch, new, context, phase, per, rate = case
    shape = (ONE * batch, ONE * new, ONE * context)
    seconds = float(pass_s(V3, gpu(chip), ep, *shape, "fp8", 2.0, phase))
    assert per * batch * new / seconds == pytest.approx(rate, rel=0.15)


def test_distinct_nodes_agree_with_drawing() -> None:
    rng, several = np.random.default_rng(0), np.array
    for nodes in (2, 4, 8):
        drawn = [len(set(rng.choice(256, 8, replace=False) // (256 // nodes))) for _ in range(4000)]
        ours = float(distinct_nodes(several(float(nodes)), ONE * 8, ONE * 0, ONE * 0))
        assert ours == pytest.approx(np.mean(drawn), rel=0.03)
    limited = [float(distinct_nodes(ONE * n, ONE * 8, ONE * 8, ONE * 4)) for n in (1, 2, 4, 8, 16)]
    assert limited[0] == 1
    assert limited[3] == 4
    assert limited == sorted(limited)


def test_sending_once_a_node_never_costs_more_than_every_copy() -> None:
    for ep in (16, 32, 64, 128):
        once, copies = (float(exchange_s(V3, H100, ep, ONE * 1e4, flag)) for flag in (True, False))
        assert once < copies


def test_what_fits_shrinks_with_the_group_and_experts_are_all_held() -> None:
    memory = [float(replica_gb(V3, ep, ONE * 8, 2500, "fp8", 2.0)) for ep in (8, 16, 64, 256)]
    assert memory == sorted(memory, reverse=True)
    for ep in (8, 72, 144, 320):
        local, redundant = experts_each(V3, ep)
        assert local * ep == V3.experts + redundant
        assert redundant < ep


def test_only_models_that_sglang_serves_so() -> None:
    assert supported(V3)
    assert supported(workload("kimi-k2"))
    assert not supported(workload("grok-2"))
    assert not supported(workload("mixtral-8x7b"))
    assert wide_options(workload("grok-2"), H100, Demand(10, 1000, 100), "fp8", 2.0, None) == []


def test_kimi_k2_fits_where_it_fits() -> None:
    demand = Demand(50, 2000, 500, 8000, 200)
    with pytest.raises(PlanError):
        options(workload("kimi-k2"), gpu("a100"), demand, "bf16")
    found = wide_options(workload("kimi-k2"), H100, demand, "fp8", 2.0, None)
    assert found
    assert all(way.memory_gb <= 80 * 0.88 for way in found)
    assert all(way.tpot_ms <= 200 and way.ttft_ms <= 8000 for way in found)


def test_sglang_starts_the_groups_that_were_planned() -> None:
    found = wide_options(V3, H100, Demand(200, 2000, 500, 5000, 100), "fp8", 2.0, None)
    for way in {way.ep: way for way in found}.values():
        for role, size in (("prefill", way.prefill_ep), ("decode", way.ep)):
            args = parsed("sglang", sglang(way, "deepseek-v3", 2500, 2.0, role))
            assert (args["tp_size"], args["attn_dp_size"]) == (size, size)
            assert args["nnodes"] == max(1, size // 8)
            assert args["disaggregation_mode"] == role
            assert args["moe_a2a_backend"] == "deepep"
            assert args["deepep_mode"] == ("normal" if role == "prefill" else "low_latency")
            assert args["enable_two_batch_overlap"]
            assert (256 + args["ep_num_redundant_experts"]) % size == 0
            if role == "decode":
                assert args["max_running_requests"] == way.batch * way.ep


def test_split_serving_starts_both_roles_and_drafts(tmp_path) -> None:
    asked = (
        "--model",
        "llama-3-70b",
        "--rate",
        "20",
        "--prompt",
        "1000",
        "--answer",
        "200",
        "--mode",
        "split",
    )
    ran = CliRunner().invoke(serve, [*asked, "--draft", "3", "--out", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    for role in ("prefill", "decode"):
        text = (tmp_path / f"serve-sglang-{role}.sh").read_text()
        assert f"--disaggregation-mode {role}" in text
        assert "--speculative-num-draft-tokens 4" in text
        assert '--speculative-draft-model-path "$DRAFT"' in text
    assert not (tmp_path / "serve-sglang.sh").exists()


def test_reuse_and_drafts_save_gpus_and_acceptance_counts() -> None:
    def gpus(**more: float) -> int:
        return options(workload("llama-3-70b"), H100, Demand(50, 4000, 400, **more), "fp8")[0].gpus

    assert gpus(reuse=0.8) < gpus()
    assert gpus(draft=2, acceptance=0.9) < gpus()
    assert Demand(1, 1, 1, draft=2, acceptance=0.5).accepted == pytest.approx(1 + 0.5 + 0.25)
    assert Demand(1, 1, 1).accepted == 1


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"reuse": 1.0}, "reuse is the share"),
        ({"reuse": float("nan")}, "reuse is the share"),
        ({"draft": -1}, "draft tokens"),
        ({"acceptance": 1.0}, "between 0 and 1"),
        ({"ttft_ms": float("inf")}, "above zero"),
    ],
)
def test_a_demand_that_is_none_is_refused(more: dict, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        Demand(**({"requests_per_s": 1, "prompt": 100, "answer": 10} | more))


def test_the_fleet_adds_up() -> None:
    made = plan_fleet("30M", "500M", gpus=20_000)
    assert made.serving_gpus == sum(duty.gpus for duty in made.duties)
    assert made.training_gpus == 20_000 - made.serving_gpus
    answers, posts = made.duties
    assert answers.mean_per_s == pytest.approx(30e6 * 3.7 / 86_400)
    assert posts.mean_per_s == pytest.approx(500e6 / 86_400)
    assert all(duty.peak_per_s == 2 * duty.mean_per_s for duty in made.duties)
    assert all(duty.way["requests_per_s_max"] >= duty.peak_per_s * 0.999 for duty in made.duties)
    assert made.idle_at_mean == pytest.approx(made.serving_gpus / 2, abs=1)
    twice = plan_fleet("60M", "500M")
    assert twice.duties[0].gpus == pytest.approx(2 * answers.gpus, rel=0.02)
    assert "assumed" in str(made)


def test_the_fleet_by_command() -> None:
    run = CliRunner().invoke(fleet, ["--users", "1M", "--posts-per-day", "10M", "--gpus", "1k", "--json"])
    assert run.exit_code == 0
    found = json.loads(run.stdout)
    assert found["total_gpus"] == 1000
    assert 0 < found["training_share"] < 1
    assert "racks" in CliRunner().invoke(fleet, ["--users", "1M"]).stdout


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--users", "0"), "too small"),
        (("--users", "many"), "not a count"),
        (("--users", "30M", "--gpus", "8"), "takes"),
        (("--users", "30M", "--peak", "0"), "peak of 0"),
        (("--users", "30M", "--reuse", "2"), "reuse is the share"),
        (("--users", "30M", "--model", "grok9"), "unknown model"),
        (("--users", "30M", "--requests-per-user", "-1"), "above zero"),
        (("--users", "30M", "--price", "-3"), "price of -3"),
    ],
)
def test_a_fleet_that_cannot_be_is_one_sentence(more: tuple[str, ...], says: str) -> None:
    run = CliRunner().invoke(fleet, list(more))
    assert run.exit_code == 2
    assert says in run.stderr
    assert "Traceback" not in run.output
