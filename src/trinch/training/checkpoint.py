"""Checkpoints that survive a kill at any moment and load on any layout.

The folder `checkpoints/` of a run holds one folder per step, written by PyTorch's distributed checkpointing (each
process writes its own shards, asynchronously). A file `complete` is added last; a folder without it is ignored.
A state is a flat dictionary of tensors and DTensors.
"""

import json
import os
import shutil
import warnings
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch.distributed as dist
import torch.distributed.checkpoint.state_dict_loader as dcp_load
import torch.distributed.checkpoint.state_dict_saver as dcp_save
from torch import Tensor

from trinch.system import sync_folder

MARK = "complete"

# Said at each save of a lone process, which is no news.
warnings.filterwarnings("ignore", message="torch.distributed is disabled")


def complete(folder: Path) -> list[Path]:
    """Complete checkpoints of a run, oldest first."""
    return sorted(path.parent for path in folder.glob(f"step-*/{MARK}"))


def read_mark(path: Path) -> dict[str, Any]:
    """What was noted with a complete checkpoint; `step` at least."""
    mark: dict[str, Any] = json.loads((path / MARK).read_text("utf-8"))
    return mark


class Checkpoints:
    """Saves and loads the checkpoints of one run; every process makes the same calls."""

    def __init__(self, folder: Path, keep: int = 2, asynchronous: bool = True) -> None:
        self.folder, self.keep, self.asynchronous = folder, keep, asynchronous
        self._lead = not dist.is_initialized() or dist.get_rank() == 0
        # Its own group: the writing thread's messages must not meet those of training.
        self._group = dist.new_group(backend="gloo") if dist.is_initialized() else None
        self._writing: tuple[Future[Any], Path, dict[str, Any]] | None = None

    def clean(self) -> None:
        """Remove what earlier, interrupted writing left behind. To be called before the first save."""
        if self._lead:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.glob("step-*"):
                if not (path / MARK).exists():
                    shutil.rmtree(path)
        if self._group is not None:
            dist.barrier(self._group)

    def latest(self) -> Path | None:
        """The newest complete checkpoint, the same one for every process."""
        found = complete(self.folder) if self._lead else []
        name = [found[-1].name if found else None]
        if self._group is not None:
            dist.broadcast_object_list(name, src=0, group=self._group)
        return self.folder / name[0] if name[0] else None

    def save(self, step: int, state: dict[str, Tensor], note: dict[str, Any]) -> None:
        """Begin writing the state after `step` steps; waits for the one before. Training may go on at
        once."""
        self.finish()
        path = self.folder / f"step-{step:08d}"
        note = note | {"step": step}
        if self.asynchronous:
            future = dcp_save.async_save(state, checkpoint_id=path, process_group=self._group)
            assert isinstance(future, Future)
            self._writing = future, path, note
        else:
            dcp_save.save(state, checkpoint_id=path, process_group=self._group)
            self._mark(path, note)

    def poll(self) -> None:
        """Mark the checkpoint being written as complete if it is. Cheap; to be called every step."""
        if self._writing is not None and self._writing[0].done():
            self.finish()

    def finish(self) -> None:
        """Wait for the checkpoint being written, and mark it complete. Raises what the writing raised."""
        if self._writing is not None:
            future, path, note = self._writing
            future.result()
            self._writing = None
            self._mark(path, note)

    def load(self, path: Path, state: dict[str, Tensor]) -> dict[str, Any]:
        """Fill the state's tensors, whatever layout wrote them; returns what was noted."""
        dcp_load.load(state, checkpoint_id=path, process_group=self._group)
        return read_mark(path)

    def _mark(self, path: Path, note: dict[str, Any]) -> None:
        """The lead's write is over only when all processes' are: its future also waits for theirs."""
        if not self._lead:
            return
        draft = path / (MARK + ".draft")
        with open(draft, "w", encoding="utf-8") as out:
            json.dump(note, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, path / MARK)
        sync_folder(path)
        for old in complete(self.folder)[: -self.keep]:
            # Without its mark first, so that a kill in between leaves no half that looks whole.
            (old / MARK).unlink()
            shutil.rmtree(old)
