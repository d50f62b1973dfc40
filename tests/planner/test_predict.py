"""`plan predict` on a table: what a row becomes, what is inferred, what is refused."""

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_rows import Row, run_row, write_table

from trinch.planner.perf.calibration import shipped
from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.run_rows import predict_table, read_table, understand
from trinch.training.runs_table import COLUMNS

MEASURED = ("step_time_s", "tokens_per_s_per_gpu", "tflops_per_gpu", "mfu", "tflops_norm")


def one(row: Row) -> dict:
    return predict_table([row], shipped())[0]


def test_a_row_has_every_promised_field() -> None:
    found = one(run_row())
    assert set(found) == {
        "id",
        "step_time_s",
        "tokens_per_s_per_gpu",
        "tflops_per_gpu",
        "memory_gb",
        "band",
        "inferred",
    }
    low, high = found["band"]
    assert low < found["step_time_s"] < high
    assert found["tokens_per_s_per_gpu"] == pytest.approx(128 * 8192 / found["step_time_s"] / 64)
    assert 200 < found["tflops_per_gpu"] < 700


def test_blanks_are_inferred_and_listed() -> None:
    found = one(run_row(micro_batch="", recompute="", zero_stage="", sequence_parallel=""))
    assert set(found["inferred"]) == {"micro_batch", "recompute", "zero_stage", "sequence_parallel"}
    stated = run_row(micro_batch=1, recompute="none", zero_stage="1", sequence_parallel="yes")
    assert one(stated)["inferred"] == []
    assert one(stated)["step_time_s"] == found["step_time_s"]


def test_a_measurement_gives_an_error_and_changes_nothing_else() -> None:
    blank = one(run_row())
    step = blank["step_time_s"] * 2
    measured = one(run_row(step_time_s=step, tokens_per_s_per_gpu=1, mfu=12, tflops_per_gpu=400))
    assert measured.pop("error") == pytest.approx(-0.5)
    assert measured == blank


def test_tokens_per_second_alone_are_a_measurement() -> None:
    blank = one(run_row())
    measured = one(run_row(tokens_per_s_per_gpu=blank["tokens_per_s_per_gpu"]))
    assert measured["error"] == pytest.approx(0, abs=1e-12)


def test_a_blank_layout_is_guessed_with_a_wider_band() -> None:
    stated, guessed = one(run_row()), one(run_row(TP="", PP="", VPP="", CP=""))
    assert {"TP", "PP"} <= set(guessed["inferred"])

    def width(found: dict) -> float:
        return math.log(found["band"][1] / found["band"][0])

    assert width(guessed) > 1.5 * width(stated)


def test_a_bubble_nobody_would_run_with_is_interleaved() -> None:
    many, few = one(run_row(VPP="", global_batch=256)), one(run_row(VPP="", global_batch=16))
    assert "VPP" not in many["inferred"]
    assert "VPP" in few["inferred"]
    assert few["step_time_s"] < 0.8 * one(run_row(VPP=1, global_batch=16))["step_time_s"]


def test_torchtitan_cuts_its_share_into_as_many_micro_batches_as_stages() -> None:
    cells = {
        "engine": "torchtitan",
        "VPP": "",
        "micro_batch": "",
        "CP": 1,
        "n_gpus": 128,
        "TP": 8,
        "global_batch": 64,
    }
    assert understand(run_row(**cells)).layout.accumulation == 4


def test_an_unknown_engine_widens_the_band() -> None:
    known, unknown = one(run_row()), one(run_row(engine="my own"))
    assert "engine" in unknown["inferred"]
    assert unknown["band"][1] / unknown["step_time_s"] > known["band"][1] / known["step_time_s"]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"gpu": "H200X"}, "did you mean"),
        ({"gpu": ""}, "gpu is blank"),
        ({"n_gpus": "60"}, "do not divide"),
        ({"n_gpus": "many"}, "not a number"),
        ({"global_batch": "-3"}, "out of range"),
        ({"global_batch": ""}, "global_batch is blank"),
        ({"TP": "1.5"}, "not a positive whole number"),
        ({"precision": "int3"}, "unknown precision"),
        ({"gpu": "A100-80GB", "precision": "fp8"}, "no fp8 units"),
        ({"recompute": "some"}, "recompute"),
        ({"model": "Nemotron-H 56B (hybrid Mamba2/attention)"}, "not modelled"),
        ({"model": "Mystery", "layers": "", "hidden": ""}, "no shape"),
    ],
)
def test_a_row_that_cannot_be_predicted_has_a_reason(cells: Row, says: str) -> None:
    found = one(run_row(**cells))
    assert set(found) == {"id", "reason"}
    assert says in found["reason"]


def test_order_and_identity_survive_refused_rows() -> None:
    rows = [run_row(id="a"), run_row(id="b", gpu="abacus"), run_row(id="c", id_="")]
    assert [found["id"] for found in predict_table(rows, shipped())] == ["a", "b", "c"]
    assert predict_table([run_row(id="", gpu="")], shipped())[0]["id"] == "row 1"


@pytest.mark.parametrize(
    ("model", "gpu", "date", "fused"),
    [
        ("gpt-oss-120b", "B200", "26.02", False),
        ("gpt-oss-120b", "B300", "26.02", False),
        ("gpt-oss-120b", "B300", "26.04", True),
        ("qwen3-235b-a22b", "H100", "26.04", False),
        ("qwen3-30b-a3b", "H100", "25.11", False),
        ("qwen3-30b-a3b", "H100", "26.02", True),
        ("deepseek-v3", "H100", "26.02", True),
    ],
)
def test_a_row_is_dispatched_as_its_published_recipe(model: str, gpu: str, date: str, fused: bool) -> None:
    """NVIDIA's recipes say which models, GPUs and releases of Megatron-Bridge fuse the dispatch of tokens."""
    cells: Row = {
        "id": "a", "model": model, "gpu": gpu, "date": date, "engine": "Megatron-Bridge", "n_gpus": "64", "EP": "64" if "oss" in model else "32",
        "TP": "1", "PP": "1", "micro_batch": "1", "global_batch": "512", "seq_len": "4096", "precision": "bf16",
    }  # fmt: skip
    took = {
        name: predict_table([cells | {"dispatcher": name}], shipped())[0]["step_time_s"]
        for name in ("", "alltoall", "deepep")
    }
    assert took["deepep"] < took["alltoall"]
    assert took[""] == took["deepep" if fused else "alltoall"]


def test_a_preset_lends_what_the_columns_cannot_say() -> None:
    deepseek = understand(
        run_row(
            model="DeepSeek-V3 671B",
            layers=61,
            hidden=7168,
            ffn=18432,
            heads=128,
            kv_heads=128,
            vocab=129280,
            seq_len=4096,
            experts=256,
            top_k=8,
            shared_experts=1,
            moe_ffn=2048,
            n_gpus=1024,
            TP=2,
            PP=8,
            VPP="",
            CP="",
            EP=64,
            global_batch=8192,
        )
    ).case.workload
    assert deepseek.mla
    assert deepseek.parameters() == 671_026_419_200
    named = understand(run_row(model="Llama-3.1-70B", layers="", hidden="", heads="", ffn="", vocab=""))
    assert named.case.workload.parameters() == 70_553_706_496
    assert "layers" in named.inferred


def test_an_unknown_expert_model_is_taken_as_its_columns_say() -> None:
    cells = {
        "experts": 16,
        "top_k": 4,
        "moe_ffn": 10752,
        "shared_experts": "",
        "EP": 8,
        "PP": 1,
        "VPP": "",
        "TP": 1,
    }
    work = understand(
        run_row(model="DBRX", layers=40, hidden=6144, heads=48, kv_heads=8, vocab=100352, **cells)
    ).case.workload
    assert work.moe_layers == 40
    assert work.parameters() == pytest.approx(132e9, rel=0.01)


def test_adapters_are_frozen_and_node_networks_read_from_notes() -> None:
    assert understand(run_row(model="Llama-3.1-70B LoRA")).case.frozen
    slow = understand(run_row(notes="A100 node-node 1600 Gb/s RoCE"))
    assert slow.case.machine.nic_gbits == 200


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(COLUMNS),
        st.one_of(st.text(max_size=8), st.integers().map(str), st.just("")),
        max_size=8,
    )
)
def test_no_cell_crashes_the_table(cells: Row) -> None:
    found = one({**run_row(), **cells})
    assert ("reason" in found) != ("step_time_s" in found)
    if "step_time_s" in found:
        assert math.isfinite(found["step_time_s"])
        assert found["step_time_s"] > 0


def test_a_table_without_needed_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("id,model\n1,x\n")
    with pytest.raises(PlanError, match="no column gpu, n_gpus"):
        read_table(path)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(b"\xff\xfe\x00\x01" * 10)
    with pytest.raises(PlanError, match="not a CSV table"):
        read_table(path)


def test_predict_reads_the_table_it_wrote(tmp_path: Path) -> None:
    assert read_table(write_table(tmp_path / "r.csv", run_row())) == [run_row()]


@pytest.mark.needs("runs/published_runs.csv")
def test_published_rows_need_no_measured_column(shared: Path) -> None:
    rows = read_table(shared)
    with_errors = predict_table(rows, shipped())
    blank = predict_table([{**row, **dict.fromkeys(MEASURED, "")} for row in rows], shipped())
    for one_, other in zip(with_errors, blank, strict=True):
        one_.pop("error", None)
        assert one_ == other
    refused = [found for found in blank if "reason" in found]
    assert len(refused) < 0.1 * len(rows)


@pytest.mark.needs("runs/published_runs.csv")
def test_held_out_families_meet_the_targets(shared: Path) -> None:
    from trinch.planner.perf.run_rows import understand_all
    from trinch.planner.perf.validate import by_family

    runs = list(understand_all(read_table(shared))[0].values())
    scores = {(one_.group, one_.fitted): one_ for one_ in by_family(runs, shipped())}
    dense = scores["all dense, A100 H100 H200", "held out"]
    experts = scores["all moe, A100 H100 H200", "held out"]
    assert dense.rows > 50
    assert dense.mape < 0.08
    assert dense.worst < 0.30
    assert 0.75 <= dense.covered <= 0.85
    assert experts.mape < 0.12
    assert experts.worst < 0.30


def test_columns_are_the_published_ones(tmp_path: Path) -> None:
    with write_table(tmp_path / "r.csv", run_row()).open() as lines:
        assert next(csv.reader(lines)) == COLUMNS
