"""One GPU: what of the model and the trainer only a GPU can show.

    python -m benchmarks.gpu            every measure on this machine's GPU, as JSON lines
    python -m benchmarks.gpu --dry      the same code in miniature on a processor: that it runs, no speed
    python -m benchmarks.gpu --list     what is measured

Times are medians of repeated forward and backward passes by the GPU's own clock, after two that do not count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from trinch.model.config import GrokConfig, get_config
from trinch.model.custom_gradients import capped_attention, gated_gelu, grouped_matmul
from trinch.model.flex import capped_flex_attention, causal_mask
from trinch.model.grok import Block, Grok
from trinch.training.chunked_loss import token_losses
from trinch.training.throughput import PEAK, flops_per_token

Step = Callable[[], Tensor]
"""One forward pass; returns what is differentiated."""


@dataclass(frozen=True)
class Scale:
    """Sizes of one run."""

    device: str
    dtype: torch.dtype
    sequence: int
    rounds: int
    grok: GrokConfig
    layers: int


FULL = Scale("cuda", torch.bfloat16, 8192, 10, get_config("grok-1"), 1)
DRY = Scale("cpu", torch.float32, 48, 1, replace(get_config("tiny"), vocab_size=256, hidden_size=64), 1)


@dataclass(frozen=True)
class Case:
    """One thing to measure."""

    name: str
    what: str
    build: Callable[[Scale], Step]


def _attention(flex: bool) -> Callable[[Scale], Step]:
    def build(scale: Scale) -> Step:
        config = scale.grok
        heads, keys = config.num_heads, config.num_kv_heads
        query = _random(scale, 1, keys, heads // keys, scale.sequence, config.head_dim, dtype=torch.float32)
        key, value = (_random(scale, 1, keys, scale.sequence, config.head_dim) for _ in range(2))
        given = None, config.attention_scale, config.attention_softcap
        if not flex:
            return lambda: capped_attention(query, key, value, None, *given)
        mask = causal_mask(scale.sequence, query.device)
        with torch.no_grad():
            capped_flex_attention(query.detach(), key.detach(), value.detach(), mask, *given)
        if scale.device == "cpu":  # where FlexAttention has no backward pass: the values only
            return lambda: capped_flex_attention(
                query.detach(), key.detach(), value.detach(), mask, *given
            ).requires_grad_()
        return lambda: capped_flex_attention(query, key, value, mask, *given)

    return build


def _loss(chunked: bool) -> Callable[[Scale], Step]:
    def build(scale: Scale) -> Step:
        config = scale.grok
        h = _random(scale, 1, scale.sequence, config.hidden_size, dtype=torch.float32)
        weight = _random(scale, config.vocab_size, config.hidden_size)
        targets = torch.randint(0, config.vocab_size, (1, scale.sequence), device=scale.device)

        def head(rows: Tensor, weight: Tensor) -> Tensor:
            return F.linear(rows.to(weight.dtype), weight)

        def plain() -> Tensor:
            return F.cross_entropy(head(h, weight).flatten(0, 1).float(), targets.flatten(), reduction="sum")

        return (lambda: token_losses(h, weight, targets, head).nll.sum()) if chunked else plain

    return build


def _experts(scale: Scale) -> Step:
    config = scale.grok
    rows = _random(scale, scale.sequence * config.num_experts_per_token, config.hidden_size)
    e, d, f = config.num_experts, config.hidden_size, config.moe_intermediate_size
    gate, up, down = _random(scale, e, d, f), _random(scale, e, d, f), _random(scale, e, f, d)
    counts = torch.full((e,), len(rows) // e, device=scale.device)

    def step() -> Tensor:
        inner = gated_gelu(grouped_matmul(rows, gate, counts), grouped_matmul(rows, up, counts))
        return grouped_matmul(inner, down, counts)

    return step


def _block(**flags: bool) -> Callable[[Scale], Step]:
    def build(scale: Scale) -> Step:
        with torch.device(scale.device):
            model = Grok(replace(scale.grok, num_layers=scale.layers, vocab_size=256), scale.dtype)
        model.cast(scale.dtype)
        for block in model.layers.values():
            assert isinstance(block, Block)
            for name, value in flags.items():
                setattr(block, name, value)
        tokens = torch.randint(0, 256, (1, scale.sequence), device=scale.device)
        return lambda: model(tokens)

    return build


CASES = (
    Case("attention-flex", "capped attention by FlexAttention, one layer's heads", _attention(True)),
    Case("attention-loop", "the same by the block loop", _attention(False)),
    Case("loss-chunked", "head and cross entropy a chunk of tokens at a time", _loss(True)),
    Case("loss-plain", "the same with logits of all tokens", _loss(False)),
    Case("experts", "the experts' products, rows evenly spread", _experts),
    Case("block", "a whole block, tokens to logits of a small vocabulary", _block()),
    Case("block-compiled", "the same through torch.compile", _block(compiled=True)),
    Case("block-recomputed", "the same with recomputation", _block(recompute=True)),
)


def _random(scale: Scale, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
    x = torch.randn(shape, device=scale.device, dtype=dtype or scale.dtype) * shape[-1] ** -0.5
    return x.requires_grad_()


def seconds_of(step: Step, scale: Scale) -> float:
    """Seconds of one forward and backward pass."""
    if scale.device == "cpu":
        begin = time.perf_counter()
        _there_and_back(step)
        return time.perf_counter() - begin
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    _there_and_back(step)
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000


def _there_and_back(step: Step) -> None:
    out = step()
    out.backward(torch.ones_like(out))


def measured(cases: tuple[Case, ...], scale: Scale) -> Iterator[dict[str, object]]:
    """A row for each case; one that fails, for want of memory perhaps, says so and stops no other."""
    cuda = scale.device == "cuda"
    for case in cases:
        row: dict[str, object] = {"case": case.name, "what": case.what, "sequence": scale.sequence}
        try:
            if cuda:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            step = case.build(scale)
            times = [seconds_of(step, scale) for _ in range(scale.rounds + 2)][2:]
            row["seconds"] = statistics.median(times)
            if cuda:
                row["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
                row |= _utilization(case, scale, statistics.median(times))
        except Exception as error:
            row["failed"] = f"{type(error).__name__}: {error}"[:300]
        yield row


def _utilization(case: Case, scale: Scale, seconds: float) -> dict[str, object]:
    """Tokens a second, and the model's FLOP/s over the GPU's, of whole blocks."""
    if not case.name.startswith("block"):
        return {}
    peak = next((peak for name, peak in PEAK.items() if name in torch.cuda.get_device_name()), 0.0)
    few = replace(scale.grok, num_layers=scale.layers, vocab_size=256)
    speed = scale.sequence / seconds
    mfu = speed * flops_per_token(few, scale.sequence) / peak if peak else None
    return {"tokens_per_s": speed, "mfu": mfu}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help="which (see --list); all where none is named"
    )
    parser.add_argument("--dry", action="store_true", help="in miniature on a processor")
    parser.add_argument("--list", action="store_true", help="print what is measured")
    parser.add_argument("--layers", type=int, default=FULL.layers, help="layers of Grok-1 in the block cases")
    given = parser.parse_args()
    if unknown := set(given.cases) - {case.name for case in CASES}:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if given.list:
        for case in CASES:
            print(f"{case.name:18} {case.what}")
        return
    if not given.dry and not torch.cuda.is_available():
        parser.error("this machine has no GPU: nothing is measured; --dry runs the same in miniature")
    scale = DRY if given.dry else replace(FULL, layers=given.layers)
    if scale.dtype is torch.bfloat16:
        torch.set_float32_matmul_precision("high")  # as training does
    where = "dry run on a processor: no speeds" if given.dry else torch.cuda.get_device_name()
    print(json.dumps({"device": where, "torch": torch.__version__}))
    chosen = tuple(case for case in CASES if not given.cases or case.name in given.cases)
    failed = False
    for row in measured(chosen, scale):
        failed |= "failed" in row
        print(json.dumps(row), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
