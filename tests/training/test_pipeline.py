"""A pipeline gathers sharded weights once a step, however many micro-batches it has."""

import json
from pathlib import Path

import pytest

from .test_layouts import BASE, together


@pytest.mark.long
@pytest.mark.parametrize("schedule", ["1f1b", "zero-bubble"])
def test_weights_are_gathered_once_a_step(tmp_path: Path, data: Path, schedule: str) -> None:
    base = BASE | {"config": "deep", "evaluate_sequences": 0, "checkpoint_every": 0}
    mesh = {"pipeline": 2, "shard": 2, "schedule": schedule}
    jobs = [
        {
            "out": str(tmp_path / str(size)),
            "mesh": mesh,
            "settings": base | {"micro_batch": size},
            "data": str(data),
        }
        for size in (2, 1)
    ]
    together(4, jobs, tmp_path)
    few, many = (json.loads(Path(job["out"], "gathers.json").read_text()) for job in jobs)
    assert few == many > 0
