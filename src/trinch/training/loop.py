"""The training loop: batch, gradient, update, log, checkpoint; started fresh or resumed, on any layout.

Every step follows from (settings, data, step number) alone. A checkpoint therefore holds only the parameters, the
optimizer's state and the number of steps done, and a resumed run equals an unbroken one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from trinch.model.config import GrokConfig, get_config
from trinch.model.grok import Grok
from trinch.training.checkpoint import Checkpoints, read_mark
from trinch.training.data import Batch, Corpus
from trinch.training.erasure import Erasures, Posts
from trinch.training.evaluate import bits_per_byte, held_out_batch
from trinch.training.health import SLOW, SpeedProbe, UpdateGuard, hang_watch, slowest
from trinch.training.losses import NextToken, Objective, RouterLosses
from trinch.training.metrics_log import Log
from trinch.training.optim import build_optimizers, clip, optimizer_state, schedule, set_rate
from trinch.training.parallel import ProcessMesh, build, check_layout, joined, norm_shares
from trinch.training.prefetch import PrefetchedBatches, StepBatch
from trinch.training.settings import Settings, SettingsError, write_settings
from trinch.training.step import Engine
from trinch.training.throughput import Utilization, memory_gb

RESUME_FIELDS = ("config", "batch", "sequence", "documents", "seed", "dtype")
"""Settings that a resumed run must share with the run it resumes."""


class Batches(Posts, Protocol):
    """Training data in an order of its own."""

    def __call__(self, step: int, part: int, parts: int) -> Batch:
        """That part of the step's batch."""


def never() -> bool:
    """The stop condition of a run that nobody interrupts."""
    return False


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
    world: ProcessMesh,
    corpus: Corpus,
    report: Callable[[str], None] = print,
    batches: Batches | None = None,
    begin_from: Path | None = None,
    objective: Objective | None = None,
    stop: Callable[[], bool] = never,
) -> Grok:
    """Train to `settings.steps` and return this process's part of the model.

    Resumes from the newest complete checkpoint of the run, if there is one. `batches` replaces the corpus's own
    order and `objective` next-token prediction (fine-tuning); `begin_from` is a checkpoint whose parameters the
    run starts with. When `stop` returns True in any process, all save after the current step and return. Raises
    SettingsError when the settings are impossible or differ from those of the run resumed, and RuntimeError when
    the log of erasures cannot be read any more.
    """
    trainer = Trainer(settings, world, corpus, objective or NextToken(settings.z_loss), report)
    data: dict[str, Posts] = {"train": corpus.train, "held_out": corpus.held_out}
    next_batch: Callable[[int, int, int], Batch]
    if batches is not None:
        next_batch, data["rows"] = batches, batches
    else:
        next_batch = _corpus_batches(settings, corpus)
    done = trainer.resume(begin_from)

    def read(step: int) -> Batch:
        return next_batch(step, world.data_rank, world.shape.data_ways)

    with (
        Erasures(world, data, corpus.source, corpus.position) as erasures,
        PrefetchedBatches(read, settings.steps - 1, world.device.type == "cuda") as prefetched,
        hang_watch(settings.step_timeout) as watch,
    ):
        for step in range(done, settings.steps):
            with erasures.synchronized() as changed:
                batch = prefetched.take(step, fresh=changed)
            if batches is None:  # fine-tuning's rows are in memory, and know which of them were given last
                prefetched.begin(step + 1)
            row, stopping = trainer.step(step, batch, stop())
            watch.alive()
            if trainer.evaluation_due(step + 1):
                with erasures.synchronized() as changed:
                    held_out = held_out_batch(corpus, settings.evaluate_sequences)
                if changed:
                    prefetched.discard()
                row["held_out_bits_per_byte"] = bits_per_byte(trainer.engine, corpus, settings, held_out)
            trainer.record(row, last=stopping or step + 1 == settings.steps)
            if stopping:
                report(f"stopped on request: saved after step {step + 1}; the same command resumes")
                break
    trainer.close()
    return trainer.model


def _corpus_batches(settings: Settings, corpus: Corpus) -> Callable[[int, int, int], Batch]:
    if not len(corpus.train) or not len(corpus.held_out):
        raise SettingsError(
            f"less than one sequence of {settings.sequence} tokens of posts: ingest more posts or lower sequence"
        )
    return partial(corpus.batch, settings.seed, settings.batch)


@dataclass(frozen=True)
class _Parts:
    """What a step updates, and with what."""

    model: Grok
    optimizers: list[torch.optim.Optimizer]
    routers: RouterLosses
    norm_shares: list[tuple[torch.nn.Parameter, float]]


class Trainer:
    """Model, optimizers, checkpoints and log of one run."""

    def __init__(
        self,
        settings: Settings,
        world: ProcessMesh,
        corpus: Corpus,
        objective: Objective,
        report: Callable[[str], None],
    ) -> None:
        self.settings, self.world, self.objective, self._report = settings, world, objective, report
        self.config = model_config(settings, corpus.tokenizer.vocab_size)
        check_layout(self.config, world.shape, settings)
        stages = build(self.config, world, settings)
        self.model = joined(stages)
        optimizers = build_optimizers(self.model, settings.optimizer)
        routers = RouterLosses(self.model, settings.balance, settings.router_z_loss)
        self._parts = _Parts(self.model, optimizers, routers, norm_shares(self.model, world))
        self.engine = Engine(stages, world, settings, objective)
        self._out = Path(settings.out)
        self._checkpoints = Checkpoints(self._out / "checkpoints", settings.keep, settings.asynchronous)
        self._state = model_state(self.model) | {
            f"optimizer.{k}": v for k, v in optimizer_state(self.model, optimizers).items()
        }
        self._note = {name: getattr(settings, name) for name in RESUME_FIELDS}
        self._note["vocabulary"] = self.config.vocab_size
        self._log: Log | None = None
        self._utilization = Utilization(settings, self.config, world)
        self._clock = 0.0
        self._guard = UpdateGuard(settings.optimizer.spike)
        self._probe = SpeedProbe(world.device)

    def resume(self, begin_from: Path | None) -> int:
        """Load the newest checkpoint, or else `begin_from`'s parameters; return the number of steps done."""
        done = 0
        if begin_from is not None:
            self._checkpoints.load(begin_from, model_state(self.model))
        self.objective.ready(self.engine)
        if latest := self._checkpoints.latest():
            mark = read_mark(latest)
            _check_same_run(mark, self._note, latest)
            self._guard = UpdateGuard(self.settings.optimizer.spike, mark.get("norms", ()))
            done = int(self._checkpoints.load(latest, self._state)["step"])
        self._checkpoints.clean()
        if self.world.rank == 0:
            # Only after the check above, so that a refused resume leaves the run's own settings in place.
            write_settings(self.settings, self._out / "settings.json")
            self._log = Log(self._out, done, self.settings.log_every, self._report)
        self._clock = time.perf_counter()
        return done

    def step(self, step: int, batch: StepBatch, stop: bool) -> tuple[dict[str, Any], bool]:
        """One update from this process's share of a batch; returns the row to log, and whether any process stops.

        The host waits for the device once, for the numbers that decide whether the update is made.
        """
        settings, world, parts = self.settings, self.world, self._parts
        *rows, count = batch
        inputs, targets = (x.to(world.device, non_blocking=True) for x in rows)
        copies = world.shape.pipeline * world.shape.tensor  # processes that read the same rows
        targets_of_all = world.sum_on_device(_scalar(count, world)) / copies
        self.objective.begin(targets_of_all.clamp(min=1.0))
        parts.routers.reset(settings.batch, settings.batch * settings.sequence)
        self.engine.accumulate(inputs, targets)
        norm_of_all = clip(parts.norm_shares, settings.optimizer.clip)
        total, stopping, norm, denominator, *more = self._gather(step, norm_of_all, stop)
        factor = schedule(step, settings.steps, settings.optimizer)
        set_rate(parts.optimizers, factor)
        accepted = self._guard.accepts(norm)
        for optimizer in parts.optimizers:
            if accepted:
                optimizer.step()
            optimizer.zero_grad()
        row: dict[str, Any] = {
            "step": step + 1,
            "loss": total / world.shape.tensor / denominator,
            "gradient_norm": norm,
            "rate": settings.optimizer.lr * factor,
        }
        if not accepted:
            row["skipped"] = 1
            self._report(f"step {step + 1}: no update, the gradient's norm is {norm:.3g}")
        if more:
            self._add_details(row, more)
        return row, stopping > 0

    def _gather(self, step: int, norm: Tensor, stop: bool) -> list[float]:
        """The step's numbers, summed over all processes: loss, stops, norm, its divisor; at steps that are logged also each
        process's speed and each expert's load."""
        world = self.world
        mine = [_scalar(self.objective.take(), world)[None], _scalar(float(stop), world)[None]]
        if (step + 1) % self.settings.log_every == 0:
            speeds = torch.zeros(world.size, dtype=torch.float64, device=world.device)
            speeds[world.rank] = self._probe.measure()
            mine += [speeds, _load(self._parts.routers, self.config, world).flatten()]
        summed = world.sum_on_device(torch.cat(mine))
        known = [norm[None], _scalar(self.objective.denominator, world)[None]]
        return torch.cat([summed[:2], *known, summed[2:]]).tolist()

    def _add_details(self, row: dict[str, Any], numbers: list[float]) -> None:
        """Balance of the experts, and a slow process."""
        seconds, load = numbers[: self.world.size], torch.tensor(numbers[self.world.size :])
        shares = load.view(self.config.num_layers, -1)
        shares = shares / shares.sum(1, keepdim=True)
        row["busiest_expert"] = float(shares.max() * self.config.num_experts)
        rank, ratio = slowest(seconds)
        row["slowest_process"] = ratio
        if ratio >= SLOW:
            self._report(
                f"process {rank} is slow: a matrix product takes it {ratio:.1f} times the median process's time"
            )

    def evaluation_due(self, now: int) -> bool:
        """Whether held-out posts are scored after step `now`. Independent of stopping: the remaining time is for
        saving, and the curve of a resumed run must equal the unbroken one."""
        settings = self.settings
        due = now == settings.steps or (settings.evaluate_every and now % settings.evaluate_every == 0)
        return bool(due and settings.evaluate_sequences)

    def record(self, row: dict[str, Any], last: bool) -> None:
        """Add speed and memory to the row, log it, and begin a checkpoint where one is due."""
        settings, now = self.settings, row["step"]
        seconds, self._clock = time.perf_counter() - self._clock, time.perf_counter()
        speed = settings.batch * settings.sequence / seconds
        row |= {
            "tokens_per_s": speed,
            "mfu": self._utilization.of(speed),
            "memory_gb": memory_gb(self.world.device),
        }
        if self._log is not None:
            self._log.write(row, show=last)
        self._checkpoints.poll()
        if settings.checkpoint_every and (last or now % settings.checkpoint_every == 0):
            self._checkpoints.save(now, self._state, self._note | {"norms": self._guard.norms})

    def close(self) -> None:
        """Wait for the last checkpoint and close the log."""
        self._checkpoints.finish()
        if self._log is not None:
            self._log.close()


def model_state(model: Grok) -> dict[str, Tensor]:
    """The parameters under the names a checkpoint has for them."""
    return {f"model.{name}": parameter.detach() for name, parameter in model.named_parameters()}


def _scalar(value: Tensor | float, world: ProcessMesh) -> Tensor:
    """As float64 on the model's device, without the host waiting."""
    if isinstance(value, Tensor):
        return value.double()
    return torch.full((), value, dtype=torch.float64, device=world.device)


def _check_same_run(was: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    for name, value in now.items():
        if name in was and was[name] != value:
            raise SettingsError(
                f"{path} was made with {name} = {was.get(name)!r}, and this run has {value!r}; "
                f"use the same, or another folder with out"
            )


def _load(routers: RouterLosses, config: GrokConfig, world: ProcessMesh) -> Tensor:
    """Tokens that this process sent to each expert of each layer, [layers, experts]."""
    load = torch.zeros(config.num_layers, config.num_experts, dtype=torch.float64, device=world.device)
    for name, counts in routers.load.items():
        load[int(name.split(".")[1])] = counts.double()
    return load
