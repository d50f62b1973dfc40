"""Processes are really killed, at any moment, and the curve goes on as if nothing had happened."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trinch.training.checkpoint import complete
from trinch.training.metrics_log import read_log

from .conftest import command, environment, run

Write = Callable[..., Path]
SMALL: dict[str, Any] = {
    "steps": 12,
    "checkpoint_every": 2,
    "evaluate_every": 0,
    "optimizer": {"warmup": 2, "lr": 0.003},
}
TIMED = ("tokens_per_s", "mfu", "memory_gb", "slowest_process")


def curve(out: Path) -> list[dict[str, Any]]:
    """All that was logged but speed and memory."""
    return [{k: v for k, v in row.items() if k not in TIMED} for row in read_log(out)]


def runs(tmp_path: Path, data: Path, settings_file: Write, *names: str) -> list[tuple[Path, Path]]:
    """(settings file, folder) of runs that differ in their folder only, each with the data prepared."""
    out = []
    for name in names:
        folder = tmp_path / name
        shutil.copytree(data, folder / "data")
        out.append((settings_file(**SMALL, out=str(folder)), folder))
    return out


def children(parent: int) -> list[int]:
    """Processes started by a process."""
    tasks = Path(f"/proc/{parent}/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 600) -> bool:
    """Whether the condition came true before the process ended."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.004)
    return False


def begin(processes: int, settings: Path, restarts: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(processes, "--settings", str(settings), restarts=restarts),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )


def half_written(out: Path) -> bool:
    return any(not (path / "complete").exists() for path in (out / "checkpoints").glob("step-*"))


@pytest.mark.long
def test_killed_at_any_moment_one_process_ends_with_the_same_curve_to_the_bit(
    tmp_path: Path, data: Path, settings_file: Write
) -> None:
    (whole, unbroken), (again, broken) = runs(tmp_path, data, settings_file, "unbroken", "broken")
    run(1, "--settings", str(whole))
    moments = random.Random(3)
    kills = 0
    targets: list[Callable[[], bool]] = [
        lambda: len(read_log(broken)) >= 5,
        lambda: half_written(broken) and len(complete(broken / "checkpoints")) > 0,
    ]
    for target in targets:
        process = begin(1, again)
        if wait_for(target, process):
            time.sleep(moments.random() * 0.05 if kills == 0 else 0)
            process.kill()
            kills += 1
        process.wait()
    assert kills
    left = {path.name for path in complete(broken / "checkpoints")}
    run(1, "--settings", str(again))
    assert left, "there was a checkpoint to resume from"
    assert curve(broken) == curve(unbroken)
    assert [row["step"] for row in curve(broken)] == list(range(1, SMALL["steps"] + 1))
    assert not half_written(broken)


@pytest.mark.long
def test_a_half_written_checkpoint_is_never_loaded(tmp_path: Path, data: Path, settings_file: Write) -> None:
    ((settings, out),) = runs(tmp_path, data, settings_file, "run")
    run(1, "--settings", str(settings))
    before = curve(out)
    checkpoints = out / "checkpoints"
    newest = complete(checkpoints)[-1]
    # Later than any, and whole but for the mark; then one whose data were cut short.
    for step in (90, 91):
        shutil.copytree(newest, checkpoints / f"step-{step:08d}")
        (checkpoints / f"step-{step:08d}" / "complete").unlink()
    for path in (checkpoints / "step-00000091").glob("*.distcp"):
        path.write_bytes(path.read_bytes()[:100])
    shutil.rmtree(newest)
    run(1, "--settings", str(settings))
    assert curve(out) == before
    assert [path.name for path in sorted(checkpoints.glob("step-*"))] == ["step-00000010", "step-00000012"]


def test_a_stop_signal_saves_first(tmp_path: Path, data: Path, settings_file: Write) -> None:
    folder = tmp_path / "run"
    shutil.copytree(data, folder / "data")
    settings = settings_file(steps=500, checkpoint_every=400, out=str(folder))
    process = begin(1, settings)
    assert wait_for(lambda: len(read_log(folder)) >= 3, process)
    process.terminate()
    assert process.wait(60) == 0
    rows = read_log(folder)
    assert [path.name for path in complete(folder / "checkpoints")] == [f"step-{rows[-1]['step']:08d}"]


@pytest.mark.long
def test_one_rank_killed_costs_at_most_the_steps_since_the_checkpoint(
    tmp_path: Path, data: Path, settings_file: Write
) -> None:
    (whole, unbroken), (again, broken) = runs(tmp_path, data, settings_file, "unbroken", "broken")
    run(1, "--settings", str(whole))
    process = begin(2, again, restarts=2)
    assert wait_for(lambda: len(read_log(broken)) >= 7, process), "the run got under way"
    victims = children(process.pid)
    assert len(victims) == 2
    os.kill(victims[1], signal.SIGKILL)
    assert process.wait(120) == 0, "the launcher restarted it and it ran to its end"
    for row, twin in zip(curve(unbroken), curve(broken), strict=True):
        assert row["step"] == twin["step"]
        assert abs(row["loss"] - twin["loss"]) < 1e-5
        assert abs(row["gradient_norm"] - twin["gradient_norm"]) < 1e-5


@pytest.mark.long
def test_all_ranks_killed_again_and_again(tmp_path: Path, data: Path, settings_file: Write) -> None:
    (whole, unbroken), (again, broken) = runs(tmp_path, data, settings_file, "unbroken", "broken")
    run(1, "--settings", str(whole))
    moments = random.Random(5)
    for least in (1, 4, 7):
        process = begin(4 if least == 4 else 2, again)
        wait_for(lambda least=least: len(read_log(broken)) >= least, process)  # type: ignore[misc]
        time.sleep(moments.random() * 0.3)
        os.killpg(process.pid, signal.SIGKILL)
        for child in children(process.pid) if process.poll() is None else []:
            os.kill(child, signal.SIGKILL)
        process.wait()
    run(2, "--settings", str(again))
    for row, twin in zip(curve(unbroken), curve(broken), strict=True):
        assert abs(row["loss"] - twin["loss"]) < 1e-5


@pytest.mark.long
def test_asked_to_stop_it_saves_the_step_it_is_at_and_goes_on_from_there(
    tmp_path: Path, data: Path, settings_file: Write
) -> None:
    (whole, unbroken), (again, broken) = runs(tmp_path, data, settings_file, "unbroken", "broken")
    seldom = SMALL | {"checkpoint_every": 1000, "evaluate_every": 0}
    for settings, out in ((whole, unbroken), (again, broken)):
        settings.write_text(settings_file(**seldom, out=str(out)).read_text())
    run(1, "--settings", str(whole))
    process = begin(1, again)
    assert wait_for(lambda: len(read_log(broken)) >= 3, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    rows = curve(broken)
    assert len(rows) < SMALL["steps"], "it stopped before the end"
    assert [path.name for path in complete(broken / "checkpoints")] == [f"step-{len(rows):08d}"]
    assert rows == curve(unbroken)[: len(rows)], "and no measurement kept it from saving"
    run(1, "--settings", str(again))
    assert curve(broken) == curve(unbroken)
