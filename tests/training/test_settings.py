"""Every setting of a run is read: changing it changes what the run computes, prepares, writes or refuses."""

import math
from pathlib import Path

import msgspec
import pytest
import torch

from trinch.model.config import get_config
from trinch.training.launch_files import launch_files
from trinch.training.optim import build_optimizers, clip, schedule, set_rate
from trinch.training.parallel import ProcessMesh
from trinch.training.settings import Data, Launch, Mesh, Optimizer, Settings, SettingsError, settings_from
from trinch.training.throughput import Utilization

OPTIMIZER = {
    "name": "adamw", "lr": 0.01, "muon_lr": 0.02, "weight_decay": 0.5, "beta1": 0.5, "beta2": 0.5, "momentum": 0.5,
    "eps": 0.1, "warmup": 9, "decay": 0.9, "floor": 0.5, "clip": 0.0,
}  # fmt: skip


def updated(settings: Optimizer) -> list[float]:
    """Checksums of a small model's parameters after five updates by made-up gradients."""
    model = _model()
    optimizers = build_optimizers(model, settings)
    for step in range(5):
        generator = torch.Generator().manual_seed(step)
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        clip([(p, 1.0) for p in model.parameters()], settings.clip)
        set_rate(optimizers, schedule(step, 5, settings))
        for optimizer in optimizers:
            optimizer.step()
    return [float(p.detach().double().square().sum()) for p in model.parameters()]


def _model() -> torch.nn.Module:
    torch.manual_seed(0)
    layers = torch.nn.ModuleDict({"0": torch.nn.Linear(6, 4)})
    return torch.nn.ModuleDict({"layers": layers, "embed_tokens": torch.nn.Embedding(9, 4)})


def test_every_setting_of_the_optimizer_changes_the_update() -> None:
    assert set(OPTIMIZER) == {field.name for field in msgspec.structs.fields(Optimizer)}
    base = Optimizer(warmup=2, decay=0.4)
    was = updated(base)
    for name, value in OPTIMIZER.items():
        now = updated(msgspec.structs.replace(base, **{name: value}))
        assert any(not math.isclose(a, b, rel_tol=1e-6) for a, b in zip(was, now, strict=True)), name


def test_muons_rate_is_its_own() -> None:
    model = _model()
    muon, adamw = build_optimizers(model, Optimizer(lr=0.003, muon_lr=0.02))
    set_rate([muon, adamw], 0.5)
    assert {group["lr"] for group in muon.param_groups} == {0.01}
    assert {group["lr"] for group in adamw.param_groups} == {0.0015}
    (shared, _) = build_optimizers(model, Optimizer(lr=0.003))
    assert {group["peak_lr"] for group in shared.param_groups} == {0.003}


@pytest.mark.parametrize(
    ("name", "value"),
    [("nodes", 2), ("processes", 2), ("spares", 1), ("restarts", 7), ("name", "other"), ("partition", "gpu"),
     ("account", "lab"), ("hours", 3.0), ("command", "/opt/python")],
)  # fmt: skip
def test_every_setting_of_the_launch_changes_its_files(name: str, value: object) -> None:
    was = launch_files(Settings())
    now = launch_files(Settings(launch=msgspec.structs.replace(Launch(), **{name: value})))
    assert {file for file in was if was[file] != now[file]} - {"settings.json"}


def test_the_launch_settings_above_are_all() -> None:
    assert len(msgspec.structs.fields(Launch)) == 9


def test_every_setting_is_read_somewhere() -> None:
    """A weaker test for all the others: their names are read from a settings object in the package's source."""
    folder = Path(__file__).parents[2] / "src" / "trinch" / "training"
    sources = "".join(p.read_text() for p in folder.glob("*.py") if p.name != "settings.py")
    for kind in (Settings, Data, Mesh):
        for field in msgspec.structs.fields(kind):
            assert f".{field.name}" in sources, f"{kind.__name__}.{field.name} is not read"


def test_mfu_is_never_above_one() -> None:
    config = get_config("tiny")
    world = ProcessMesh(Mesh(shard=1), torch.device("cpu"))
    meter = Utilization(Settings(peak_flops=1e9), config, world)
    assert 0 < (meter.of(1.0) or 0) < 1
    assert meter.of(1e9) == 1, "faster than the peak: the peak was wrong"
    assert (meter.of(5e8) or 0) == pytest.approx(0.5)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(SettingsError, match="muon_rate"):
        settings_from({"optimizer": {"muon_rate": 1}}, "here")
