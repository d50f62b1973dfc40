"""Run by torchrun: trains the same thing under one layout after another, in one group of processes.

Its argument is a JSON file: a list of jobs `{"out": FOLDER, "mesh": {...}, "settings": {...}, "data": …}`.
A job whose folder holds checkpoints resumes from them.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import torch

from trinch.model.config import CONFIGS
from trinch.training.data import Corpus
from trinch.training.loop import train
from trinch.training.parallel import start
from trinch.training.settings import Settings

# Two stages for each of four processes, and quick.
CONFIGS["deep"] = replace(
    CONFIGS["tiny"], num_layers=8, hidden_size=64, num_heads=2, num_kv_heads=2, moe_intermediate_size=64
)
CONFIGS["deep-untied"] = replace(CONFIGS["deep"], tie_embeddings=False, final_softcap=50.0)


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
