"""GPUs, layout and price to serve a rate of requests within latency limits.

The queue: continuous batching on replicas of a model, either mixed (each replica prefills and decodes)
or split (prefill workers feed decode workers). `serving_roofline` times forward passes. Rates are averages of
Poisson arrivals with fixed prompt and answer lengths; times are means, not tails.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import Gpu, PlanError
from trinch.planner.perf.serving_roofline import WEIGHT_BYTES, forward_s, weight_gb
from trinch.planner.perf.workload import Workload
from trinch.planner.simulate.run_simulation import Floats

BATCHES = np.unique(np.round(2 ** np.arange(0, 10.01, 0.125)))


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked: requests a second, tokens in and out of each, and the latency promised (ms).

    `reuse` is the share of a prompt that is in the cache already. `draft` tokens are proposed before each step and
    each is accepted with probability `acceptance` (speculative decoding)."""

    requests_per_s: float
    prompt: int
    answer: int
    ttft_ms: float = 2000.0
    tpot_ms: float = 50.0
    reuse: float = 0.0
    draft: int = 0
    acceptance: float = 0.8

    def __post_init__(self) -> None:
        for name in ("requests_per_s", "prompt", "answer", "ttft_ms", "tpot_ms"):
            value = getattr(self, name)
            if not 0 < value < 1e12:
                raise PlanError(f"{name.replace('_', ' ')} must be above zero, not {value:g}")
        if not 0 <= self.reuse < 1:
            raise PlanError(
                f"reuse is the share of a prompt that is cached, from 0 to below 1, not {self.reuse:g}"
            )
        if not 0 <= self.draft <= 16:
            raise PlanError(f"{self.draft} draft tokens: give 0 to 16")
        if not 0 < self.acceptance < 1:
            raise PlanError(f"acceptance is a probability between 0 and 1, not {self.acceptance:g}")

    @property
    def accepted(self) -> float:
        """Expected tokens of one step: the first rejected draft token is replaced (arXiv 2211.17192 equation 1)."""
        return (1 - self.acceptance ** (self.draft + 1)) / (1 - self.acceptance) if self.draft else 1.0

    @property
    def read(self) -> float:
        """Tokens of a prompt that must be read."""
        return max(1.0, self.prompt * (1 - self.reuse))


@dataclass(frozen=True, slots=True)
class Served:
    """One way to serve the demand. Times in milliseconds; `batch` sequences decode together on a replica.

    With `ep` > 1 a replica is `ep` GPUs that share the experts and keep `batch` sequences each."""

    mode: str
    precision: str
    tp: int
    pp: int
    batch: int
    replicas: int
    prefill_replicas: int
    gpus: int
    ttft_ms: float
    tpot_ms: float
    tokens_per_s_per_gpu: float
    requests_per_s_max: float
    memory_gb: float
    usd_per_million_tokens: float | None
    ep: int = 1
    prefill_ep: int = 1

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def sizes(model: Workload, gpu: Gpu, precision: str) -> list[tuple[int, int]]:
    """The (TP, PP) on which the weights and one sequence may fit: TP within the NVLink domain, PP beyond."""
    facts = table("serving")
    room = facts["memory_fraction"].value * gpu.memory_gb - facts["activation_gb"].value
    widest = min(gpu.nvlink_domain, 8)
    tps = [tp for tp in (1, 2, 4, 8) if tp <= widest and model.heads % tp == 0]
    fit = [(tp, 1) for tp in tps if weight_gb(model, precision) / tp < room]
    if fit:
        return fit
    return [
        (tps[-1], pp)
        for pp in (2, 4, 8, 16)
        if model.layers % pp == 0 and weight_gb(model, precision) / (tps[-1] * pp) < room
    ][:1]


def replica_gb(
    model: Workload, tp: int, pp: int, batch: Floats, length: int, precision: str, kv: float
) -> Floats:
    """Memory of the fullest GPU of a replica: weights, cache of `batch` sequences, activations."""
    held = 1.0 if model.mla else max(model.kv_heads / tp, 1) / model.kv_heads
    cache = batch * length * held * model.kv_bytes_per_token(kv) / pp
    reserve = table("serving")["activation_gb"].value
    return np.asarray(weight_gb(model, precision) / (tp * pp) + cache / 1e9 + reserve)


def decode_s(
    model: Workload,
    gpu: Gpu,
    tp: int,
    pp: int,
    batch: Floats,
    context: float,
    precision: str,
    kv: float,
    draft: int = 0,
) -> Floats:
    """Seconds of one decode step of `batch` sequences, which proposes and checks `draft` tokens of each. With pipeline stages each stage holds 1/pp of the
    batch, and a token passes all stages."""
    each = np.maximum(1.0, batch / pp)
    new, before = np.full_like(each, 1.0 + draft), np.full_like(each, context)
    one = forward_s(model, gpu, tp, each, new, before, precision, kv)
    return np.asarray(one * drafting(model, draft))


def drafting(model: Workload, draft: int) -> float:
    """Time of a step with the proposal of `draft` tokens over that without: each runs about one layer."""
    return 1 + draft / model.layers


def options(
    model: Workload,
    gpu: Gpu,
    demand: Demand,
    precision: str = "bf16",
    kv_bytes: float = 2.0,
    usd_per_gpu_hour: float | None = None,
) -> list[Served]:
    """Every layout that meets the demand, cheapest in GPUs first. PlanError says why none does."""
    if precision not in WEIGHT_BYTES:
        raise PlanError(f"unknown serving precision {precision!r}: use {', '.join(WEIGHT_BYTES)}")
    gpu.peak_tflops(precision)
    fitting = sizes(model, gpu, precision)
    if not fitting:
        least = int(np.ceil(weight_gb(model, precision) / gpu.memory_gb))
        raise PlanError(
            f"{model.name} in {precision} is {weight_gb(model, precision):,.0f} GB, {least} {gpu.name} "
            "or more, and no layout of up to 16 stages holds it: use a lower precision or larger GPUs"
        )
    facts = table("serving")
    load, room = facts["target_load"].value, facts["memory_fraction"].value * gpu.memory_gb
    length = demand.prompt + demand.answer
    found: list[Served] = []
    nearest: tuple[float, str] = (np.inf, "")
    for tp, pp in fitting:
        memory = replica_gb(model, tp, pp, BATCHES, length, precision, kv_bytes)
        fits = memory <= room
        if not fits.any():
            continue
        batch, memory = BATCHES[fits], memory[fits]
        context = demand.prompt + demand.answer / 2
        step = (
            decode_s(model, gpu, tp, pp, batch, context, precision, kv_bytes, demand.draft) / demand.accepted
        )
        # What a decode step shares with a prompt read in the same pass: weights, launches, reductions.
        shared = decode_s(model, gpu, tp, pp, batch, 0.0, precision, kv_bytes, demand.draft) / demand.accepted
        one = np.array(1.0)
        cached = demand.prompt - demand.read
        prefill = float(forward_s(model, gpu, tp, one, one * demand.read, one * cached, precision, kv_bytes))
        for mode in ("mixed", "split"):
            served = _serve(mode, demand, batch, step, prefill, shared, load, pp)
            ttft, tpot, per_replica, decoders, prefillers = served
            good = (ttft * 1e3 <= demand.ttft_ms) & (tpot * 1e3 <= demand.tpot_ms)
            short = np.maximum(ttft * 1e3 / demand.ttft_ms, tpot * 1e3 / demand.tpot_ms)
            i = int(np.argmin(short))
            if short[i] < nearest[0]:
                nearest = (
                    float(short[i]),
                    f"TTFT {ttft[i] * 1e3:,.0f} ms and TPOT {tpot[i] * 1e3:,.1f} ms on TP{tp}",
                )
            gpus = (decoders + prefillers) * tp * pp
            for i in map(int, np.flatnonzero(good)):
                tokens = demand.requests_per_s * demand.answer
                price = usd_per_gpu_hour
                found.append(
                    Served(
                        mode=mode,
                        precision=precision,
                        tp=tp,
                        pp=pp,
                        batch=int(batch[i]),
                        replicas=int(decoders[i]),
                        prefill_replicas=int(prefillers[i]),
                        gpus=int(gpus[i]),
                        ttft_ms=float(ttft[i]) * 1e3,
                        tpot_ms=float(tpot[i]) * 1e3,
                        tokens_per_s_per_gpu=float(tokens / gpus[i]),
                        requests_per_s_max=float(per_replica[i] * decoders[i]),
                        memory_gb=float(memory[i]),
                        usd_per_million_tokens=None
                        if price is None
                        else float(gpus[i] * price / 3.6e-3 / tokens),
                    )
                )
    if not found:
        if not nearest[1]:
            raise PlanError(
                f"no {gpu.name} layout of {model.name} in {precision} holds one sequence of "
                f"{length:,} tokens: shorten it, use fp8, or a GPU with more memory"
            )
        raise PlanError(
            f"no layout of {model.name} on {gpu.name} is that fast; the nearest gives {nearest[1]}"
        )
    return sorted(found, key=lambda s: (s.gpus, s.ttft_ms / demand.ttft_ms + s.tpot_ms / demand.tpot_ms))


def _serve(
    mode: str,
    demand: Demand,
    batch: Floats,
    step: Floats,
    prefill: float,
    shared: Floats,
    load: float,
    pp: int,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """(TTFT, TPOT, requests/s of a decode replica, decode replicas, prefill replicas) for each batch.

    Mixed: while a full batch writes its answers, as many prompts are read, each in a pass that also
    decodes: a request holds its place for answer x step + batch x (prefill - shared) seconds.
    Split: prefill workers are M/D/1 queues at `load`."""
    if mode == "mixed":
        passes = np.minimum(batch, demand.answer)  # no more prompts can ride along than there are passes
        holds = demand.answer * step + batch * prefill / pp - passes * np.minimum(shared, prefill / pp)
        rate = load * batch / holds
        busy = np.minimum(rate * prefill / pp, 0.95)
        ttft = prefill + step + busy * prefill / (2 * (1 - busy))
        replicas = np.ceil(demand.requests_per_s / rate)
        return ttft, holds / demand.answer, rate, replicas, np.zeros_like(batch)
    facts = table("serving")  # workers apart never match their rates exactly
    rate = load * facts["split_decode"].value * batch / (demand.answer * step)
    replicas = np.ceil(demand.requests_per_s / rate)
    offered = demand.requests_per_s * prefill / pp / facts["split_prefill"].value
    readers = np.ceil(offered / load)
    busy = offered / readers
    ttft = np.full_like(batch, prefill + busy * prefill / (2 * (1 - busy))) + step
    return ttft, step, rate, replicas, np.full_like(batch, readers)
