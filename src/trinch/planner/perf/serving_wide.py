"""Serving a mixture of experts over many nodes: every GPU keeps the attention of its own requests and a share of the
experts (data-parallel attention, wide expert parallelism); prefill and decode run on GPUs apart.

A pass takes (arithmetic and memory + dispatch and combine) / gain of overlapping two batches, and no less than the
longer of the two. Sources of the constants: data/serving.csv (`wide_*`, `dispatch_*`).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import Gpu
from trinch.planner.perf.hardware import table as raw_table
from trinch.planner.perf.serving import BATCHES, Demand, Served, drafting
from trinch.planner.perf.serving_roofline import WEIGHT_BYTES, forward_s
from trinch.planner.perf.step_time import distinct_nodes
from trinch.planner.perf.workload import Workload
from trinch.planner.simulate.run_simulation import Floats

SIZES = (8, 16, 32, 48, 64, 72, 96, 128, 144, 192, 256, 320)
DISPATCH_BYTES, COMBINE_BYTES = 1.0, 2.0
"""fp8 to the experts, bf16 back."""


def supported(model: Workload) -> bool:
    """Can SGLang serve it so? data/wide_serving.csv lists the families."""
    names = [row["match"] for row in raw_table("wide_serving.csv")]
    return bool(model.experts) and any(name in model.name.lower() for name in names)


def experts_each(model: Workload, ep: int) -> tuple[int, int]:
    """(experts a GPU holds, redundant copies in all) for `ep` GPUs."""
    local = math.ceil(model.experts / ep)
    return local, local * ep - model.experts


def exchange_s(model: Workload, gpu: Gpu, ep: int, tokens: Floats, once_a_node: bool) -> Floats:
    """Seconds in which every layer's tokens travel to their experts and back; `tokens` a GPU."""
    facts = table("serving")
    each = model.hidden * (DISPATCH_BYTES + COMBINE_BYTES)
    if ep <= gpu.nvlink_domain:
        rate, copies = facts["dispatch_near"].value * gpu.nvlink_gbs * 1e9, float(model.top_k)
    elif once_a_node:
        counts = (ep / gpu.nvlink_domain, model.top_k, model.expert_groups, model.routed_groups)
        rate = facts["dispatch_normal"].value * gpu.nic_gbits / 8 * 1e9
        copies = float(distinct_nodes(*(np.array(float(count)) for count in counts)))
    else:
        rate, copies = facts["dispatch_low_latency"].value * gpu.nic_gbits / 8 * 1e9, float(model.top_k)
    layer = tokens * copies * each / rate + facts["dispatch_start_s"].value
    return np.asarray(layer * facts["wide_imbalance"].value * model.moe_layers)


def pass_s(
    model: Workload,
    gpu: Gpu,
    ep: int,
    batch: Floats,
    new: Floats,
    context: Floats,
    precision: str,
    kv_bytes: float,
    phase: str,
) -> Floats:
    """Seconds of one pass of `batch` sequences a GPU with `new` tokens each; `phase` is prefill or decode."""
    facts = table("serving")
    uneven = facts["wide_imbalance"].value
    work = forward_s(model, gpu, 1, batch, new, context, precision, kv_bytes, ep=ep, imbalance=uneven)
    wire = exchange_s(model, gpu, ep, batch * new, phase == "prefill")
    return np.maximum((work + wire) / facts[f"wide_overlap_{phase}"].value, np.maximum(work, wire))


def replica_gb(
    model: Workload, ep: int, batch: Floats, length: int, precision: str, kv_bytes: float
) -> Floats:
    """Memory of a GPU: everything but the experts whole, its experts, the cache of `batch` sequences."""
    weight = WEIGHT_BYTES[precision]
    tables = model.hidden * model.vocab * (1 if model.tied else 2)
    experts = model.moe_layers * model.experts * model.expert_weights()
    local, _ = experts_each(model, ep)
    held = model.moe_layers * local * model.expert_weights()
    fixed = (model.parameters() - experts - tables + held) * weight + tables * 2
    return np.asarray(
        (fixed + batch * length * model.kv_bytes_per_token(kv_bytes)) / 1e9
        + table("serving")["activation_gb"].value
    )


@dataclass(frozen=True, slots=True)
class _Prefill:
    """A prefill group: GPUs, prompts a second of all of them, seconds of a pass."""

    ep: int
    prompts_per_s: float
    seconds: float


def _sizes(model: Workload, gpu: Gpu) -> Iterator[int]:
    yield from (ep for ep in SIZES if ep <= model.experts * 1.25 and ep % min(8, gpu.gpus_per_node) == 0)


def _best_prefill(
    model: Workload, gpu: Gpu, demand: Demand, precision: str, kv_bytes: float, room: float
) -> _Prefill | None:
    """The group that reads most prompts a GPU and second while half a pass of waiting and a pass keep to the TTFT."""
    longest = table("serving")["wide_chunk"].value
    found = []
    for ep in _sizes(model, gpu):
        for chunk in (longest, longest / 2, longest / 4, longest / 8):
            prompts = np.array(max(1.0, chunk / demand.read))
            if float(replica_gb(model, ep, prompts, demand.prompt, precision, kv_bytes)) > room:
                continue
            new = np.full_like(prompts, demand.read)
            cached = np.full_like(prompts, demand.prompt - demand.read)
            seconds = float(pass_s(model, gpu, ep, prompts, new, cached, precision, kv_bytes, "prefill"))
            if 1.5e3 * seconds < demand.ttft_ms:
                found.append(_Prefill(ep, float(prompts) * ep / seconds, seconds))
    return max(found, key=lambda group: group.prompts_per_s / group.ep, default=None)


def wide_options(
    model: Workload, gpu: Gpu, demand: Demand, precision: str, kv_bytes: float, usd_per_gpu_hour: float | None
) -> list[Served]:
    """Every size of decode group that meets the demand, cheapest in GPUs first; none where the model or GPU cannot."""
    if not supported(model) or (precision != "bf16" and not gpu.fp8_tflops):
        return []
    facts = table("serving")
    room, load = facts["memory_fraction"].value * gpu.memory_gb, facts["target_load"].value
    reading = _best_prefill(model, gpu, demand, precision, kv_bytes, room)
    if reading is None:
        return []
    readers = math.ceil(demand.requests_per_s / (reading.prompts_per_s * facts["split_prefill"].value * load))
    found = []
    for ep in _sizes(model, gpu):
        memory = replica_gb(model, ep, BATCHES, demand.prompt + demand.answer, precision, kv_bytes)
        batch, memory = BATCHES[memory <= room], memory[memory <= room]
        if not len(batch):
            continue
        new = np.full_like(batch, 1.0 + demand.draft)
        context = np.full_like(batch, demand.prompt + demand.answer / 2)
        step = pass_s(model, gpu, ep, batch, new, context, precision, kv_bytes, "decode")
        step = step * drafting(model, demand.draft) / demand.accepted
        rate = load * facts["split_decode"].value * batch * ep / (demand.answer * step)
        groups = np.ceil(demand.requests_per_s / rate)
        ttft = 1.5 * reading.seconds + step
        good = (ttft * 1e3 <= demand.ttft_ms) & (step * 1e3 <= demand.tpot_ms)
        gpus = groups * ep + readers * reading.ep
        tokens = demand.requests_per_s * demand.answer
        for i in map(int, np.flatnonzero(good)):
            found.append(
                Served(
                    mode="wide",
                    precision=precision,
                    tp=1,
                    pp=1,
                    batch=int(batch[i]),
                    replicas=int(groups[i]),
                    prefill_replicas=readers,
                    gpus=int(gpus[i]),
                    ttft_ms=float(ttft[i]) * 1e3,
                    tpot_ms=float(step[i]) * 1e3,
                    tokens_per_s_per_gpu=float(tokens / gpus[i]),
                    requests_per_s_max=float(rate[i] * groups[i]),
                    memory_gb=float(memory[i]),
                    usd_per_million_tokens=None
                    if usd_per_gpu_hour is None
                    else float(gpus[i] * usd_per_gpu_hour / 3.6e-3 / tokens),
                    ep=ep,
                    prefill_ep=reading.ep,
                )
            )
    return sorted(found, key=lambda s: (s.gpus, s.tpot_ms))
