"""Every layout of processes computes what one process computes, and reads what another has written."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trinch.training.checkpoint import complete
from trinch.training.data import Corpus
from trinch.training.loop import train
from trinch.training.metrics_log import read_log
from trinch.training.parallel import start
from trinch.training.settings import Settings

from . import layouts
from .conftest import environment

STEPS = 4
Shape = dict[str, Any]
BASE: dict[str, Any] = {
    "batch": 8,
    "sequence": 32,
    "steps": STEPS,
    "evaluate_sequences": 12,
    "evaluate_every": 3,
    "checkpoint_every": 2,
    "log_every": 1,
    "optimizer": {"warmup": 1, "lr": 0.003},
}
TWO: list[Shape] = [{"shard": 2}, {"replicate": 2}, {"expert": 2}, {"tensor": 2}, {"pipeline": 2}]
FOUR: list[Shape] = [
    {"shard": 4},
    {"expert": 4},
    {"pipeline": 4},
    {"replicate": 2, "shard": 2},
    {"shard": 2, "expert": 2},
    {"shard": 2, "tensor": 2},
    {"expert": 2, "tensor": 2},
    {"pipeline": 2, "shard": 2},
    {"pipeline": 2, "expert": 2},
    {"pipeline": 2, "tensor": 2},
    {"replicate": 2, "expert": 2},
    {"replicate": 2, "tensor": 2},
    {"pipeline": 2, "replicate": 2},
    {"expert": 4, "exchange": "gather"},
    {"expert": 2, "tensor": 2, "exchange": "gather"},
]

EIGHT: list[Shape] = [{"shard": 2, "expert": 2, "tensor": 2}, {"pipeline": 2, "expert": 2, "tensor": 2}]


def name(mesh: Shape) -> str:
    return "-".join(f"{key}{ways}" for key, ways in mesh.items())


def alone(folder: Path, data: Path, **more: Any) -> Path:
    settings = msgspec.convert(BASE | more | {"out": str(folder)}, Settings)
    train(settings, start(settings), Corpus(data, settings.sequence), report=lambda _: None)
    return folder


def together(processes: int, jobs: list[dict[str, Any]], folder: Path) -> None:
    listed = folder / f"jobs-{processes}-{len(jobs)}.json"
    listed.write_text(json.dumps(jobs))
    here = str(Path(layouts.__file__))
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
    ]
    done = subprocess.run(
        [*torchrun, here, str(listed)],
        capture_output=True,
        text=True,
        timeout=900,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-6000:]


def agree(one: Path, other: Path, bound: float, since: int = 0) -> None:
    rows, others = read_log(one), read_log(other)
    assert [row["step"] for row in others] == list(range(1, STEPS + 1))
    for row, twin in zip(rows[since:], others[since:], strict=True):
        for what in ("loss", "gradient_norm", "held_out_bits_per_byte", "busiest_expert"):
            assert (what in row) == (what in twin)
            if what in row:
                assert abs(row[what] - twin[what]) < bound, (
                    other.name,
                    row["step"],
                    what,
                    row[what],
                    twin[what],
                )


def rewind(source: Path, target: Path, step: int) -> Path:
    """A copy of a run as it stood after that step."""
    shutil.copytree(source, target)
    for path in complete(target / "checkpoints"):
        if path.name != f"step-{step:08d}":
            shutil.rmtree(path)
    return target


def prove(processes: int, meshes: list[Shape], tmp_path: Path, data: Path, **more: Any) -> None:
    """Each layout equals one process; and each goes on from the previous layout's checkpoint."""
    one = alone(tmp_path / "one", data, **more)

    def job(mesh: Shape, folder: Path) -> dict[str, Any]:
        return {"out": str(folder), "mesh": mesh, "settings": BASE | more, "data": str(data)}

    together(processes, [job(mesh, tmp_path / name(mesh)) for mesh in meshes], tmp_path)
    for mesh in meshes:
        agree(one, tmp_path / name(mesh), 1e-4)
    resumed = []
    for before, after in zip([{}, *meshes], [*meshes, {}], strict=True):
        source = tmp_path / name(before) if before else one
        resumed.append((after, rewind(source, tmp_path / f"{source.name}-to-{name(after) or 'one'}", 2)))
    together(processes, [job(mesh, folder) for mesh, folder in resumed if mesh], tmp_path)
    alone(resumed[-1][1], data, **more)
    for _, folder in resumed:
        agree(one, folder, 1e-5, since=2)


def test_expert_and_tensor_layouts_compute_what_one_process_does(tmp_path: Path, data: Path) -> None:
    one = alone(tmp_path / "one", data)
    meshes: list[Shape] = [{"expert": 2}, {"expert": 2, "exchange": "gather"}, {"tensor": 2}]
    together(
        2,
        [{"out": str(tmp_path / name(m)), "mesh": m, "settings": BASE, "data": str(data)} for m in meshes],
        tmp_path,
    )
    for mesh in meshes:
        agree(one, tmp_path / name(mesh), 1e-4)


SCHEDULES: dict[int, list[Shape]] = {
    2: [
        {"pipeline": 2, "schedule": "interleaved"},
        {"pipeline": 2, "schedule": "interleaved", "stages": 4},
        {"pipeline": 2, "schedule": "zero-bubble"},
        {"pipeline": 2, "schedule": "zero-bubble-v"},
    ],
    4: [
        {"pipeline": 4, "schedule": "interleaved"},
        {"pipeline": 4, "schedule": "zero-bubble-v"},
        {"pipeline": 2, "schedule": "zero-bubble", "shard": 2},
        {"pipeline": 2, "schedule": "zero-bubble-v", "expert": 2},
        {"pipeline": 2, "schedule": "interleaved", "tensor": 2},
    ],
}


@pytest.mark.long
@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("config", ["deep", "deep-untied"])
def test_every_schedule_computes_what_one_process_does(
    tmp_path: Path, data: Path, processes: int, config: str
) -> None:
    prove(processes, SCHEDULES[processes], tmp_path, data, config=config)


@pytest.mark.long
def test_two_processes_compute_and_resume_what_one_does(tmp_path: Path, data: Path) -> None:
    prove(2, TWO, tmp_path, data)


@pytest.mark.long
def test_four_processes_compute_and_resume_what_one_does(tmp_path: Path, data: Path) -> None:
    prove(4, FOUR, tmp_path, data)


@pytest.mark.long
def test_eight_processes_compute_and_resume_what_one_does(tmp_path: Path, data: Path) -> None:
    prove(8, EIGHT, tmp_path, data)


@pytest.mark.long
@pytest.mark.parametrize(
    "more",
    [
        {"recompute": True},
        {"optimizer": {"name": "adamw"}},
        {"documents": "mask", "micro_batch": 1},
        {"config": "small", "seed": 1},
    ],
    ids=str,
)
def test_layouts_agree_with_other_settings(tmp_path: Path, data: Path, more: dict[str, Any]) -> None:
    # With seed 0 `small` has a token whose second and third expert are 1e-6 apart in the fourth step: rounding
    # decides, and shows (docs/training.md). With seed 1 none are closer than 3e-5.
    prove(4, [{"pipeline": 2, "expert": 2}, {"shard": 2, "tensor": 2}], tmp_path, data, **more)
