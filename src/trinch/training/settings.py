"""Settings of a training run: one file of TOML.

Needs no torch, so that a launcher or a planner can read them on a machine without it. Sizes are tokens, sequences or steps as each field says; a *step* is one update.
"""

import json
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from trinch.errors import TrinchError


class SettingsError(TrinchError, ValueError):
    """An impossible setting. The message names the field and a value that works."""


class Data(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which posts are read, and how they become tokens (docs/training.md, "Data")."""

    path: str = ""
    """The store's folder, or a file that `trinch ingest` reads."""
    until: str = ""
    """Cut-off, ISO 8601: the run sees what was visible then. Empty: everything ingested, as it is now."""
    held_out: float = 0.05
    """The newest part of the kept posts, by time, never trained on."""
    vocabulary: int = 4096
    """Tokens of the BPE tokenizer, special ones included."""
    tokenizer: str = ""
    """A `tokenizer.json` to use instead of training one."""
    languages: dict[str, float] = {}
    """Share of each language, `"*"` for all others, e.g. `{en = 0.5, "*" = 0.5}`. Empty: by `smoothing`."""
    smoothing: float = 0.7
    """Without `languages`, a language with n posts gets a share in proportion to n ** smoothing (1 = as
    is)."""
    most_repeats: int = 4
    """No post is seen more often than this in one pass, whatever the shares ask for."""
    shortest: int = 8
    """Posts of fewer characters (after scrubbing) are left out."""
    posts_an_hour: float = 30.0
    """Authors posting faster than this, over at least 20 posts, count as bots."""
    copies: float = 0.5
    """Authors of at least 8 posts with more than this share of near-duplicates count as bots."""


class Mesh(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Processes = pipeline x replicate x shard x expert x tensor. Data is split replicate x shard x expert
    ways."""

    pipeline: int = 1
    schedule: Literal["1f1b", "interleaved", "zero-bubble", "zero-bubble-v"] = "1f1b"
    """Of a pipeline; PyTorch's Schedule1F1B, ScheduleInterleaved1F1B, ScheduleInterleavedZeroBubble and
    ScheduleZBVZeroBubble."""
    stages: int = 0
    """Stages of the pipeline that each process runs. 0: one with 1f1b, two with any other schedule."""
    replicate: int = 1
    """Whole copies of the sharded model (HSDP)."""
    shard: int = 0
    """Ways parameters are sharded (FSDP). 0: whatever processes remain."""
    expert: int = 1
    exchange: Literal["all-to-all", "gather"] = "all-to-all"
    """How rows meet their experts in other processes. `all-to-all` sends each row to its own; the host waits once a layer
    for the numbers of rows. `gather` sends all rows to all and sums what comes back: `expert` times the data, no waiting."""
    tensor: int = 1

    def filled(self, processes: int) -> "Mesh":
        """With `shard` worked out for that many processes. Raises SettingsError when they do not divide."""
        for name in ("pipeline", "replicate", "expert", "tensor"):
            if getattr(self, name) < 1:
                raise SettingsError(f"mesh.{name} must be at least 1")
        self._check_stages()
        others = self.pipeline * self.replicate * self.expert * self.tensor
        shard = self.shard or max(1, processes // others)
        if others * shard != processes:
            raise SettingsError(
                f"pipeline {self.pipeline} x replicate {self.replicate} x shard {shard} x "
                f"expert {self.expert} x tensor {self.tensor} needs {others * shard} "
                f"processes, not {processes}"
            )
        return msgspec.structs.replace(self, shard=shard)

    def _check_stages(self) -> None:
        if self.pipeline == 1:
            if self.schedule != "1f1b" or self.stages > 1:
                raise SettingsError("mesh.schedule and mesh.stages need mesh.pipeline of at least 2")
            return
        stages = self.stages or self.stages_each
        if self.schedule == "1f1b" and stages != 1:
            raise SettingsError(f"mesh.stages is {stages}, and the schedule 1f1b runs one stage a process")
        if self.schedule == "zero-bubble-v" and stages != 2:
            raise SettingsError(f"mesh.stages is {stages}, and the schedule zero-bubble-v runs two a process")
        if self.schedule != "1f1b" and stages < 2:
            raise SettingsError(
                f"mesh.stages is {self.stages}, and the schedule {self.schedule} needs at least 2"
            )

    @property
    def stages_each(self) -> int:
        """Stages that each process runs."""
        if self.pipeline == 1:
            return 1
        return self.stages or (1 if self.schedule == "1f1b" else 2)

    @property
    def data_ways(self) -> int:
        """Into how many parts a batch is split (`shard` must be filled)."""
        return self.replicate * self.shard * self.expert


class Optimizer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Muon, where chosen, updates the matrices inside the blocks; AdamW updates all the rest."""

    name: Literal["adamw", "muon"] = "muon"
    lr: float = 3e-3
    """Peak rate of AdamW."""
    muon_lr: float = 0.0
    """Peak rate of Muon. 0: the same as `lr`, since its updates are scaled to the size of AdamW's."""
    weight_decay: float = 0.1
    """On matrices only, decoupled: each step shrinks them by rate x decay."""
    beta1: float = 0.9
    beta2: float = 0.95
    momentum: float = 0.95
    eps: float = 1e-8
    warmup: int = 20
    """Steps of linear warm-up."""
    decay: float = 0.2
    """The last part of the run, in which the rate falls linearly to `floor`."""
    floor: float = 0.0
    """Final rate as a part of the peak."""
    clip: float = 1.0
    """Global gradient norm; 0 turns clipping off."""
    spike: float = 20.0
    """No update is made with a gradient whose norm is more than this multiple of the median of the last 64; 0 turns that
    off. One that is not finite is never made."""


class Launch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where the run is launched; read by the launch files only."""

    nodes: int = 1
    processes: int = 1
    """Per node; one per GPU."""
    spares: int = 0
    """Nodes that a Slurm job holds beside those in use."""
    restarts: int = 3
    name: str = "trinch-train"
    partition: str = ""
    account: str = ""
    hours: float = 24.0
    command: str = "python"
    """The interpreter on the nodes."""


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One training run. Two runs with equal settings and data have equal curves."""

    config: str = "tiny"
    """Name of a model configuration (`trinch model inspect`)."""
    out: str = "runs/tiny"
    """Folder of the run: data, checkpoints, log. It must be seen by every process."""
    steps: int = 200
    batch: int = 16
    """Sequences per step, over all processes."""
    micro_batch: int = 0
    """Sequences per forward pass and process; 0: all of this process's share (a quarter with a pipeline)."""
    sequence: int = 256
    """Tokens per sequence."""
    documents: Literal["open", "mask"] = "open"
    """Whether a post attends to those before it in its sequence (open) or only to itself (mask)."""
    seed: int = 0
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the arithmetic; the master weights, gradients' sums and the optimizer stay float32."""
    device: Literal["", "cpu", "cuda"] = ""
    """Empty: cuda where there is one."""
    recompute: bool = False
    """Recompute each block in the backward pass instead of keeping its activations."""
    z_loss: float = 1e-4
    """Weight of (log sum exp of the logits)^2, PaLM (arXiv:2204.02311)."""
    router_z_loss: float = 1e-3
    """The same for each layer's router, ST-MoE (arXiv:2202.08906)."""
    balance: float = 2e-2
    """Weight, in each layer, of the load-balancing loss, taken within each sequence (DeepSeek-V3,
    arXiv:2412.19437, eq.
    17)."""
    checkpoint_every: int = 50
    """Steps between checkpoints; there is one at the end too. 0: none at all."""
    keep: int = 2
    """Complete checkpoints kept."""
    asynchronous: bool = True
    """Write checkpoints while training goes on."""
    evaluate_every: int = 50
    """Steps between measurements on the held-out posts; 0: only at the end."""
    evaluate_sequences: int = 64
    """Held-out sequences of each measurement; 0: none at all."""
    log_every: int = 10
    step_timeout: float = 600.0
    """Seconds that a step after the first may take, its measurements included, before the process ends itself for the
    launcher to restart; messages between processes then fail after the same time. 0: no limit."""
    compile: bool = False
    """Compile each block with `torch.compile` (TorchInductor, which needs a C++ compiler on a CPU)."""
    peak_flops: float = 0.0
    """Of one device, for MFU. 0: the device's table value, or a matrix product timed at the start on CPU."""
    data: Data = msgspec.field(default_factory=Data)
    mesh: Mesh = msgspec.field(default_factory=Mesh)
    optimizer: Optimizer = msgspec.field(default_factory=Optimizer)
    launch: Launch = msgspec.field(default_factory=Launch)


def read_settings(path: str | Path | None, **overrides: Any) -> Settings:
    """Settings from a TOML or JSON file (or the defaults), with overrides whose value is not None put on top.

    A key may name a nested field with a double underscore: `mesh__expert=2`. Raises SettingsError.
    """
    raw: dict[str, Any] = {}
    if path is not None:
        try:
            text = Path(path).read_text("utf-8")
            raw = json.loads(text) if Path(path).suffix == ".json" else tomllib.loads(text)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: {error}") from None
    for key, value in overrides.items():
        if value is not None:
            place = raw
            *parents, last = key.split("__")
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = value
    return settings_from(raw, str(path or "settings"))


def settings_from(raw: dict[str, Any], place: str) -> Settings:
    """Checked settings from plain values; `place` is where errors say they come from. Raises
    SettingsError."""
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{place}: {error}") from None
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Raise SettingsError for values that no machine could run."""
    for name in ("steps", "batch", "sequence", "log_every"):
        if getattr(settings, name) < 1:
            raise SettingsError(f"{name} must be at least 1")
    if not 0 < settings.data.held_out < 1:
        raise SettingsError("data.held_out is a part of the posts: between 0 and 1, e.g. 0.05")
    if not 0 <= settings.optimizer.decay <= 1:
        raise SettingsError("optimizer.decay is a part of the run: between 0 and 1, e.g. 0.2")


def settings_text(settings: Settings) -> str:
    """As JSON, which `read_settings` reads."""
    return msgspec.json.format(msgspec.json.encode(settings), indent=2).decode() + "\n"


def write_settings(settings: Settings, path: Path) -> None:
    """As JSON, for the record of a run."""
    path.write_text(settings_text(settings), "utf-8")
