"""Models, machines and software stacked as arrays, so that one formula prices a table or a search.

A `Case` is everything about a run except its layout; `Cases` holds the numbers of many as float arrays of
shape (n,), or of shape (1,) when one model is tried in many layouts: numpy broadcasting does the rest.
Also reads the kernel and engine tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

import numpy as np

from trinch.planner.perf.hardware import Machine, PlanError, nearest, table
from trinch.planner.perf.layout import Array
from trinch.planner.perf.workload import Workload

DEFAULT_ENGINE = "megatron-bridge"
DEFAULT_DATE = 2026.5


@dataclass(frozen=True)
class Engine:
    """What a training framework does by default, from data/engines.csv."""

    name: str
    attention: str
    tp_overlap: float
    dp_overlap: float
    ep_overlap: float
    zero: int
    recompute: int
    gradient_bytes: float
    logit_bytes: float
    memory_slack: float
    dispatcher: str = "alltoall"
    sharded_master: bool = False
    """Under ZeRO-3 the fp32 master is the parameter: bf16 copies exist only while a layer is gathered."""
    nvidia_sites: bool = False
    """Most of its measured rows come from NVIDIA's own clusters: elsewhere a site's factor applies."""


DISPATCHERS = ("alltoall", "node-limited", "deepep")
"""How routed tokens reach their experts: every copy by itself; one copy a node; one copy a node by fused,
partly overlapped kernels (DeepEP, HybridEP)."""


@dataclass(frozen=True)
class Case:
    """A run except its layout. `date` is the software's, in years (2025.5).

    `frozen` weights are not trained themselves (adapters): no weight gradients, no optimizer state.
    `imbalance` is the load of the fullest GPU's experts over the mean (1: forced balance, as in benchmarks).
    `dropping` experts have a fixed capacity and drop what is beyond it. `dispatcher` is one of DISPATCHERS, or
    empty for the engine's own. `elsewhere`: at another site than the engine was measured at.
    """

    workload: Workload
    machine: Machine
    precision: str
    engine: Engine
    date: float = DEFAULT_DATE
    frozen: bool = False
    imbalance: float = 1.0
    dropping: bool = False
    dispatcher: str = ""
    elsewhere: bool = False

    def sends_by(self) -> str:
        """The dispatcher in use."""
        return self.dispatcher or self.engine.dispatcher


@cache
def _engines() -> list[dict[str, str]]:
    return table("engines.csv")


def engine(name: str = "", date: float = DEFAULT_DATE) -> Engine:
    """The engine whose table entry matches `name`; an unknown name gets the defaults of a modern Megatron."""
    rows = [row for row in _engines() if row["match"] in name.lower() and date >= float(row["since"] or 0)]
    if not rows:
        return Engine("other", "fused", 0.0, 1.0, 0.0, 1, 0, 4.0, 14.0, 1.5)
    row = rows[-1] if rows[0]["since"] else rows[0]
    return Engine(
        name=row["engine"],
        attention=row["attention"],
        tp_overlap=float(row["tp_overlap"]),
        dp_overlap=float(row["dp_overlap"]),
        ep_overlap=float(row["ep_overlap"]),
        zero=int(row["zero"]),
        recompute=("none", "selective", "full").index(row["recompute"]),
        gradient_bytes=float(row["gradient_bytes"]),
        logit_bytes=float(row["logit_bytes"]),
        memory_slack=float(row["memory_slack"]),
        dispatcher=row["dispatcher"],
        sharded_master=row["sharded_master"] == "1",
        nvidia_sites=row["nvidia_sites"] == "1",
    )


def engine_names() -> list[str]:
    """Every engine of the table."""
    return sorted({row["engine"] for row in _engines()})


def known_engine(name: str, date: float = DEFAULT_DATE) -> Engine:
    """The engine called `name`. Raises PlanError with the nearest name for one that is not in the table."""
    found = engine(name, date)
    if found.name == "other":
        known = sorted({row["match"] for row in _engines()})
        raise PlanError(f"unknown engine {name!r}: {nearest(name, known)}")
    return found


@cache
def _kernels() -> dict[tuple[str, str], dict[str, str]]:
    return {(row["gpu"], row["precision"]): row for row in table("kernels.csv")}


def kernel(gpu_name: str, precision: str) -> dict[str, str]:
    """Kernel efficiencies of a GPU at a precision; PlanError if there are none."""
    kind = {"fp16": "bf16", "mxfp8": "fp8"}.get(precision, precision)
    found = _kernels().get((gpu_name, kind))
    if found is None:
        known = [p for name, p in _kernels() if name == gpu_name]
        raise PlanError(f"no kernel efficiencies for {precision} on {gpu_name}: {nearest(precision, known)}")
    return found


@dataclass(frozen=True)
class Cases:
    """The numbers of many cases. Model counts are per model, rates in FLOP/s and bytes/s, times in s."""

    layers: Array
    hidden: Array
    heads: Array
    kv_heads: Array
    score_dim: Array
    value_dim: Array
    vocab: Array
    seq: Array
    ffn: Array
    gated: Array
    dense_layers: Array
    experts: Array
    top_k: Array
    moe_ffn: Array
    shared_ffn: Array
    moe_layers: Array
    mla: Array
    q_lora: Array
    kv_lora: Array
    rope_dim: Array
    span: Array
    mtp: Array
    expert_params: Array
    other_params: Array
    peak: Array
    attention_rate: Array
    attention_half: Array
    byte_factor: Array
    launch: Array
    hbm: Array
    nvlink: Array
    domain: Array
    nic: Array
    pod: Array
    oversubscription: Array
    memory: Array
    ampere: Array
    blackwell: Array
    capped: Array
    fp8: Array
    mxfp8: Array
    fp4: Array
    eager: Array
    flash2: Array
    foundry: Array
    by_product: Array
    tp_overlap: Array
    dp_overlap: Array
    year: Array
    gradient_bytes: Array
    weight_bytes: Array
    logit_bytes: Array
    biased: Array
    ep_overlap: Array
    frozen: Array
    imbalance: Array
    dropping: Array
    sharded_master: Array
    once_a_node: Array
    fused_dispatch: Array
    expert_groups: Array
    routed_groups: Array
    elsewhere: Array
    host_link: Array
    host_memory: Array
    engine: tuple[str, ...]

    @classmethod
    def of(cls, cases: Sequence[Case]) -> "Cases":
        """Stack single cases."""
        rows = [_numbers(case) for case in cases]
        names = [f.name for f in fields(cls) if f.name != "engine"]
        arrays = {name: np.array([row[name] for row in rows], float) for name in names}
        return cls(**arrays, engine=tuple(case.engine.name for case in cases))


def _numbers(case: Case) -> dict[str, float]:
    w, gpu = case.workload, case.machine.gpu
    entry = kernel(gpu.name, case.precision)
    experts = w.moe_layers * w.experts * w.expert_weights()
    low = case.precision in {"fp8", "mxfp8", "nvfp4"}
    return {
        "layers": w.layers,
        "hidden": w.hidden,
        "heads": w.heads,
        "kv_heads": w.kv_heads,
        "score_dim": w.score_dim,
        "value_dim": w.value_dim,
        "vocab": w.vocab,
        "seq": w.seq_len,
        "ffn": w.ffn,
        "gated": w.gated,
        "dense_layers": w.dense_mlp_layers if w.ffn else 0,
        "experts": w.experts,
        "top_k": w.top_k,
        "moe_ffn": w.moe_ffn,
        "shared_ffn": w.shared_ffn,
        "moe_layers": w.moe_layers,
        "mla": w.mla,
        "q_lora": w.q_lora,
        "kv_lora": w.kv_lora,
        "rope_dim": w.rope_dim,
        "span": w.attention_span() / w.layers,
        "mtp": w.mtp_layers,
        "expert_params": experts,
        "other_params": w.parameters() - experts,
        "peak": gpu.peak_tflops(case.precision) * 1e12 * float(entry["efficiency"]),
        "attention_rate": float(entry["attention_tflops"]) * 1e12,
        "attention_half": float(entry["attention_half_seq"]),
        "byte_factor": float(entry["byte_factor"]),
        "launch": float(entry["launch_us"]) * 1e-6,
        "hbm": gpu.hbm_gbs * 1e9,
        "nvlink": gpu.nvlink_gbs * 1e9,
        "domain": gpu.nvlink_domain,
        "nic": case.machine.nic_gbits / 8 * 1e9,
        "pod": case.machine.pod_gpus,
        "oversubscription": case.machine.oversubscription,
        "memory": gpu.memory_gb * 1e9,
        "ampere": gpu.generation == "ampere",
        "blackwell": gpu.generation == "blackwell",
        "capped": gpu.name == "H100-96GB-HBM2e-500W",
        "fp8": low and case.precision != "nvfp4",
        "mxfp8": case.precision == "mxfp8",
        "fp4": case.precision == "nvfp4",
        "eager": case.engine.attention == "eager",
        "flash2": case.engine.attention == "flash2",
        "foundry": case.engine.attention == "foundry",
        "by_product": case.engine.name == "torchtitan",
        "tp_overlap": case.engine.tp_overlap,
        "dp_overlap": case.engine.dp_overlap,
        "year": case.date,
        "weight_bytes": {"nvfp4": 0.5}.get(case.precision, 1.0 if low else 2.0),
        "biased": w.mlp_bias,
        "ep_overlap": case.engine.ep_overlap,
        "logit_bytes": case.engine.logit_bytes,
        "gradient_bytes": case.engine.gradient_bytes,
        "frozen": case.frozen,
        "imbalance": case.imbalance,
        "dropping": case.dropping,
        "sharded_master": case.engine.sharded_master,
        "once_a_node": case.sends_by() != "alltoall",
        "fused_dispatch": case.sends_by() == "deepep",
        "expert_groups": w.expert_groups,
        "routed_groups": w.routed_groups,
        "elsewhere": case.elsewhere,
        "host_link": gpu.host_link_gbs * 1e9,
        "host_memory": gpu.host_memory_gbs * 1e9,
    }
