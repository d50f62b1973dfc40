"""Time of one optimizer step: one analytic model over arrays of cases and layouts.

Every part is physics (FLOPs over achieved rate, bytes over bandwidth, latency) times a calibrated
coefficient of order one; docs/planner.md lists them. Parts add up to the step time by construction.
Prediction of a table and search over layouts both call `step_parts`.
"""

from collections.abc import Mapping

import numpy as np

from trinch.planner.perf import collectives
from trinch.planner.perf.layout import SCHEDULES, Array, Layouts, total
from trinch.planner.perf.memory import kept_per_layer, offloads_activations, offloads_optimizer
from trinch.planner.perf.model_inputs import Cases

Coefficients = Mapping[str, float]
YEARS = (2021.0, 2026.75)
"""Software dates the drift was fitted on: it is not carried beyond them."""
SITE = "site_elsewhere"
"""Name of the additive coefficient of sites other than NVIDIA's."""
FUSED_EXPERTS = 2026.4
"""Date of the NVIDIA containers from which experts on Blackwell run fused and captured in graphs (26.06)."""
HOST_NORM = 4.0
"""Sharpness of the maximum of what the GPU and what the launching processor need."""
ACTIVATION = 2.0
"""Bytes of an activation on the wire and in memory (bf16)."""
EXPERT_COMM_SHOWN = 0.25
"""Share of expert traffic still seen where another micro-batch hides it (DualPipe): our judgement."""
RING_BEHIND_ATTENTION = 0.8
"""Share of core attention behind which keys and values travel around the ring: our judgement."""
SCORE_BYTES = 14.0
"""Bytes moved per attention score unfused: product, mask and softmax, dropout, product (read and written)."""
NORM_MOVES = 24.0
"""Values moved per hidden unit: two norms, two residual sums, forward and backward."""
PERMUTE_MOVES = 12.0
"""Values moved per routed hidden unit: out and back, forward and backward, read and written with indices."""
LOSS_BYTES = 60.0
"""Bytes moved per logit: cast to fp32, maximum, sum, softmax, gradient, cast back, not all fused."""
HOST_EFFICIENCY = 0.7
"""Share of the nominal rate of host memory and of the link to it that offloading reaches: our judgement."""
ADAM_BYTES = 32.0
"""Bytes moved per parameter: gradient, master weight and two moments read, three written, a bf16 copy."""


def step_parts(on: Cases, at: Layouts, c: Coefficients) -> dict[str, Array]:
    """Seconds of one step by cause, each of shape (n,). Their sum is the step time."""
    layer = _layer_parts(on, at, c)
    head = _head_time(on, at, c)
    stages = at.pp
    per_stage = on.layers / stages
    one = total(layer)
    tail = head + on.mtp * (one + head)
    mean = one * per_stage + tail / stages
    slow = _slowest_stage(on, at, one, tail)
    count = at.accumulation
    fill = _idle(on, at, layer, mean) * c["bubble"]
    parts = {name: value * per_stage * count for name, value in layer.items()}
    parts["head"] = tail / stages * count
    parts["imbalance"] = np.maximum(slow - mean, 0.0) * count
    parts["bubble"] = fill
    parts["pipeline_comm"] = _pipeline_comm(on, at, c) * count
    parts["data_comm"] = _data_comm(on, at, c, slow, fill)
    parts["optimizer"] = _optimizer(on, at, c["optimizer"]) + c["step_overhead"]
    parts["offload"] = _activation_traffic(on, at, mean) * count
    software = _software(on, c)
    spread = 1 + c["straggler"] * np.log2(np.maximum(at.gpus / 8, 1.0))
    parts = {name: value * software for name, value in parts.items()}
    parts["stragglers"] = total(parts) * (spread - 1)
    return parts


def _passes(on: Cases, at: Layouts) -> Array:
    """Passes of the weight matrices: forward, two backward, and what is recomputed."""
    full = np.where(at.recompute == 2, 1.0, 0.0)
    half = np.where((at.recompute == 1) & (on.by_product > 0), 0.5, 0.0)
    return np.asarray(3.0 + full + half - on.frozen)


def _idle(on: Cases, at: Layouts, layer: dict[str, Array], stage: Array) -> Array:
    """Seconds that a stage waits in the pipeline's fill and drain, `stage` being one micro-batch there and back.

    w is the time of the weights' gradients, which may wait. 1F1B: (p-1) stage / chunks. ZB-H1: (p-1) (stage - 2 w);
    ZB-V: (p-1) (stage - 3 w), arXiv 2401.10241 section 2.3, whose backward leaves w out. DualPipe: (p/2-1) (stage +
    backward - 3 w), arXiv 2412.19437 table 2, with a backward of two thirds of a stage."""
    one = (layer["matmul"] + layer["experts"]) / _passes(on, at) * on.layers / at.pp
    pair = np.maximum(stage * 5 / 3 - 3 * one, 0.0)
    by_schedule = {
        "1f1b": (at.pp - 1) * stage / at.vpp,
        "zb-h1": (at.pp - 1) * np.maximum(stage - 2 * one, 0.0),
        "zbv": (at.pp - 1) * np.maximum(stage - 3 * one, 0.0),
        "dualpipe": np.maximum(at.pp / 2 - 1, 0.0) * pair,
        "dualpipe-v": (at.pp - 1) * pair / 2,
    }
    return np.asarray(
        np.select([at.schedule == i for i in range(len(SCHEDULES))], list(by_schedule.values()))
    )


def step_time(on: Cases, at: Layouts, c: Coefficients) -> Array:
    """Seconds of one step."""
    return total(step_parts(on, at, c))


def _matmul(on: Cases, c: Coefficients, m: Array, n: Array, k: Array, passes: Array) -> Array:
    """A weight matrix forward (1 pass) and backward (2), with `passes` of them; plus the gradient it adds to.

    Soft roofline: FLOPs at the achieved rate, plus operands at memory bandwidth, plus a launch.
    """
    flops = 2 * m * n * k / (on.peak * _matmul_factor(on, c))
    moved = (2 * m * k + on.weight_bytes * n * k + 2 * m * n) * on.byte_factor / on.hbm
    accumulate = 2 * on.gradient_bytes * n * k / on.hbm * c["accumulate"] * (1 - on.frozen)
    traffic = moved * np.where(on.fp8 + on.fp4 > 0, c["operands_low"], c["operands"])
    return passes * (flops + traffic + on.launch) + accumulate


def _matmul_factor(on: Cases, c: Coefficients) -> Array:
    """Training over stand-alone kernel efficiency, by generation and precision."""
    base = np.where(
        on.ampere > 0, c["mm_ampere"], np.where(on.blackwell > 0, c["mm_blackwell"], c["mm_hopper"])
    )
    fp8 = np.where(on.blackwell > 0, c["fp8_blackwell"], c["fp8_hopper"])
    base = base * np.where(on.fp8 > 0, fp8, 1.0) * np.where(on.mxfp8 > 0, c["mxfp8"], 1.0)
    base = base * np.where(on.fp4 > 0, c["fp4"], 1.0)
    return base * np.where(on.capped > 0, c["capped"], 1.0)


def _layer_parts(on: Cases, at: Layouts, c: Coefficients) -> dict[str, Array]:
    """Seconds of one average layer, forward and backward of one micro-batch, by cause."""
    tokens = at.micro_batch * on.seq / at.cp
    full = np.where(at.recompute == 2, 1.0, 0.0)
    passes = _passes(on, at)
    dense = on.dense_layers / on.layers
    moe = on.moe_layers / on.layers
    fan = np.where(on.gated > 0, 2.0, 1.0)
    out: dict[str, Array] = {}
    out["matmul"] = _attention_matmuls(on, at, c, tokens, passes)
    out["matmul"] = out["matmul"] + dense * _mlp(on, c, tokens, on.ffn / at.tp, fan, passes)
    out["matmul"] = out["matmul"] + moe * (on.shared_ffn > 0) * _mlp(
        on, c, tokens, np.maximum(on.shared_ffn, 1.0) / at.tp, fan, passes
    )
    routed = tokens / at.tp * on.top_k
    local = np.maximum(on.experts / at.ep, 1.0)
    out["experts"] = moe * _experts(on, at, c, routed * on.imbalance, local, fan, passes)
    out["attention"] = _attention(on, at, c, tokens)
    out["pointwise"] = _pointwise(on, at, c, tokens, routed, dense, moe, fan, full)
    out["tensor_comm"] = _tensor_comm(on, at, c, tokens, full)
    out["expert_comm"] = moe * _expert_comm(on, at, c, routed * on.imbalance, full) * _ageing(on, c)
    out["context_comm"] = _context_comm(on, at, c, tokens, out["attention"])
    busy = total(out)
    host = (
        c["host_layer"] * np.where(on.eager > 0, c["host_eager"], 1.0)
        + moe * c["host_moe"] * _ageing(on, c) * np.where(on.dropping > 0, c["host_dropping"], 1.0)
    ) * (1 + full / 3)
    out["launch"] = (busy**HOST_NORM + host**HOST_NORM) ** (1 / HOST_NORM) - busy
    return out


def _ageing(on: Cases, c: Coefficients) -> Array:
    """How the costs peculiar to experts change with the date of the software, from 2025."""
    return np.asarray(np.exp(c["year_moe"] * (np.clip(on.year, *YEARS) - 2025.0)))


def _attention_matmuls(on: Cases, at: Layouts, c: Coefficients, tokens: Array, passes: Array) -> Array:
    """Projections around attention; latent attention has its low-rank pairs."""
    query = on.heads * on.score_dim
    plain = _matmul(on, c, tokens, (query + 2 * on.kv_heads * on.value_dim) / at.tp, on.hidden, passes)
    if np.any(on.mla > 0):
        rank = np.maximum(on.q_lora, 1.0)
        latent = on.kv_lora + on.rope_dim
        up = on.heads * (on.score_dim - on.rope_dim + on.value_dim)
        low = _matmul(on, c, tokens / at.tp, rank + latent, on.hidden, passes)
        low = low + _matmul(on, c, tokens, query / at.tp, rank, passes)
        low = low + _matmul(on, c, tokens, up / at.tp, np.maximum(on.kv_lora, 1.0), passes)
        plain = np.where(on.mla > 0, low, plain)
    return plain + _matmul(on, c, tokens, on.hidden, on.heads * on.value_dim / at.tp, passes)


def _mlp(on: Cases, c: Coefficients, m: Array, width: Array, fan: Array, passes: Array) -> Array:
    """Up (and gate) and down projections."""
    up = _matmul(on, c, m, fan * np.maximum(width, 1.0), on.hidden, passes)
    return up + _matmul(on, c, m, on.hidden, np.maximum(width, 1.0), passes)


def _experts(
    on: Cases, at: Layouts, c: Coefficients, routed: Array, local: Array, fan: Array, passes: Array
) -> Array:
    """Grouped matrix products of the local experts, with the load of the fullest GPU."""
    m = np.maximum(routed * at.etp / local, 1.0)
    each = _mlp(on, c, m, np.maximum(on.moe_ffn, 1.0) / at.etp, fan, passes)
    spared = (local - 1) * passes * 2 * on.launch * (1 - c["grouped_launch"])
    small = 1 + c["experts"] * 1024 * at.etp / np.maximum(on.moe_ffn, 1.0)
    return np.maximum(local * each - spared, 0.0) * small


def _attention(on: Cases, at: Layouts, c: Coefficients, tokens: Array) -> Array:
    """Core attention: fused kernels at a rate that grows with the sequence, or unfused through memory."""
    rate = on.attention_rate * on.seq / (on.seq + on.attention_half)
    factor = np.where(
        on.ampere > 0, c["att_ampere"], np.where(on.blackwell > 0, c["att_blackwell"], c["att_hopper"])
    )
    older = np.where(on.flash2 > 0, c["att_flash2"], np.where(on.foundry > 0, c["att_foundry"], 1.0))
    factor = factor * np.where(on.ampere > 0, 1.0, older)
    forward = 2 * tokens * on.span * on.heads / at.tp * (on.score_dim + on.value_dim) / (rate * factor)
    again = np.where((at.recompute == 2) | ((at.recompute == 1) & (on.by_product == 0)), 1.0, 0.0)
    fused = forward * (3.5 + again)
    if not np.any(on.eager > 0):
        return fused
    scores = tokens * on.seq * on.heads / at.tp
    flops = 4 * scores * on.score_dim / (on.peak * _matmul_factor(on, c)) * (3 + again)
    return np.where(
        on.eager > 0, flops + scores * SCORE_BYTES * (3 + again) / on.hbm * c["eager_bytes"], fused
    )


def _pointwise(
    on: Cases,
    at: Layouts,
    c: Coefficients,
    tokens: Array,
    routed: Array,
    dense: Array,
    moe: Array,
    fan: Array,
    full: Array,
) -> Array:
    """Norms, residuals, rotary embedding, activations, and the permutation of routed tokens: memory-bound."""
    cut = np.where(at.sequence_parallel > 0, at.tp, 1.0)
    hidden = tokens * on.hidden / cut * NORM_MOVES
    rotary = tokens * (on.heads * on.score_dim + 2 * on.kv_heads * on.value_dim) / at.tp * 4
    gate = np.where(on.gated > 0, 8.0, 5.0)
    mlp = tokens / at.tp * (dense * on.ffn + moe * on.shared_ffn) * gate
    expert = moe * routed * on.moe_ffn * gate
    permute = moe * routed * on.hidden * PERMUTE_MOVES * c["permute"] * _ageing(on, c)
    biased = moe * on.biased * routed * (on.moe_ffn * (fan + 1) + on.hidden) * 8 * c["biased_experts"]
    moved = (hidden + rotary + mlp + expert + permute + biased) * ACTIVATION * (1 + full / 3)
    unfused = np.where(on.eager > 0, c["unfused"], 1.0)
    return moved / on.hbm * c["pointwise"] * unfused


def _tensor_comm(on: Cases, at: Layouts, c: Coefficients, tokens: Array, full: Array) -> Array:
    """Two all-reduces (or gather and scatter pairs) a pass and layer; partly hidden where the engine can."""
    size = tokens * on.hidden * ACTIVATION
    one = 2 * collectives.gather(on, at.tp, np.ones_like(at.tp), size)
    shown = np.where(on.tp_overlap > 0, c["tp_overlapped"], c["tp_plain"])
    near = at.tp <= on.domain
    return one * (4 + 2 * full) * np.where(near, shown, c["tp_far"])


def _expert_comm(on: Cases, at: Layouts, c: Coefficients, routed: Array, full: Array) -> Array:
    """Dispatch and combine, forward and backward, and the gathering inside expert-tensor groups."""
    size = routed * on.hidden * ACTIVATION
    nodes = np.maximum(at.ep / collectives.per_node(on, at.ep, at.etp), 1.0)
    reached = distinct_nodes(nodes, on.top_k, on.expert_groups, on.routed_groups)
    copies = np.where(on.once_a_node > 0, reached / np.maximum(on.top_k, 1.0), 1.0)
    near = np.asarray(at.ep * at.etp <= on.domain)
    swap = collectives.all_to_all(on, at.ep, at.etp, size * np.where(near, 1.0, copies))
    inner = collectives.gather(on, at.etp, np.ones_like(at.etp), size * at.etp)
    far = np.where(on.fused_dispatch > 0, c["ep_far_fused"], c["ep_far"])
    hidden = (on.ep_overlap > 0) | (at.schedule >= SCHEDULES.index("dualpipe"))
    shown = np.where(near, c["ep_near"], far) * np.where(hidden, EXPERT_COMM_SHOWN, 1.0)
    return np.asarray((swap * shown + inner) * (4 + full))


def distinct_nodes(nodes: Array, top_k: Array, groups: Array, used: Array) -> Array:
    """Expected number of different nodes among the `top_k` experts of a token, drawn evenly over `nodes` nodes.

    A router that draws them from `used` of `groups` groups, laid out in order over the nodes (DeepSeek-V3), reaches
    fewer: a node without any of the drawn groups is left out. Every drawn group is taken as used."""
    free = nodes * (1 - (1 - 1 / nodes) ** top_k)
    if not np.any(groups):
        return np.asarray(free)
    each = np.maximum(groups / nodes, 1.0)  # groups of a node; a group may span nodes
    missed = np.ones_like(free * groups)
    for drawn in range(int(np.max(used))):
        left = np.maximum(groups - each - drawn, 0.0) / np.maximum(groups - drawn, 1.0)
        missed = missed * np.where(drawn < used, left, 1.0)
    spans = np.maximum(nodes / np.maximum(groups, 1.0), 1.0)  # nodes of a group
    limited = np.minimum(nodes, np.maximum(groups, 1.0)) * (1 - missed) * spans
    return np.asarray(np.where(groups > 0, np.minimum(free, limited), free))


def _context_comm(on: Cases, at: Layouts, c: Coefficients, tokens: Array, attention: Array) -> Array:
    """Keys and values around the ring: hidden behind attention but for what is longer, and a share."""
    size = tokens * (on.kv_heads * (on.score_dim + on.value_dim)) / at.tp * ACTIVATION
    ring = 3 * size * (at.cp - 1) / collectives.bus_bandwidth(on, at.cp, at.tp)
    over = np.maximum(ring - attention * RING_BEHIND_ATTENTION, 0.0)
    return np.where(at.cp > 1, over + ring * c["cp_exposed"], 0.0)


def _head_time(on: Cases, at: Layouts, c: Coefficients) -> Array:
    """Output projection and loss of one micro-batch, on the last stage.

    Multi-token-prediction layers add a layer and a head each there: see `step_parts`.
    """
    tokens = at.micro_batch * on.seq / at.cp
    project = _matmul(on, c, tokens, on.vocab / at.tp, on.hidden, np.array(3.0))
    return project + tokens * on.vocab / at.tp * LOSS_BYTES / on.hbm * c["loss"]


def _slowest_stage(on: Cases, at: Layouts, layer: Array, tail: Array) -> Array:
    """The stage everyone waits for: one with a layer more than the mean, or the last one with the head.

    Where neither the layers nor the layers and two divide by the chunks, layers are placed so that the last stage,
    which has the head, gets as many as suit it (as DeepSeek-V3 and NVIDIA's recipes of it do)."""
    chunks = at.pp * at.vpp
    spare = (on.layers % chunks != 0) & ((on.layers + 2) % chunks == 0)
    most = np.where(spare, (on.layers + 2) / at.pp, np.ceil(on.layers / at.pp))
    last = np.where(spare, most - 1, np.where(on.layers % at.pp == 0, most, np.floor(on.layers / at.pp)))
    even = np.maximum(most * layer, last * layer + tail)
    free = ~spare & (on.layers % at.pp != 0)
    if not np.any(free):
        return np.asarray(even)
    # without interleaving an engine is given the last stage's layers, the others hold the same number
    left = on.layers - np.ceil(on.layers / at.pp) * (at.pp - 1)
    given = free & (at.vpp == 1) & (left > 0)
    even = np.where(given, np.maximum(np.ceil(on.layers / at.pp) * layer, left * layer + tail), even)
    free = free & ~given
    suits = ((on.layers * layer + tail) / at.pp - tail) / layer

    def slowest(kept: Array) -> Array:
        others = np.ceil((on.layers - kept) / np.maximum(at.pp - 1, 1.0))
        return np.maximum(others * layer, kept * layer + tail)

    low = np.clip(np.floor(suits), 0.0, last)
    return np.where(free, np.minimum(slowest(low), slowest(np.minimum(low + 1, last))), even)


def _pipeline_comm(on: Cases, at: Layouts, c: Coefficients) -> Array:
    """Activations and their gradients between stages, for one micro-batch."""
    cut = np.where(at.sequence_parallel > 0, at.tp, 1.0)
    size = at.micro_batch * on.seq / at.cp * on.hidden / cut * ACTIVATION
    one = collectives.point_to_point(on, at.tp * at.cp * at.dp, size)
    shown = np.where(at.vpp > 1, c["pp_interleaved"], c["pp_plain"])
    return np.where(at.pp > 1, 2 * at.vpp * one * shown, 0.0)


def _data_comm(on: Cases, at: Layouts, c: Coefficients, stage: Array, fill: Array) -> Array:
    """Gradients and parameters among replicas: once a step, or every micro-batch under FSDP."""
    group, stride = at.dp * at.cp, at.tp
    cut = np.maximum(at.tp * at.cp * at.dp / (at.ep * at.etp), 1.0)
    dense = on.other_params / (at.tp * at.pp)
    expert = on.expert_params / (at.ep * at.etp * at.pp)

    def once(bytes_each: Array) -> Array:
        calls = np.where(at.zero >= 2, on.layers / at.pp, 1.0)
        plain = collectives.gather(on, group, stride, dense * bytes_each, calls)
        return plain + collectives.gather(on, cut, at.ep * at.etp, expert * bytes_each, calls)

    reduce, collect = once(on.gradient_bytes), once(np.array(ACTIVATION))
    hidden = np.where(on.dp_overlap > 0, c["dp_hidden"], 0.0) * (stage + fill)
    total = reduce + collect
    bulk = np.maximum(total - hidden, 0.0) + c["dp_exposed"] * np.minimum(total, hidden)
    count = at.accumulation
    gathers = np.where(at.zero == 2, 1.0, 2.0)
    each = gathers * collect + once(np.array(ACTIVATION))
    count = np.where(at.pp > 1, 1.0, count)
    sharded = count * (np.maximum(each - c["fsdp_hidden"] * stage, 0.0) + c["fsdp_exposed"] * each)
    return np.where((at.zero >= 2) & (group > 1), sharded, bulk)


def _optimizer(on: Cases, at: Layouts, factor: float) -> Array:
    """Adam over the share of this GPU, at memory bandwidth; offloaded, at the host's, or as fast as gradients and
    weights cross the link to it."""
    cut = np.where(at.zero >= 1, at.dp * at.cp, 1.0)
    expert_cut = np.where(at.zero >= 1, np.maximum(at.tp * at.cp * at.dp / (at.ep * at.etp), 1.0), 1.0)
    share = on.other_params / (at.tp * at.pp * cut) + on.expert_params / (at.ep * at.etp * at.pp * expert_cut)
    away = share * np.maximum(
        ADAM_BYTES / on.host_memory, np.maximum(on.gradient_bytes, ACTIVATION) / on.host_link
    )
    here = share * ADAM_BYTES / on.hbm * factor
    return np.asarray(np.where(offloads_optimizer(at), away / HOST_EFFICIENCY, here))


def _activation_traffic(on: Cases, at: Layouts, stage: Array) -> Array:
    """Seconds a micro-batch waits for activations on their way to host memory and back: what is longer than the
    forward pass (a third of `stage`), and than the backward pass."""
    one = kept_per_layer(on, at) * on.layers / at.pp / on.host_link / HOST_EFFICIENCY
    late = np.maximum(one - stage / 3, 0.0) + np.maximum(one - stage * 2 / 3, 0.0)
    return np.asarray(np.where(offloads_activations(at), late, 0.0))


def _software(on: Cases, c: Coefficients) -> Array:
    """Engine, its date and the site: a factor for the engine, a drift in years from 2025, one known leap, and a
    factor for sites other than those the engine was measured at."""
    factor = np.array([c.get(f"engine:{name}", 0.0) for name in on.engine])
    fused = (on.moe_layers > 0) & (on.blackwell > 0) & (on.year > FUSED_EXPERTS)
    step = np.where(fused, c["fused_experts"], 1.0)
    return np.asarray(
        step
        * np.exp(
            c["year_dense"] * (np.clip(on.year, *YEARS) - 2025.0) + factor + c.get(SITE, 0.0) * on.elsewhere
        )
    )
