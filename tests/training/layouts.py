"""Run by torchrun: trains the same thing under one layout after another, in one group of processes.

Its argument is a JSON file: a list of jobs `{"out": FOLDER, "mesh": {...}, "settings": {...}, "data": …}`.
A job whose folder holds checkpoints resumes from them.
"""

import json
import sys
from pathlib import Path

import msgspec
import torch

from trinch.training.data import Corpus
from trinch.training.loop import train
from trinch.training.parallel import start
from trinch.training.settings import Settings


def main() -> None:
    torch.set_num_threads(1)
    jobs = json.loads(Path(sys.argv[1]).read_text())
    for job in jobs:
        settings = msgspec.convert(job["settings"] | {"mesh": job["mesh"], "out": job["out"]}, Settings)
        world = start(settings)
        if world.rank == 0:
            print(f"# {job['out']}: {job['mesh']}", flush=True)
        train(settings, world, Corpus(Path(job["data"]), settings.sequence), report=lambda _: None)
    world.close()


if __name__ == "__main__":
    main()
