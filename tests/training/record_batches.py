"""A real run, started by torchrun, that also writes down each batch it takes and when.

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
from trinch.training.settings import read_settings

TAKE = Corpus.batch


def main() -> None:
    torch.set_num_threads(1)
    settings, folder = read_settings(sys.argv[1]), Path(sys.argv[2])

    def batch(self: Corpus, seed: int, size: int, step: int, part: int = 0, parts: int = 1) -> Batch:
        now = time.time()
        inputs, targets = TAKE(self, seed, size, step, part, parts)
        name = f"{step:05d}-{part}-{torch.distributed.get_rank()}"
        saved: dict[str, Any] = {"inputs": inputs, "targets": targets, "now": now}
        np.savez(folder / f".{name}.npz", **saved)
        (folder / f".{name}.npz").rename(folder / f"{name}.npz")
        return inputs, targets

    Corpus.batch = batch  # type: ignore[method-assign]
    pretrain(settings, print)


if __name__ == "__main__":
    main()
