"""A pipeline gathers sharded weights once a step, however many micro-batches it has."""

from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.fsdp._fully_shard import _fsdp_param_group as groups

from trinch.model.config import get_config
from trinch.training.losses import NextToken
from trinch.training.parallel import build, joined
from trinch.training.settings import Mesh, Settings
from trinch.training.step import Engine

from .test_scale import fake_rank


def gathers(monkeypatch: pytest.MonkeyPatch, schedule: str, micro_batches: int) -> int:
    """All-gathers of one step in the first of four processes; the others are made up."""
    count = 0
    was = groups.foreach_all_gather

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        return was(*args, **kwargs)

    monkeypatch.setattr(groups, "foreach_all_gather", counted)
    shape = Mesh(pipeline=2, shard=2, schedule=schedule)  # type: ignore[arg-type]  # a str
    settings = Settings(
        batch=2 * micro_batches, micro_batch=1, sequence=8, mesh=shape, z_loss=0.0, documents="open"
    )
    world = fake_rank(0, 4, shape)
    try:
        stages = build(get_config("tiny"), world, settings)
        objective = NextToken(0.0)
        objective.begin(torch.tensor(1.0))
        tokens = torch.randint(0, 100, (micro_batches, 8))
        Engine(stages, world, settings, objective).accumulate(tokens, tokens)
        assert all(p.grad is not None for p in joined(stages).parameters())
        return count
    finally:
        dist.destroy_process_group()
        monkeypatch.undo()


@pytest.mark.parametrize("schedule", ["1f1b", "interleaved", "zero-bubble-v"])
def test_weights_are_gathered_once_a_step(monkeypatch: pytest.MonkeyPatch, schedule: str) -> None:
    few, many = (gathers(monkeypatch, schedule, number) for number in (2, 6))
    assert few == many > 0
