"""The parallel layout: how a model is cut over GPUs, one record or many at once as arrays.

`Layout` is one; `Layouts` holds the same fields as numpy arrays, so that one implementation of memory and
step time serves a single prediction and a search over thousands. `Plan` is a layout that was priced.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from trinch.planner.perf.hardware import Machine
from trinch.planner.perf.workload import Workload

Array = NDArray[np.float64]


def total(parts: Mapping[str, Array]) -> Array:
    """Sum of parts that broadcast against each other."""
    return reduce(np.add, parts.values())


RECOMPUTE = ("none", "selective", "full")
SCHEDULES = ("1f1b", "zb-h1", "zbv", "dualpipe", "dualpipe-v")
"""Order of work in a pipeline: 1F1B (interleaved where vpp > 1), the zero-bubble schedules of arXiv 2401.10241 and
2405.15362, and DeepSeek's DualPipe (arXiv 2412.19437) with its V-shaped form."""
V_SHAPED = ("zbv", "dualpipe-v")
"""Schedules whose stages hold two chunks of layers, one of each end of the model."""
OFFLOADS = ("none", "optimizer", "activations", "both")
"""What lives in host memory: optimizer states, activations between forward and backward, or both."""


@dataclass(frozen=True)
class Layout:
    """One way to cut a model.

    dp counts replicas of the dense part: GPUs = tp * pp * cp * dp. ep spreads the experts over GPUs of the
    same tp * cp * dp group; etp cuts each expert. zero 0: all replicated; 1: optimizer sharded; 2: gradients
    too; 3: parameters too (FSDP). vpp 1: no interleaving. micro_batch and global_batch in sequences.
    recompute: 0 none, 1 selective (core attention), 2 full. schedule and offload are places in SCHEDULES and OFFLOADS.
    """

    tp: int = 1
    pp: int = 1
    vpp: int = 1
    dp: int = 1
    cp: int = 1
    ep: int = 1
    etp: int = 1
    micro_batch: int = 1
    global_batch: int = 1
    zero: int = 1
    sequence_parallel: int = 1
    recompute: int = 0
    schedule: int = 0
    offload: int = 0

    @property
    def gpus(self) -> int:
        """GPUs the layout occupies."""
        return self.tp * self.pp * self.cp * self.dp

    @property
    def accumulation(self) -> int:
        """Micro-batches each pipeline runs in a step."""
        return max(1, self.global_batch // (self.dp * self.micro_batch))

    def label(self) -> str:
        """Short name such as TP8 PP16 VPP4 DP64, leaving out what is 1."""
        parts = [("TP", self.tp), ("PP", self.pp), ("VPP", self.vpp), ("CP", self.cp)]
        parts += [("EP", self.ep), ("ETP", self.etp)]
        text = " ".join(f"{name}{size}" for name, size in parts if size > 1)
        tail = f"DP{self.dp} mb{self.micro_batch} recompute={RECOMPUTE[self.recompute]} ZeRO-{self.zero}"
        tail += f" schedule={SCHEDULES[self.schedule]}" if self.schedule and self.pp > 1 else ""
        tail += f" offload={OFFLOADS[self.offload]}" if self.offload else ""
        return f"{text} {tail}".strip()


@dataclass(frozen=True)
class Layouts:
    """Many layouts: each field a float array of one length (floats, so that products never overflow)."""

    tp: Array
    pp: Array
    vpp: Array
    dp: Array
    cp: Array
    ep: Array
    etp: Array
    micro_batch: Array
    global_batch: Array
    zero: Array
    sequence_parallel: Array
    recompute: Array
    schedule: Array
    offload: Array

    @classmethod
    def of(cls, layouts: Sequence[Layout]) -> "Layouts":
        """Stack single layouts."""
        return cls(
            **{f.name: np.array([getattr(one, f.name) for one in layouts], float) for f in fields(Layout)}
        )

    def __len__(self) -> int:
        return len(self.tp)

    def __getitem__(self, i: int) -> Layout:
        return Layout(**{f.name: int(getattr(self, f.name)[i]) for f in fields(Layout)})

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> "Layouts":
        """Those selected by indices or a mask."""
        return Layouts(**{f.name: getattr(self, f.name)[which] for f in fields(Layout)})

    @property
    def gpus(self) -> Array:
        """GPUs each occupies."""
        return self.tp * self.pp * self.cp * self.dp

    @property
    def accumulation(self) -> Array:
        """Micro-batches each pipeline runs in a step."""
        return np.maximum(1.0, np.floor(self.global_batch / (self.dp * self.micro_batch)))


def last_stage_layers(layers: int, pp: int) -> int:
    """Layers of the last stage where the others hold as many as an uneven division asks; 0 if it divides evenly."""
    return layers - math.ceil(layers / pp) * (pp - 1) if layers % pp else 0


@dataclass(frozen=True)
class Plan:
    """A model on a machine in a layout, priced: what failures, power, cost, calendar and manifests read.

    `breakdown_s` parts add up to `step_time_s`; `memory_gb` parts add up to `memory_total_gb`, the fullest
    GPU. `band_s` holds 80 % of outcomes. n_gpus + spare_gpus is the number of GPUs requested.
    """

    workload: Workload
    machine: Machine
    layout: Layout
    precision: str
    tokens: float
    n_gpus: int
    spare_gpus: int
    step_time_s: float
    band_s: tuple[float, float]
    breakdown_s: dict[str, float]
    memory_gb: dict[str, float]
    gradient_bytes: float = 2.0
    """Bytes of a gradient in memory and on the network, as priced: 2 (bf16) or 4 (fp32)."""
    tp_overlap: bool = True
    """Whether tensor-parallel traffic was priced as overlapped with matrix products."""
    engine: str = "megatron-bridge"
    """The training framework whose speed was predicted."""
    dispatcher: str = "alltoall"
    """How tokens reach experts in other NVLink domains, as priced: see `model_inputs.DISPATCHERS`."""

    @property
    def tokens_per_step(self) -> int:
        """Tokens one optimizer step consumes."""
        return self.layout.global_batch * self.workload.seq_len

    @property
    def steps(self) -> float:
        """Optimizer steps for the whole token budget."""
        return self.tokens / self.tokens_per_step

    @property
    def days(self) -> float:
        """Days of stepping without any failure."""
        return self.steps * self.step_time_s / 86400

    @property
    def nodes(self) -> int:
        """Nodes in use, rounded up."""
        return -(-self.n_gpus // self.machine.gpu.gpus_per_node)

    @property
    def spare_nodes(self) -> int:
        """Whole nodes left idle as hot spares."""
        return self.spare_gpus // self.machine.gpu.gpus_per_node

    @property
    def replica_nodes(self) -> int:
        """Nodes of the smallest whole number of model replicas that fills its nodes, experts included.

        0 where the nodes in use are no multiple of it: such a job cannot shrink by whole replicas."""
        cut, per = self.layout, min(self.machine.gpu.gpus_per_node, self.n_gpus)
        experts = cut.ep * cut.etp if self.workload.experts else 1
        block = math.lcm(cut.pp * math.lcm(cut.tp * cut.cp, experts), per) // per
        return block if self.nodes % block == 0 and cut.dp * block % self.nodes == 0 else 0

    @property
    def tokens_per_s_per_gpu(self) -> float:
        """Throughput of one GPU in use."""
        return self.tokens_per_step / self.step_time_s / self.n_gpus

    @property
    def tflops_per_gpu(self) -> float:
        """Model TFLOP/s of one GPU: causal attention, no recomputation counted."""
        return self.tokens_per_s_per_gpu * self.workload.training_flops_per_token() / 1e12

    @property
    def mfu(self) -> float:
        """Share of the bf16 peak (of the FP8 or FP4 peak where that is the precision)."""
        return self.tflops_per_gpu / self.machine.gpu.peak_tflops(self.precision)

    @property
    def memory_total_gb(self) -> float:
        """Memory of the fullest GPU, in GB of 1e9 bytes."""
        return sum(self.memory_gb.values())

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "model": self.workload.name,
            "gpu": self.machine.gpu.name,
            "site": self.machine.site,
            "layout": asdict(self.layout),
            "label": self.layout.label(),
            "precision": self.precision,
            "engine": self.engine,
            "dispatcher": self.dispatcher,
            "n_gpus": self.n_gpus,
            "spare_gpus": self.spare_gpus,
            "nodes": self.nodes,
            "step_time_s": self.step_time_s,
            "band_s": list(self.band_s),
            "breakdown_s": self.breakdown_s,
            "mfu": self.mfu,
            "tflops_per_gpu": self.tflops_per_gpu,
            "tokens_per_s_per_gpu": self.tokens_per_s_per_gpu,
            "tokens_per_step": self.tokens_per_step,
            "memory_gb": self.memory_total_gb,
            "memory_parts_gb": self.memory_gb,
            "steps": self.steps,
            "days": self.days,
        }
