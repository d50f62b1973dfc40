"""The host does not wait for the device within a step but once: reads of tensors by Python are counted."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore

from trinch.model.config import get_config
from trinch.model.grok import Experts, Grok, MoE
from trinch.training.data import Corpus
from trinch.training.experts import ParallelExperts, parallelize_experts
from trinch.training.loop import Trainer
from trinch.training.losses import NextToken
from trinch.training.parallel import ProcessMesh, device_meshes
from trinch.training.settings import Mesh, Settings

READS = (
    "item",
    "tolist",
    "cpu",
    "numpy",
    "nonzero",
    "__float__",
    "__int__",
    "__bool__",
    "__index__",
    "__array__",
)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the calls so far by which Python read a tensor's values, or by which PyTorch would on a GPU."""
    seen: list[str] = []
    for holder, names in ((torch.Tensor, READS), (torch, ("bincount", "nonzero", "unique"))):
        for name in names:
            was = getattr(holder, name)

            def counted(*args: Any, was: Any = was, name: str = name, **kwargs: Any) -> Any:
                seen.append(name)
                return was(*args, **kwargs)

            monkeypatch.setattr(holder, name, counted)
    return seen


@pytest.mark.parametrize("step", [0, 1], ids=["plain step", "logged step"])
def test_a_step_reads_once(step: int, data: Path, tmp_path: Path, reads: list[str]) -> None:
    settings = Settings(
        out=str(tmp_path), batch=4, micro_batch=2, sequence=16, log_every=2, checkpoint_every=0
    )
    corpus = Corpus(data, 16)
    world = ProcessMesh(Mesh(shard=1), torch.device("cpu"))
    trainer = Trainer(settings, world, corpus, NextToken(settings.z_loss), lambda _: None)
    inputs, targets = (torch.from_numpy(np.ascontiguousarray(x)) for x in corpus.batch(0, 4, step))
    reads.clear()
    row, _ = trainer.step(step, (inputs, targets, 64), stop=False)
    # The numbers of the step as a list, the optimizers' own Python, and at logged steps what is made of that list.
    assert reads.count("tolist") == 1
    assert set(reads) <= ({"tolist"} if step == 0 else {"tolist", "__float__", "item"}), reads
    assert ("busiest_expert" in row) == (step == 1)


def test_dispatch_reads_nothing_and_a_gathering_exchange_neither(reads: list[str]) -> None:
    grok = Grok(get_config("tiny"))
    tokens = torch.randint(0, grok.config.vocab_size, (2, 16))
    reads.clear()
    grok(tokens).mean().backward()
    assert not reads, "on one process"
    dist.init_process_group("fake", rank=1, world_size=2, store=FakeStore())
    try:
        for exchange, waits in (("gather", 0), ("all-to-all", 1)):
            shape = Mesh(shard=1, expert=2, exchange=exchange)  # type: ignore[arg-type]  # a str
            moe = MoE(get_config("tiny"))
            assert isinstance(moe.experts, Experts)
            torch.nn.init.ones_(moe.experts.gate)
            parallelize_experts(moe, device_meshes("cpu", shape, 2)[1], shape)
            assert isinstance(moe.experts, ParallelExperts)
            reads.clear()
            rows, counts = torch.zeros(16, 128), torch.full((8,), 2)
            with suppress(RuntimeError if waits else ()):  # the fake group sends no numbers of rows
                moe.experts(rows, counts)
            assert reads.count("tolist") == waits, exchange
    finally:
        dist.destroy_process_group()
