"""Layouts of 64 to 20,000 processes, without them: fake process groups on the meta device."""

from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.testing._internal.distributed.fake_pg import FakeStore

from trinch.model.config import get_config
from trinch.training import optim
from trinch.training.optim import Muon
from trinch.training.parallel import ProcessMesh, check_layout, device_meshes, lay_out
from trinch.training.settings import Mesh, Settings, SettingsError


def fake_rank(rank: int, size: int, shape: Mesh) -> ProcessMesh:
    """One process of `size`; its messages go nowhere."""
    dist.init_process_group("fake", rank=rank, world_size=size, store=FakeStore())
    dense, sparse = device_meshes("cpu", shape, size)
    return ProcessMesh(shape, torch.device("cpu"), rank, size, dense, sparse)


def held(config: str, rank: int, size: int, **mesh: int) -> tuple[int, float]:
    """Parameters that a rank holds, and an even share of all."""
    shape = Mesh(**mesh).filled(size)
    world = fake_rank(rank, size, shape)
    try:
        few = replace(get_config(config), num_layers=4)  # layers are alike, and each takes seconds to lay out
        stages = lay_out(few, world, Settings(config=config))
        parameters = [p for stage in stages.values() for p in stage.parameters()]
        counts = [p.to_local().numel() if isinstance(p, DTensor) else p.numel() for p in parameters]
        return sum(counts), few.num_parameters * shape.replicate / size
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize(
    ("config", "size", "mesh"),
    [
        ("tiny", 64, {}),
        ("tiny", 64, {"expert": 8}),
        ("grok-1", 1024, {}),
        ("grok-2", 1024, {"expert": 8}),
        ("grok-1", 20_000, {"replicate": 625}),
    ],
    ids=str,
)
def test_every_process_holds_an_even_share(config: str, size: int, mesh: dict[str, int]) -> None:
    for rank in (0, size - 1):
        count, even = held(config, rank, size, **mesh)
        assert even * 0.95 <= count <= even * 1.05, (rank, count, even)


def test_a_layout_that_leaves_processes_without_parameters_is_refused() -> None:
    with pytest.raises(SettingsError, match="does not split 6144 model width"):
        check_layout(get_config("grok-1"), Mesh(shard=5000), Settings(config="grok-1", batch=5000))


def test_each_matrix_is_orthogonalised_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    size, shapes = 64, {"matrix": (128, 256), "experts": (8, 128, 256)}
    done = 0

    def count(x: torch.Tensor) -> torch.Tensor:
        nonlocal done
        done += len(x)
        return x

    monkeypatch.setattr(optim, "orthogonalise", count)
    world = fake_rank(0, size, Mesh(shard=size))
    try:
        assert world.dense is not None
        mesh = world.dense["replicate", "fsdp"]
        for name, dim in (("matrix", 0), ("experts", 1)):
            done = 0
            places = [Replicate(), Shard(dim)]
            shape = list(shapes[name])
            shape[dim] //= size
            parameters = []
            for _ in range(64):
                local = torch.randn(shape)
                parameters.append(
                    torch.nn.Parameter(DTensor.from_local(local, mesh, places, run_check=False))
                )
                parameters[-1].grad = parameters[-1].detach().clone()
            Muon(parameters, lr=0.1, momentum=0.9, weight_decay=0.0).step()
            total = 64 * (8 if name == "experts" else 1)
            assert done == total / size, name
    finally:
        dist.destroy_process_group()
