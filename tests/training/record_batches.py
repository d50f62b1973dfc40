"""A real run, started by torchrun, that also writes down each batch that a step takes and when.

Arguments: the settings, and a folder for the batches.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trinch.training.actions import pretrain
from trinch.training.data import Batch, Corpus
from trinch.training.prefetch import PrefetchedBatches, StepBatch
from trinch.training.settings import read_settings

READ, TAKE = Corpus.batch, PrefetchedBatches.take


def main() -> None:
    torch.set_num_threads(1)
    settings, folder = read_settings(sys.argv[1]), Path(sys.argv[2])
    parts = [0]

    def batch(self: Corpus, seed: int, size: int, step: int, part: int = 0, ways: int = 1) -> Batch:
        parts[0] = part  # of this process, the same in every step
        return READ(self, seed, size, step, part, ways)

    def take(self: PrefetchedBatches, step: int, fresh: bool = False) -> StepBatch:
        now = time.time()
        inputs, targets, count = TAKE(self, step, fresh)
        name = f"{step:05d}-{parts[0]}-{torch.distributed.get_rank()}"
        saved: dict[str, Any] = {"inputs": inputs.numpy(), "targets": targets.numpy(), "now": now}
        np.savez(folder / f".{name}.npz", **saved)
        (folder / f".{name}.npz").rename(folder / f"{name}.npz")
        return inputs, targets, count

    Corpus.batch = batch  # type: ignore[method-assign]
    PrefetchedBatches.take = take  # type: ignore[method-assign]
    pretrain(settings, print)


if __name__ == "__main__":
    main()
