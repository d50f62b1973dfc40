"""The loop: batch, gradient, update, log, checkpoint; begun anew or resumed, alone or among others.

Owns the order of these and what makes a resumed run equal an unbroken one. Does not know where posts come
from or how work is split. Everything a step does follows from (settings, data, step), so a checkpoint holds
only the parameters, the optimizer's state and the number of steps done.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from trinch.model.config import GrokConfig, get_config
from trinch.model.grok import Grok
from trinch.training.checkpoint import Checkpoints, read_mark
from trinch.training.data import IGNORE, Batch, Corpus
from trinch.training.erasure import Erasures, Posts
from trinch.training.evaluate import bits_per_byte, held_out_batch
from trinch.training.losses import NextToken, Objective, RouterLosses
from trinch.training.metrics_log import Log
from trinch.training.optim import build_optimizers, clip, optimizer_state, schedule, set_rate
from trinch.training.parallel import World, build, counted, fit
from trinch.training.settings import Settings, SettingsError, write_settings
from trinch.training.step import Engine
from trinch.training.throughput import flops_per_token, memory_gb, peak_flops

SAME = ("config", "batch", "sequence", "documents", "seed", "dtype")
"""Settings that a resumed run must share with the run it resumes."""


class Batches(Posts, Protocol):
    """What is trained on, in an order of its own."""

    def __call__(self, step: int, part: int, parts: int) -> Batch:
        """That part of the step's batch."""


def model_config(settings: Settings, vocabulary: int) -> GrokConfig:
    """The named configuration with this tokenizer's vocabulary and room for the sequences."""
    try:
        config = get_config(settings.config)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    longest = max(config.max_positions, settings.sequence)
    return replace(config, vocab_size=vocabulary, max_positions=longest)


def train(
    settings: Settings,
    world: World,
    corpus: Corpus,
    tell: Callable[[str], None] = print,
    batches: Batches | None = None,
    begin_from: Path | None = None,
    objective: Objective | None = None,
) -> Grok:
    """Train to `settings.steps` and return this process's part of the model.

    Resumes from the newest complete checkpoint of the run, if there is one. `batches` replaces the corpus's
    own order and `objective` next-token prediction (fine-tuning); `begin_from` is a checkpoint whose
    parameters the run starts with. Raises SettingsError when the settings cannot be, or are not those of the
    run resumed, and RuntimeError when the log that tells of erasures cannot be read any more.
    """
    config = model_config(settings, corpus.tokenizer.vocab_size)
    fit(config, world.shape, settings)
    data: dict[str, Posts] = {"train": corpus.train, "held_out": corpus.held_out}
    give: Callable[[int, int, int], Batch]
    if batches is not None:
        give, data["rows"] = batches, batches
    else:
        if not len(corpus.train) or not len(corpus.held_out):
            raise SettingsError(
                f"less than one sequence of {settings.sequence} tokens of posts: drink more or lower it"
            )
        give = partial(corpus.batch, settings.seed, settings.batch)
    model = build(config, world, settings)
    optimizers = build_optimizers(model, settings.optimizer)
    objective = objective or NextToken(settings.z_loss)
    routers = RouterLosses(model, settings.balance, settings.router_z_loss)
    engine = Engine(model, world, settings, objective)

    out = Path(settings.out)
    checkpoints = Checkpoints(out / "checkpoints", settings.keep, settings.asynchronous)
    state = model_state(model) | {f"optimizer.{k}": v for k, v in optimizer_state(model, optimizers).items()}
    note = {name: getattr(settings, name) for name in SAME} | {"vocabulary": config.vocab_size}
    done = 0
    if begin_from is not None:
        checkpoints.load(begin_from, model_state(model))
    objective.ready(engine)
    if latest := checkpoints.latest():
        _same_run(read_mark(latest), note, latest)
        done = int(checkpoints.load(latest, state)["step"])
    checkpoints.clean()
    if world.rank == 0:
        write_settings(settings, out / "settings.json")  # not before it is known that they are the run's

    log = Log(out, done, settings.log_every, tell) if world.rank == 0 else None
    peak = peak_flops(settings, world.device) * world.size
    work = flops_per_token(config, settings.sequence)
    parts = counted(model, world)
    copies = world.shape.pipeline * world.shape.tensor  # processes that read the same rows
    stop = _Stop()
    clock = time.perf_counter()
    with Erasures(world, data, corpus.source, corpus.position) as erasures:
        for step in range(done, settings.steps):
            with erasures.settled():
                inputs, targets = give(step, world.data_rank, world.shape.data_ways)
            (counted_targets,) = world.sum(float((targets != IGNORE).sum()))
            objective.begin(max(counted_targets / copies, 1.0))
            routers.reset(settings.batch, settings.batch * settings.sequence)
            engine.accumulate(_tensor(inputs, world), _tensor(targets, world))
            norm = clip(parts, settings.optimizer.clip)
            rate = settings.optimizer.lr * schedule(step, settings.steps, settings.optimizer)
            set_rate(optimizers, rate)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            total, stopping = world.sum(objective.take(), stop.asked)
            now = step + 1
            row: dict[str, Any] = {
                "step": now,
                "loss": total / world.shape.tensor / objective.whole,
                "gradient_norm": norm,
                "rate": rate,
            }
            if now % settings.log_every == 0:
                row["busiest_expert"] = _busiest(routers, config, world)
            last = now == settings.steps or stopping > 0
            # Not because of a stop: the time that is left is for saving, and the curve is to be the unbroken one's.
            due = now == settings.steps or (settings.evaluate_every and now % settings.evaluate_every == 0)
            if due and settings.evaluate_sequences:
                with erasures.settled():
                    held_out = held_out_batch(corpus, settings.evaluate_sequences)
                row["held_out_bits_per_byte"] = bits_per_byte(engine, corpus, settings, held_out)
            seconds, clock = time.perf_counter() - clock, time.perf_counter()
            speed = settings.batch * settings.sequence / seconds
            row |= {
                "tokens_per_s": speed,
                "mfu": speed * work / peak if peak else None,
                "memory_gb": memory_gb(world.device),
            }
            if log is not None:
                log.write(row, show=last)
            checkpoints.poll()
            if settings.checkpoint_every and (last or now % settings.checkpoint_every == 0):
                checkpoints.save(now, state, note)
            if stopping:
                tell(f"asked to stop: saved after step {now}; the same command goes on from there")
                break
    checkpoints.finish()
    if log is not None:
        log.close()
    stop.close()
    return model


def model_state(model: Grok) -> dict[str, Tensor]:
    """The parameters as a checkpoint names them."""
    return {f"model.{name}": parameter.detach() for name, parameter in model.named_parameters()}


def _tensor(rows: Any, world: World) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows)).to(world.device)


def _same_run(was: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    for name, value in now.items():
        if name in was and was[name] != value:
            raise SettingsError(
                f"{path} was made with {name} = {was.get(name)!r}, and this run has {value!r}; "
                f"use the same, or another folder with out"
            )


def _busiest(routers: RouterLosses, config: GrokConfig, world: World) -> float:
    """Share of the busiest expert of any layer, as a multiple of an even share (1 = perfectly balanced)."""
    load = torch.zeros(config.num_layers, config.num_experts, dtype=torch.float64)
    for name, counts in routers.load.items():
        load[int(name.split(".")[1])] = counts.double().cpu()
    total = torch.tensor(world.sum(*load.flatten().tolist())).view_as(load)
    return float((total / total.sum(1, keepdim=True)).max() * config.num_experts)


class _Stop:
    """Notes a SIGTERM, which schedulers send before they kill, so that the loop can save first."""

    def __init__(self) -> None:
        self.asked = 0.0
        try:
            self._before = signal.signal(signal.SIGTERM, self._ask)
        except ValueError:  # not the main thread: nothing can be asked of us
            self._before = None

    def _ask(self, *_: Any) -> None:
        self.asked = 1.0

    def close(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
