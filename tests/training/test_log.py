"""The numbers of a run as TensorBoard reads them back, and as JSON lines."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from trinch.cli.train import train
from trinch.training.metrics_log import read_log


def test_tensorboard_reads_back_what_was_logged(posts_file: Path, tmp_path: Path) -> None:
    events = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard"
    )
    run, settings = tmp_path / "run", tmp_path / "settings.toml"
    settings.write_text("log_every = 2\nevaluate_every = 2\ncheckpoint_every = 2\nevaluate_sequences = 4\n")
    arguments = ["--settings", str(settings), "--data", str(posts_file), "--out", str(run), "--batch", "4"]
    for steps in ("2", "4"):  # the second goes on from the first
        done = CliRunner().invoke(
            train, [*arguments, "--sequence", "16", "--steps", steps], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
    board = events.EventAccumulator(str(run / "tensorboard"))
    board.Reload()
    logged = read_log(run)
    assert [row["step"] for row in logged] == [1, 2, 3, 4]
    wanted = {"loss", "gradient_norm", "rate", "tokens_per_s", "mfu", "memory_gb"}
    assert set(board.Tags()["scalars"]) == wanted | {
        "busiest_expert",
        "slowest_process",
        "held_out_bits_per_byte",
    }
    for name in board.Tags()["scalars"]:
        seen = {event.step: event.value for event in board.Scalars(name)}
        assert seen == pytest.approx({row["step"]: row[name] for row in logged if name in row})
    assert [event.step for event in board.Scalars("busiest_expert")] == [2, 4]
    assert all(event.value > 0 for name in wanted - {"rate"} for event in board.Scalars(name))
