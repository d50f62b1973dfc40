"""Run by torchrun: trains the same thing under one layout after another, in one group of processes.

Its argument is a JSON file: a list of jobs `{"out": FOLDER, "mesh": {...}, "settings": {...}, "data": …}`.
A job whose folder holds checkpoints resumes from them. The lead process's gathers of sharded weights are counted in
`gathers.json` of the job's folder.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch.distributed.fsdp._fully_shard import _fsdp_param_group as groups

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
    gathers = [0]
    was = groups.foreach_all_gather

    def counted(*args: Any, **kwargs: Any) -> Any:
        gathers[0] += 1
        return was(*args, **kwargs)

    groups.foreach_all_gather = counted
    for job in jobs:
        gathers[0] = 0
        settings = msgspec.convert(job["settings"] | {"mesh": job["mesh"], "out": job["out"]}, Settings)
        world = start(settings)
        if world.rank == 0:
            print(f"# {job['out']}: {job['mesh']}", flush=True)
        train(settings, world, Corpus(Path(job["data"]), settings.sequence), report=lambda _: None)
        if world.rank == 0:
            Path(job["out"], "gathers.json").write_text(json.dumps(gathers[0]))
    world.close()


if __name__ == "__main__":
    main()
