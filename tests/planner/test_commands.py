"""The verbs of `trinch plan` through the command line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from plan_rows import run_row, write_table

from trinch.cli.plan import plan


def run(*arguments: str) -> Result:
    return CliRunner().invoke(plan, list(arguments))


def test_predict_prints_one_object_a_row(tmp_path: Path) -> None:
    path = write_table(tmp_path / "r.csv", run_row(id="a"), run_row(id="b", gpu="abacus"), run_row(id="c"))
    result = run("predict", str(path), "--json")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["id"] for line in lines] == ["a", "b", "c"]
    assert "reason" in lines[1]
    assert lines[0]["step_time_s"] > 0


def test_predict_without_json_is_a_table_in_a_pipe(tmp_path: Path) -> None:
    path = write_table(tmp_path / "r.csv", run_row(id="a", step_time_s=15))
    head, line = run("predict", str(path)).stdout.splitlines()
    assert len(head.split("\t")) == len(line.split("\t"))
    assert "%" in line


def test_predict_that_could_predict_nothing_fails(tmp_path: Path) -> None:
    assert run("predict", str(write_table(tmp_path / "r.csv", run_row(gpu="abacus")))).exit_code == 1


def test_validate_prints_families_and_totals(tmp_path: Path) -> None:
    path = write_table(
        tmp_path / "r.csv", run_row(step_time_s=14.6, tier="A"), run_row(id="b", step_time_s=16)
    )
    result = run("validate", str(path), "--json")
    assert result.exit_code == 0
    groups = [json.loads(line) for line in result.stdout.splitlines()]
    assert groups[-1]["group"] == "all dense, A100 H100 H200"
    assert groups[-1]["rows"] == 2


def test_validate_without_measurements_is_wrong_usage(tmp_path: Path) -> None:
    assert run("validate", str(write_table(tmp_path / "r.csv", run_row()))).exit_code == 2


def test_train_finds_a_layout_as_json() -> None:
    result = run("train", "--model", "llama-3-70b", "--gpus", "1k", "--tokens", "1T", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["layouts_scored"] > 1000
    assert found["seconds"] < 60
    best = found["best"]
    assert {"layout", "step_time_s", "mfu", "memory_gb", "days"} <= set(best)
    assert 0.3 < best["mfu"] < 0.7
    assert found["pareto"][0]["step_time_s"] > 0


def test_train_in_words() -> None:
    result = run("train", "--model", "llama-3-8b", "--gpus", "64", "--tokens", "300B")
    assert result.exit_code == 0
    assert "layout" in result.stdout
    assert "runner-up" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model", "grok1", "--gpus", "20k", "--tokens", "10T"), "did you mean grok-1"),
        (("--model", "grok-1", "--gpus", "20k", "--tokens", "10"), "10T"),
        (("--model", "grok-1", "--gpus", "20k", "--tokens", "ten"), "not a count"),
        (("--model", "grok-1", "--gpus", "0", "--tokens", "10T"), "whole number of GPUs"),
        (("--model", "grok-1", "--gpus", "20k", "--tokens", "10T", "--gpu", "h1000"), "did you mean h100"),
        (("--model", "grok-1", "--gpus", "20k", "--tokens", "10T", "--site", "ocy"), "did you mean oci"),
        (
            ("--model", "grok-1", "--gpus", "20k", "--tokens", "10T", "--site", "meta-24k", "--gpu", "a100"),
            "it has",
        ),
        (("--model", "grok-1", "--gpus", "16", "--tokens", "10T"), "GPUs work"),
        (("--model", "grok-1", "--gpus", "20k", "--tokens", "10T", "--seq-len", "0"), "not positive"),
        (("--model", "grok-1", "--gpus", "20k", "--tokens", "10T", "--batch", "0"), "at least one sequence"),
        (
            ("--model", "grok-1", "--gpus", "20k", "--tokens", "10T", "--precision", "fp4"),
            "unknown precision",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments: tuple[str, ...], says: str) -> None:
    result = run("train", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output


SMALL = ("train", "--model", "llama-3-8b", "--gpus", "64", "--tokens", "300B", "--trials", "20")


@pytest.mark.parametrize(
    ("more", "status", "says"),
    [
        (("--start", "2025-06-01", "--by", "2025-06-02"), 1, "deadline"),
        (("--limit-mw", "0.01"), 1, "exceeds the site's"),
        (("--limit-mw", "10", "--start", "2025-06-01", "--by", "2035-06-02"), 0, ""),
        (("--ramp", "32@now"), 2, "--ramp delivers 32 GPUs and --gpus is 64"),
        (("--ramp", "32@now;128@2035-01-01"), 2, "--ramp delivers 128 GPUs"),
    ],
)
def test_what_is_not_met_decides_the_exit_status(more: tuple[str, ...], status: int, says: str) -> None:
    result = run(*SMALL, *more)
    assert result.exit_code == status
    assert says in result.stderr


def test_days_find_the_fewest_gpus_or_the_most_tokens() -> None:
    days = ("--days", "3", "--trials", "20", "--start", "2025-06-01", "--json")
    found = json.loads(run("train", "--model", "llama-3-8b", "--tokens", "300B", *days).stdout)
    gpus = found["best"]["n_gpus"] + found["best"]["spare_gpus"]
    assert gpus % 8 == 0
    assert 2.7 < found["calendar"]["days"]["p50"] <= 3
    back = json.loads(run("train", "--model", "llama-3-8b", "--gpus", str(gpus), *days).stdout)
    trained = back["best"]["steps"] * back["best"]["tokens_per_step"]
    assert trained == pytest.approx(300e9, rel=0.1)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--gpus", "64"), "two of --gpus, --tokens and --days"),
        (("--gpus", "64", "--tokens", "1T", "--days", "3"), "two of"),
        (("--tokens", "1000T", "--days", "0.01"), "no number of GPUs"),
        (("--tokens", "1T", "--days", "-1"), "above zero"),
        (("--tokens", "1T", "--days", "nan"), "above zero"),
        (("--gpus", "64", "--tokens", "1T", "--engine", "pytorch"), "unknown engine"),
        (("--gpus", "64", "--tokens", "1T", "--software-date", "yesterday"), "write 2024-12"),
        (("--gpus", "64", "--tokens", "1T", "--max-vpp", "0"), "no interleaving"),
        (("--gpus", "64", "--tokens", "1T", "--layout", "TP8 XX"), "no part of a layout"),
        (("--gpus", "64", "--tokens", "1T", "--engine", "hai-llm", "--out", "plan"), "no launch file starts"),
        (
            ("--gpus", "64", "--tokens", "1T", "--layout", "TP1 PP5 VPP3", "--out", "plan"),
            "place 32 layers evenly",
        ),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(more: tuple[str, ...], says: str) -> None:
    result = run("train", "--model", "llama-3-8b", "--trials", "20", *more)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_the_python_function_returns_what_the_command_prints() -> None:
    import trinch

    made = trinch.plan("llama-3-8b", gpus=64, tokens="300B", trials=20, start="2025-06-01")
    assert isinstance(made, trinch.TrainingPlan)
    assert made.gpus == 64
    assert made.days > made.plan.days
    assert 0.3 < made.mfu < 0.7
    assert not made.missed
    shown = run(*SMALL, "--start", "2025-06-01").stdout

    def settled(text: str) -> str:
        return text.strip().split("  search ")[0]

    assert settled(shown) == settled(str(made))
    with pytest.raises(trinch.PlanError, match="no option 'colour'"):
        trinch.plan("llama-3-8b", gpus=64, tokens="300B", colour="red")


def test_train_prints_the_parameters() -> None:
    result = run(*SMALL, "--json")
    assert json.loads(result.stdout)["total_parameters"] == 8_030_261_248
    assert "8.03 B parameters" in run(*SMALL).stdout


@pytest.mark.parametrize("verb", ["predict", "validate", "calibrate", "train"])
def test_every_verb_has_an_example(verb: str) -> None:
    assert "Example" in run(verb, "--help").stdout
