"""Hanging steps end, slow processes are named, harmful updates are not made."""

import math
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from trinch.training.chunked_loss import TokenLosses
from trinch.training.data import Corpus
from trinch.training.health import MOST_SKIPPED, SpeedProbe, UpdateGuard, slowest
from trinch.training.loop import train
from trinch.training.losses import NextToken
from trinch.training.metrics_log import read_log
from trinch.training.parallel import start
from trinch.training.prefetch import PrefetchedBatches
from trinch.training.settings import Optimizer, Settings

from .conftest import environment
from .test_kill import children, wait_for


def test_updates_that_are_not_finite_or_spike_are_not_made() -> None:
    guard = UpdateGuard(spike=10.0)
    assert all(guard.accepts(1.0 + i / 100) for i in range(16))
    assert not guard.accepts(math.nan)
    assert not guard.accepts(math.inf)
    assert not guard.accepts(11.0)
    assert guard.accepts(10.0)
    assert UpdateGuard(spike=10.0, norms=guard.norms).accepts(11.0) is False, "a resumed run knows them too"
    assert UpdateGuard(spike=0, norms=guard.norms).accepts(1e9)
    assert UpdateGuard(spike=10.0).accepts(1e9), "the first norms are compared with none"
    assert not any(guard.accepts(math.nan) for _ in range(MOST_SKIPPED))
    with pytest.raises(RuntimeError, match="diverged"):
        guard.accepts(math.nan)


class Broken(NextToken):
    """Whose third loss has no finite gradient."""

    calls = 0

    def __call__(self, losses: TokenLosses, targets: Tensor) -> Tensor:
        self.calls += 1
        return super().__call__(losses, targets) * (math.nan if self.calls == 3 else 1.0)


def test_a_step_without_a_finite_gradient_changes_nothing(data: Path, tmp_path: Path) -> None:
    settings = Settings(
        out=str(tmp_path), steps=3, batch=2, sequence=16, evaluate_sequences=0, checkpoint_every=2,
        asynchronous=False, optimizer=Optimizer(lr=0.01, warmup=0),
    )  # fmt: skip
    said: list[str] = []
    corpus = Corpus(data, 16)
    model = train(settings, start(settings), corpus, said.append, objective=Broken(0.0))
    rows = read_log(tmp_path)
    assert [row.get("skipped", 0) for row in rows] == [0, 0, 1]
    assert any("step 3: no update" in line for line in said)
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())
    after_two = {name: p.clone() for name, p in model.named_parameters()}
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000003")
    stay = train(
        settings, start(settings), corpus, said.append, objective=Broken(0.0)
    )  # resumes after step 2
    assert read_log(tmp_path)[-1].get("skipped", 0) == 0, "its own first call is no third"
    assert any(not torch.equal(p, after_two[name]) for name, p in stay.named_parameters())


def test_a_slow_process_is_named() -> None:
    assert slowest([1.0, 1.1, 2.4, 0.9]) == (2, pytest.approx(2.4 / 1.05))
    assert slowest([0.0, 0.0])[1] == 1.0
    assert SpeedProbe(torch.device("cpu")).measure() > 0


def test_batches_read_ahead_are_the_same_and_are_read_again_when_the_data_changed(data: Path) -> None:
    corpus = Corpus(data, 16)
    reads: list[int] = []

    def read(step: int) -> tuple[object, object]:
        reads.append(step)
        return corpus.batch(0, 4, step)

    with PrefetchedBatches(read, 3, pin=False) as batches:  # type: ignore[arg-type]  # arrays
        for step in range(4):
            inputs, targets, count = batches.take(step, fresh=step == 2)
            batches.begin(step + 1)
            wanted = corpus.batch(0, 4, step)
            assert (inputs.numpy() == wanted[0]).all()
            assert (targets.numpy() == wanted[1]).all()
            assert count == (wanted[1] != -100).sum()
    assert reads == [0, 1, 2, 2, 3]


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="processes are stopped by a Unix signal")
def test_a_hanging_process_ends_the_run(
    data: Path, tmp_path: Path, settings_file: Callable[..., Path]
) -> None:
    shutil.copytree(data, tmp_path / "run" / "data")
    file = settings_file(
        out=str(tmp_path / "run"), steps=100_000, step_timeout=20.0, checkpoint_every=0, evaluate_sequences=0
    )
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "trinch.training"]
    process = subprocess.Popen(
        [sys.executable, *torchrun, "--settings", str(file)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(), text=True,
    )  # fmt: skip
    assert wait_for(lambda: len(read_log(tmp_path / "run")) > 3, process)  # type: ignore[arg-type]  # a Popen
    stopped = children(process.pid)[-1]
    begin = time.monotonic()
    subprocess.run(["kill", f"-{signal.SIGSTOP}", str(stopped)], check=True)
    try:
        assert wait_for(lambda: False, process, 200) is False  # type: ignore[arg-type]
        assert process.poll() not in (None, 0), "it ended"
    finally:
        subprocess.run(["kill", f"-{signal.SIGKILL}", str(stopped)], check=False)
        process.kill()
    assert 15 < time.monotonic() - begin < 200
    assert process.stderr is not None
    text = process.stderr.read()
    assert "Timeout (0:00:20)!" in text or "Timed out" in text, "it says why, with the stacks"
