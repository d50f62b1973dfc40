"""Time of one forward pass while serving: prefill of a prompt, or one decode step with a KV cache.

Every operation takes the longer of its arithmetic and its memory traffic (softly: a
power mean of exponent 3), at efficiencies of `data/serving.csv`. Functions take numpy arrays and broadcast.
"""

from dataclasses import dataclass

import numpy as np

from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import Gpu, PlanError
from trinch.planner.perf.workload import Workload
from trinch.planner.simulate.run_simulation import Floats

WEIGHT_BYTES = {"bf16": 2.0, "fp8": 1.0, "nvfp4": 0.5625}


@dataclass(frozen=True, slots=True)
class Efficiency:
    """How much of the nominal peaks kernels reach, by GPU generation; times in seconds."""

    gemm: float
    gemm_bandwidth: float
    moe_gemm: float
    moe_width: float
    moe_elementwise: float
    moe_bandwidth: float
    attention: float
    kv_bandwidth: float
    layer_s: float
    moe_layer_s: float
    allreduce_s: float
    link: float
    elementwise: float
    fp8_gemm: float
    fp8_kv_bandwidth: float
    fp8_layer_s: float

    @classmethod
    def of(cls, generation: str) -> "Efficiency":
        facts = table("serving")
        return cls(**{name: facts[f"{generation}.{name}"].value for name in cls.__slots__})


def _roof(flops: Floats, rate: float, moved: Floats | float, bandwidth: float) -> Floats:
    """Seconds of an operation between its two limits; the power mean rounds the ridge."""
    return np.asarray(((flops / rate) ** 3 + (moved / bandwidth) ** 3) ** (1 / 3))


def forward_s(
    model: Workload,
    gpu: Gpu,
    tp: int,
    batch: Floats,
    new: Floats,
    context: Floats,
    precision: str = "bf16",
    kv_bytes: float = 2.0,
    efficiency: Efficiency | None = None,
    ep: int = 1,
    imbalance: float = 1.0,
) -> Floats:
    """Seconds to push `new` tokens of each of `batch` sequences, each after `context` cached tokens, through
    the model on `tp` GPUs of one NVLink domain.

    With `ep` > 1 every one of `ep` GPUs has a batch of its own and its share of the experts, the fullest
    `imbalance` times the mean; the traffic between them is not included. PlanError for a precision the GPU does not have."""
    if precision not in WEIGHT_BYTES:
        raise PlanError(f"unknown serving precision {precision!r}: use {', '.join(WEIGHT_BYTES)}")
    eff = efficiency or Efficiency.of(gpu.generation)
    peak, hbm = gpu.peak_tflops(precision) * 1e12, gpu.hbm_gbs * 1e9
    weight, tokens = WEIGHT_BYTES[precision], batch * new
    # Below bf16 every layer also quantises its activations, and kernels reach less of a higher peak.
    low = precision != "bf16"
    dense, kv_bandwidth = (eff.fp8_gemm if low else eff.gemm), eff.kv_bandwidth
    if kv_bytes < 2:
        kv_bandwidth = eff.fp8_kv_bandwidth

    def gemm(parameters: float, rows: Floats) -> Floats:
        return _roof(
            2 * rows * parameters / tp, dense * peak, parameters * weight / tp, eff.gemm_bandwidth * hbm
        )

    # Attention: the projections, then scores and values over the cache.
    projections = gemm(model.attention_weights(), tokens)
    pairs = batch * new * (context + (new + 1) / 2)
    width = np.asarray(model.heads * (model.score_dim + model.value_dim) / tp)
    if model.mla:  # decoding works on the latent cache itself, with the up-projections absorbed
        absorbed = model.heads * (2 * model.kv_lora + model.rope_dim) / tp
        width = np.where(new > 1, width, absorbed)
    # TP beyond the number of kv heads replicates them.
    held = 1 if model.mla else max(model.kv_heads / tp, 1) / model.kv_heads
    cache = batch * (context + new) * held * model.kv_bytes_per_token(kv_bytes) / model.layers
    bf16 = gpu.peak_tflops("bf16") * 1e12
    attention = _roof(2 * pairs * width, eff.attention * bf16, cache, kv_bandwidth * hbm)

    # The MLP of each kind of layer; a step reads only the experts that some token chose.
    share = model.moe_layers / model.layers
    mlp = gemm(model.mlp_weights(model.ffn), tokens) * (model.dense_mlp_layers / model.layers)
    if model.moe_layers:
        touched = (
            model.experts * -np.expm1(tokens * ep * np.log1p(-model.top_k / model.experts)) / ep
            if (model.top_k < model.experts)
            else np.full_like(tokens, model.experts / ep)
        )
        wide = model.moe_ffn / tp  # narrow experts fill fewer tiles of the matrix units
        experts = _roof(
            2 * tokens * imbalance * model.top_k * model.expert_weights() / tp,
            eff.moe_gemm * wide / (wide + eff.moe_width) * (dense / eff.gemm) * peak,
            touched * model.expert_weights() * weight / tp,
            eff.moe_bandwidth * hbm,
        )
        routed = eff.moe_elementwise * tokens * model.top_k * model.hidden * 2 / hbm
        mlp = mlp + share * (
            experts + routed + gemm(model.mlp_weights(model.shared_ffn), tokens) + eff.moe_layer_s
        )

    small = eff.layer_s + low * eff.fp8_layer_s + eff.elementwise * tokens * model.hidden * 2 / hbm
    reduce = np.zeros_like(tokens)
    if tp > 1:
        moved = 2 * (tp - 1) / tp * tokens * model.hidden * 2
        reduce = 2 * (eff.allreduce_s + moved / (eff.link * gpu.nvlink_gbs * 1e9))
    head = gemm(model.hidden * model.vocab, batch)  # only the last position of each sequence
    return np.asarray(model.layers * (projections + attention + mlp + small + reduce) + head)


def weight_gb(model: Workload, precision: str) -> float:
    """Weights of the whole model in GB; tables stay bf16, as SGLang keeps them."""
    tables = model.hidden * model.vocab * (1 if model.tied else 2)
    return ((model.parameters() - tables) * WEIGHT_BYTES[precision] + tables * 2) / 1e9
