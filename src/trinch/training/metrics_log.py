"""Metrics of a run: a JSON line per step, a line for the terminal now and then, TensorBoard if installed.

Only the lead process writes. After a resume `log.jsonl` continues from the step resumed: lines of steps that are
repeated are removed first, so that it always holds one line per step.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; one cut short by a kill is left out."""
    path = folder / "log.jsonl"
    lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}\n")]


class Log:
    """Writes the log of one run, from `step` on."""

    def __init__(self, folder: Path, step: int, every: int, report: Callable[[str], None]) -> None:
        self.every, self.report = every, report
        folder.mkdir(parents=True, exist_ok=True)
        kept = [row for row in read_log(folder) if row["step"] <= step]
        draft = folder / "log.jsonl.draft"
        draft.write_text("".join(json.dumps(row) + "\n" for row in kept), "utf-8")
        os.replace(draft, folder / "log.jsonl")
        self._file = open(folder / "log.jsonl", "a", encoding="utf-8")  # noqa: SIM115 - closed by close()
        self._board = _tensorboard(folder, step)

    def write(self, row: dict[str, Any], show: bool = False) -> None:
        """One step's numbers, rounded in the terminal only."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in row.items():
                if name != "step" and isinstance(value, int | float):
                    self._board.add_scalar(name, value, row["step"])
        if show or row["step"] % self.every == 0:
            self.report(
                " · ".join(f"{name} {_short(value)}" for name, value in row.items() if value is not None)
            )

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) and value < 1e4 else f"{value:,.0f}"


def _tensorboard(folder: Path, step: int) -> Any:
    """TensorBoard's writer, or None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
