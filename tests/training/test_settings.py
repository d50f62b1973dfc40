"""Every setting of a run is read: changing it changes what the run computes, prepares, writes or refuses."""

import faulthandler
import math
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint.state_dict_saver as dcp_save
from torch.distributed.pipelining import Schedule1F1B
from torch.testing._internal.distributed.fake_pg import FakeStore

from trinch.model import grok
from trinch.model.config import get_config
from trinch.model.grok import MoE
from trinch.posts.schema import Post
from trinch.training import loop
from trinch.training.data import Corpus, prepare
from trinch.training.experts import ParallelExperts, parallelize_experts
from trinch.training.health import UpdateGuard
from trinch.training.launch_files import launch_files
from trinch.training.metrics_log import read_log
from trinch.training.optim import build_optimizers, clip, schedule, set_rate
from trinch.training.parallel import ProcessMesh, device_meshes, start
from trinch.training.pipeline import SCHEDULES
from trinch.training.post_source import PostSource
from trinch.training.settings import Data, Launch, Mesh, Optimizer, Settings, SettingsError, settings_from
from trinch.training.throughput import Utilization

from .test_kill import TIMED

OPTIMIZER = {
    "name": "adamw", "lr": 0.01, "muon_lr": 0.02, "weight_decay": 0.5, "beta1": 0.5, "beta2": 0.5, "momentum": 0.5,
    "eps": 0.1, "warmup": 9, "decay": 0.9, "floor": 0.5, "clip": 0.0, "spike": 1e-9,
}  # fmt: skip


def updated(settings: Optimizer) -> list[float]:
    """Checksums of a small model's parameters after five updates by made-up gradients."""
    model = _model()
    optimizers = build_optimizers(model, settings)
    guard = UpdateGuard(settings.spike, [1.0] * 16)
    for step in range(5):
        generator = torch.Generator().manual_seed(step)
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        norm = float(clip([(p, 1.0) for p in model.parameters()], settings.clip))
        set_rate(optimizers, schedule(step, 5, settings))
        for optimizer in optimizers if guard.accepts(norm) else []:
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


def layout(shape: Mesh) -> object:
    """What a mesh decides for the first of 16 processes; of a refused one, why."""
    try:
        shape = shape.filled(16)
    except SettingsError as error:
        return str(error)
    dist.init_process_group("fake", rank=0, world_size=16, store=FakeStore())
    try:
        dense, sparse = device_meshes("cpu", shape, 16)
        world = ProcessMesh(shape, torch.device("cpu"), 0, 16, dense, sparse)
        moe = MoE(get_config("tiny"))
        parallelize_experts(moe, sparse, shape)
        gathers = isinstance(moe.experts, ParallelExperts) and moe.experts.gathers
        stages = [world.pipeline_rank(stage) for stage in range(world.stage_count)]
        return dense.shape, sparse.shape, stages, gathers, SCHEDULES.get(shape.schedule, Schedule1F1B)
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize(
    ("name", "value"),
    [("pipeline", 4), ("schedule", "zero-bubble-v"), ("schedule", "zero-bubble"), ("stages", 3), ("replicate", 2),
     ("shard", 2), ("expert", 4), ("exchange", "gather"), ("tensor", 2)],
)  # fmt: skip
def test_every_setting_of_the_mesh_changes_the_layout(name: str, value: object) -> None:
    base = Mesh(pipeline=2, schedule="interleaved", expert=2)
    assert layout(base) != layout(msgspec.structs.replace(base, **{name: value}))


RUN: dict[str, object] = {
    "config": "small", "out": "other", "steps": 3, "batch": 4, "micro_batch": 1, "sequence": 24, "documents": "mask",
    "seed": 1, "dtype": "bfloat16", "device": "cuda", "recompute": True, "z_loss": 0.1, "router_z_loss": 0.1,
    "balance": 1.0, "checkpoint_every": 1, "keep": 1, "asynchronous": False, "evaluate_every": 1,
    "evaluate_sequences": 2, "log_every": 1, "step_timeout": 50.0, "compile": True, "peak_flops": 1e13,
}  # fmt: skip
NESTED = {"data", "mesh", "optimizer", "launch"}


def observed(settings: Settings, prepared: Path) -> object:
    """All that a run on one process leaves: numbers, files, reports, and calls whose effect is speed or safety."""
    calls: list[object] = []
    shutil.rmtree("run", ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:

        def noting(holder: object, name: str) -> None:
            was = getattr(holder, name)

            def noted(*args: Any, **kwargs: Any) -> Any:
                calls.append((name, args[0] if name == "dump_traceback_later" else None))
                return was(*args, **kwargs)

            patch.setattr(holder, name, noted)

        noting(faulthandler, "dump_traceback_later")
        noting(dcp_save, "async_save")
        noting(grok, "checkpoint")
        # That a compiler is asked for is what counts here; tests/model/test_flex.py runs one.
        patch.setattr(grok, "_compiled_block", lambda: calls.append("compiled") or grok.Block._compute)
        said: list[str] = []
        try:
            loop.train(settings, start(settings), Corpus(prepared, settings.sequence), said.append)
        except SettingsError as error:  # no GPU
            return str(error)
    rows = read_log(Path(settings.out))
    numbers = [{k: v for k, v in row.items() if k not in TIMED} for row in rows]
    fast = [row["mfu"] > 0.01 for row in rows]
    names = sorted(path.name for path in Path(settings.out, "checkpoints").iterdir())
    return numbers, fast, names, len(said), calls, settings.out


@pytest.mark.long
def test_every_setting_of_a_run_changes_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(RUN) | NESTED == {field.name for field in msgspec.structs.fields(Settings)}
    monkeypatch.chdir(tmp_path)
    base = Settings(out="run", steps=2, batch=2, sequence=16, evaluate_every=0, evaluate_sequences=6,
                    checkpoint_every=2, log_every=2, optimizer=Optimizer(warmup=0), peak_flops=1e9)  # fmt: skip
    plain = observed(base, data)
    assert observed(base, data) == plain, "nothing but settings changes it"
    twice = msgspec.structs.replace(base, checkpoint_every=1)  # of two checkpoints one is kept
    for name, value in RUN.items():
        given, was = (twice, observed(twice, data)) if name == "keep" else (base, plain)
        assert observed(msgspec.structs.replace(given, **{name: value}), data) != was, name


PREPARED: dict[str, object] = {
    "held_out": 0.2, "vocabulary": 300, "tokenizer": "absent/tokenizer.json", "languages": {"fr": 0.9, "*": 0.1},
    "smoothing": 0.0, "most_repeats": 1, "shortest": 90, "posts_an_hour": 0.5, "copies": 0.0,
}  # fmt: skip


@pytest.mark.long
def test_every_setting_of_the_data_changes_what_is_prepared(posts: list[Post], tmp_path: Path) -> None:
    assert set(PREPARED) | {"path", "until"} == {field.name for field in msgspec.structs.fields(Data)}
    # Some authors fast, some with copies, one language rare: each rule has something to do.
    some = [
        msgspec.structs.replace(post, lang="fr" if i % 9 == 0 else "en") for i, post in enumerate(posts[:400])
    ]
    few = [msgspec.structs.replace(post, author_id="copies", text=some[0].text) for post in some[:9]]
    few += [msgspec.structs.replace(post, author_id="fast") for post in some[100:130]]
    base = Data(vocabulary=280, posts_an_hour=1e9, copies=1.0, most_repeats=9)

    def prepared(settings: Data) -> object:
        folder = tmp_path / "data"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            info = prepare(enumerate([*few, *some]), settings, folder)
        except SettingsError as error:
            return str(error)
        return {k: v for k, v in info.items() if k != "settings"}, (folder / "train.bin").read_bytes()

    was = prepared(base)
    for name, value in PREPARED.items():
        given = msgspec.structs.replace(base, **{name: value})
        if name in ("most_repeats",):  # only where a share asks for repeats
            wanted = {"languages": {"fr": 0.9, "*": 0.1}}
            was_here = prepared(msgspec.structs.replace(base, **wanted))
            assert prepared(msgspec.structs.replace(given, **wanted)) != was_here, name
        else:
            assert prepared(given) != was, name


def test_the_source_and_its_cut_off_change_what_is_read(posts_file: Path, posts: list[Post]) -> None:
    with PostSource(str(posts_file)) as source:
        assert len(list(source.posts())) == len(posts)
    with PostSource(str(posts_file), "2023-11-14T23:00:00Z") as source:
        assert 0 < len(list(source.posts())) < len(posts)


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
