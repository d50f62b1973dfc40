"""Memory of the fullest GPU, by kind: weights, gradients, optimizer, activations, logits, overhead.

Activation counts follow arXiv 2205.05198 section 4, extended to fused attention, gated and expert MLPs and
context parallelism.
"""

import numpy as np
from numpy.typing import NDArray

from trinch.planner.perf.layout import OFFLOADS, SCHEDULES, Array, Layouts, total
from trinch.planner.perf.model_inputs import Cases

OVERHEAD = 2e9
"""CUDA context, communicators and workspaces of a rank, bytes."""
FRAGMENTATION = 0.03
"""Share of the allocated memory lost between blocks."""
USABLE = 0.96
"""Share of the nominal memory a job can allocate."""


def memory_parts(on: Cases, at: Layouts) -> dict[str, Array]:
    """Bytes on the fullest GPU by kind, each of shape (n,).

    In a pipeline, sharded parameters and gradients are gathered once and kept for the whole step.
    """
    dense = on.other_params / (at.tp * at.pp) * _uneven(on, at)
    expert = on.expert_params / (at.ep * at.etp * at.pp) * _uneven(on, at)
    group = at.dp * at.cp
    expert_group = np.maximum(at.tp * at.cp * at.dp / (at.ep * at.etp), 1.0)

    def share(bytes_each: float, level: int) -> Array:
        sharded = (at.zero >= level) & ((level == 1) | (at.pp == 1))
        cut, expert_cut = (np.where(sharded, g, 1.0) for g in (group, expert_group))
        return bytes_each * (dense / cut + expert / expert_cut)

    trained = 1 - on.frozen
    stage, logits = _activations(on, at)
    working = np.where((at.zero >= 3) & (at.pp == 1), 3 * 2 * dense / np.maximum(on.layers / at.pp, 1.0), 0.0)
    bare = (on.sharded_master > 0) & (at.zero >= 3) & (at.pp == 1)
    copies = np.where(at.schedule == SCHEDULES.index("dualpipe"), 2.0, 1.0)  # stages of both directions
    parts = {
        "weights": copies * np.where(bare, 0.0, share(2.0, 3)) + working,
        "gradients": copies * share(1.0, 2) * on.gradient_bytes * trained,
        "optimizer": np.where(offloads_optimizer(at), 0.0, share(12.0, 1) * trained),
        "activations": stage,
        "logits": logits,
    }
    parts["overhead"] = total(parts) * FRAGMENTATION + OVERHEAD
    return parts


def memory_bytes(on: Cases, at: Layouts) -> Array:
    """Bytes on the fullest GPU."""
    return total(memory_parts(on, at))


def offloads_optimizer(at: Layouts) -> NDArray[np.bool_]:
    """Whether optimizer states live in host memory."""
    return np.isin(at.offload, [OFFLOADS.index("optimizer"), OFFLOADS.index("both")])


def offloads_activations(at: Layouts) -> NDArray[np.bool_]:
    """Whether activations wait in host memory for their backward pass."""
    return np.isin(at.offload, [OFFLOADS.index("activations"), OFFLOADS.index("both")])


def _uneven(on: Cases, at: Layouts) -> Array:
    """How much larger the largest stage is than the mean."""
    return np.ceil(on.layers / at.pp) / (on.layers / at.pp)


def kept_per_layer(on: Cases, at: Layouts) -> Array:
    """Bytes of activations that a layer keeps of a micro-batch for its backward pass."""
    whole, edge = _layer_activations(on, at)
    part = (whole - _scores(on, at)) * np.where(on.by_product > 0, 0.5, 1.0)
    return np.asarray(np.where(at.recompute == 0, whole, np.where(at.recompute == 1, part, edge)))


def _scores(on: Cases, at: Layouts) -> Array:
    """Bytes of attention scores that unfused attention keeps."""
    tokens = at.micro_batch * on.seq / at.cp
    return np.where(on.eager > 0, 5 * tokens * on.seq * on.heads / at.tp, 0.0)


def _layer_activations(on: Cases, at: Layouts) -> tuple[Array, Array]:
    """Bytes of a layer's activations, all of them and its input alone."""
    tokens = at.micro_batch * on.seq / at.cp
    cut = np.where(at.sequence_parallel > 0, at.tp, 1.0)
    dense = on.dense_layers / on.layers
    moe = on.moe_layers / on.layers
    fan = np.where(on.gated > 0, 2.0, 1.0)
    kept = np.where(on.fp8 + on.fp4 > 0, 1.5, 2.0)
    edge = tokens * on.hidden * 2 / cut
    heads = tokens / at.tp * on.heads * (on.score_dim + on.value_dim) + tokens / at.tp * (
        on.kv_heads * (on.score_dim + on.value_dim)
    )
    routed = tokens / at.tp * on.top_k
    mlp = tokens / at.tp * (dense * on.ffn + moe * on.shared_ffn) * (fan + 1)
    expert = moe * routed * (on.moe_ffn * (fan + 1) + 2 * on.hidden)
    whole = 2 * edge + tokens * on.hidden * 2 * kept / cut + (heads + mlp + expert) * kept
    return whole + _scores(on, at), edge


def _in_flight(at: Layouts) -> Array:
    """Micro-batches whose activations the fullest stage keeps at a time.

    The zero-bubble schedules keep no more than 1F1B without interleaving, DualPipe one more (arXiv 2412.19437)."""
    flight = np.minimum(at.accumulation, at.pp)
    looped = (at.schedule == 0) & (at.vpp > 1) & (at.accumulation >= at.pp)
    flight = np.where(looped, at.pp + (at.pp - 1) / at.vpp, flight)
    extra = {"dualpipe": 1.0, "dualpipe-v": 0.5}
    return flight + np.select(
        [at.schedule == SCHEDULES.index(name) for name in extra], list(extra.values()), 0.0
    )


def _activations(on: Cases, at: Layouts) -> tuple[Array, Array]:
    """Kept activations of the stage that keeps most, and the logits where they add to that."""
    tokens = at.micro_batch * on.seq / at.cp
    layer, (whole, _) = kept_per_layer(on, at), _layer_activations(on, at)
    deep = np.ceil(on.layers / at.pp)
    held = np.where(offloads_activations(at), np.minimum(2.0, deep * _in_flight(at)), deep * _in_flight(at))
    stage = layer * held + np.where(at.recompute == 2, whole, 0.0)
    logits = tokens * on.vocab / at.tp * on.logit_bytes
    last = layer * np.minimum(deep, held) + logits
    return stage, np.where(at.pp > 1, np.maximum(last - stage, 0.0), logits)
