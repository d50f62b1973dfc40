"""Speed and memory of the model beside its peers, interleaved in one run.

Run `python -m benchmarks.model [--json FILE] [--rounds N] [--threads N]`. Needs `trinch[train]` and transformers.

One training step (forward, backward, fused AdamW; cross-entropy over the whole vocabulary) of the same size and, but
for a ten-thousandth, the same number of parameters:

  grok            this project's Grok-1 block: four norms, capped scores, GELU
  grok, no cap    the same without the cap on attention scores: what the cap costs
  grok, loop      the same with a plain loop over the experts
  mixtral         Hugging Face Mixtral, experts by grouped matmul, fused attention: two norms, no caps, SiLU
  mixtral, eager  the same, experts by its loop, attention by its plain code

Every round runs each model once, in turn, so that a busy moment hits all alike; the ratio is that of the
medians of processor time (all threads), and of the best. Memory is what forward and backward need at their
peak on top of weights, gradients and optimizer, each model alone in a process of its own (Linux only).
Generation is that of the Grok, with and without its cache.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from benchmarks.machine import Options, Row
from trinch.model.config import CONFIGS, GrokConfig
from trinch.model.generate import Sampling, generate_tokens
from trinch.model.grok import Experts, Grok

BATCH, LENGTH = 4, 256
CONFIG: GrokConfig = replace(
    CONFIGS["small"],
    num_heads=4,
    head_dim=64,
    intermediate_size=0,
    router_softcap=0.0,
    final_softcap=0.0,
    attention_temperature_len=0,
)
"""Grok-1's block, with an untied head as Mixtral has."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class LoopExperts(Experts):
    """What one would write first: each expert's rows through its matrices, in a loop."""

    def forward(self, x: Tensor, counts: Tensor) -> Tensor:
        out = []
        for e, rows in enumerate(torch.split(x, counts.tolist())):
            gate, up, down = (w[e].to(x.dtype) for w in (self.gate, self.up, self.down))
            out.append((F.gelu(rows @ gate, approximate="tanh") * (rows @ up)) @ down)
        return torch.cat(out)


def grok(dtype: torch.dtype, cap: bool = True, loop: bool = False) -> Callable[[Tensor], Tensor]:
    model = Grok(CONFIG if cap else replace(CONFIG, attention_softcap=0.0)).cast(dtype)
    if loop:
        for module in model.modules():
            if isinstance(module, Experts):
                module.__class__ = LoopExperts
    return model


def mixtral(dtype: torch.dtype, eager: bool = False) -> Callable[[Tensor], Tensor]:
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=CONFIG.vocab_size,
        hidden_size=CONFIG.hidden_size,
        intermediate_size=CONFIG.moe_intermediate_size,
        num_hidden_layers=CONFIG.num_layers,
        num_attention_heads=CONFIG.num_heads,
        num_key_value_heads=CONFIG.num_kv_heads,
        head_dim=CONFIG.head_dim,
        num_local_experts=CONFIG.num_experts,
        num_experts_per_tok=CONFIG.num_experts_per_token,
        sliding_window=None,
        use_cache=False,
        tie_word_embeddings=False,
    )
    config._attn_implementation = "eager" if eager else "sdpa"
    config._experts_implementation = "eager" if eager else "grouped_mm"
    return MixtralForCausalLM(config).to(dtype)


MODELS: dict[str, Callable[[torch.dtype], Any]] = {
    "grok": grok,
    "grok, no cap": lambda dtype: grok(dtype, cap=False),
    "grok, loop": lambda dtype: grok(dtype, loop=True),
    "mixtral": mixtral,
    "mixtral, eager": lambda dtype: mixtral(dtype, eager=True),
}


class Trainee:
    """A model with its optimizer and a batch of random tokens."""

    def __init__(self, name: str, dtype: torch.dtype) -> None:
        # Of its own, or one model would find matrix kernels that oneDNN compiled for another's group sizes.
        torch.manual_seed(list(MODELS).index(name))
        self.model: nn.Module = MODELS[name](dtype)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=True)
        self.tokens = torch.randint(3, CONFIG.vocab_size, (BATCH, LENGTH + 1))

    def step(self) -> None:
        out = self.model(self.tokens[:, :-1])
        logits = out if isinstance(out, Tensor) else out.logits
        loss = F.cross_entropy(logits.flatten(0, 1).float(), self.tokens[:, 1:].flatten())
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def time_steps(dtype: str, rounds: int) -> dict[str, dict[str, float]]:
    trainees = {name: Trainee(name, DTYPES[dtype]) for name in MODELS}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in MODELS}
    for trainee in trainees.values():
        trainee.step()
    for _ in range(rounds):
        for name, trainee in trainees.items():
            wall, cpu = time.perf_counter(), time.process_time()
            trainee.step()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    results = {}
    peer = [cpu for _, cpu in times["mixtral"]]
    for name, pairs in times.items():
        wall, cpu = [x for x, _ in pairs], [x for _, x in pairs]
        results[name] = {
            "parameters": sum(p.numel() for p in trainees[name].model.parameters()),
            "tokens_per_s_wall_median": BATCH * LENGTH / statistics.median(wall),
            "tokens_per_cpu_s_median": BATCH * LENGTH / statistics.median(cpu),
            "tokens_per_cpu_s_best": BATCH * LENGTH / min(cpu),
            "ratio_to_mixtral_median": statistics.median(peer) / statistics.median(cpu),
            "ratio_to_mixtral_best": min(peer) / min(cpu),
        }
    return results


def memory(key: str) -> int:
    """A line of this process's status in KiB: VmRSS now, VmHWM at its peak (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def memory_of_step(name: str, dtype: str) -> float:
    """MiB that forward and backward need at their peak, on top of weights, gradients and optimizer."""
    code = "import sys; from benchmarks.model import grown; print(grown(sys.argv[1], sys.argv[2]))"
    run = subprocess.run(
        [sys.executable, "-c", code, name, dtype], capture_output=True, text=True, check=True
    )
    return float(run.stdout)


def grown(name: str, dtype: str) -> float:
    """See `memory_of_step`; to be called in a process of its own."""
    torch.set_num_threads(1)
    trainee = Trainee(name, DTYPES[dtype])
    for parameter in trainee.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    trainee.optimizer.step()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = memory("VmRSS")
    out = trainee.model(trainee.tokens[:, :-1])
    logits = out if isinstance(out, Tensor) else out.logits
    F.cross_entropy(logits.flatten(0, 1).float(), trainee.tokens[:, 1:].flatten()).backward()
    return (memory("VmHWM") - before) / 1024


def time_generation(rounds: int) -> dict[str, float]:
    torch.manual_seed(0)
    model = Grok(CONFIG)
    prompts = torch.randint(3, CONFIG.vocab_size, (4, 64)).tolist()
    sampling = Sampling(max_new_tokens=64)
    model.config = replace(CONFIG, eos_token_id=-1)  # random weights shall not stop early
    best = {True: float("inf"), False: float("inf")}
    for _ in range(rounds):
        for cached in best:
            start = time.process_time()
            count = sum(len(row) for row in generate_tokens(model, prompts, sampling, use_cache=cached))
            best[cached] = min(best[cached], (time.process_time() - start) / count)
    return {
        "tokens_per_cpu_s_cached": 1 / best[True],
        "tokens_per_cpu_s_uncached": 1 / best[False],
        "speedup": best[False] / best[True],
    }


def measure(_options: Options) -> list[Row]:
    """The same numbers as rows of `python -m benchmarks`."""
    torch.set_num_threads(1)
    rows = []
    note = f"{BATCH} x {LENGTH} tokens, 1 thread, torch {torch.__version__}"
    for dtype in DTYPES:
        for name, found in time_steps(dtype, rounds=9).items():
            speed, ratio = found["tokens_per_cpu_s_median"], found["ratio_to_mixtral_median"]
            at = f"{name}, {dtype}"
            rows.append(Row("model", f"training step: {at}", speed, "tokens/CPU-s", note))
            rows.append(Row("model", f"training step: {at}", ratio, "x Mixtral grouped", "medians, same run"))
            rows.append(Row("model", f"memory of a step: {at}", memory_of_step(name, dtype), "MiB"))
    for name, value in time_generation(rounds=3).items():
        rows.append(Row("model", f"generation: {name}", value, "x" if name == "speedup" else "tokens/CPU-s"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results: dict[str, Any] = {"torch": torch.__version__, "threads": options.threads}
    for dtype in DTYPES:
        results[dtype] = time_steps(dtype, options.rounds)
        print(f"\n{dtype}, {BATCH} x {LENGTH} tokens a step, {options.threads} thread(s)")
        print(f"{'':16}{'tokens/CPU-s':>14}{'best':>8}{'x mixtral':>11}{'best':>7}{'step MiB':>10}")
        for name, row in results[dtype].items():
            row["step_mib"] = memory_of_step(name, dtype)
            print(
                f"{name:16}{row['tokens_per_cpu_s_median']:14,.0f}{row['tokens_per_cpu_s_best']:8,.0f}"
                f"{row['ratio_to_mixtral_median']:11.2f}{row['ratio_to_mixtral_best']:7.2f}{row['step_mib']:10,.0f}"
            )
    results["generation"] = time_generation(max(options.rounds // 3, 1))
    cached, uncached = (results["generation"][f"tokens_per_cpu_s_{x}"] for x in ("cached", "uncached"))
    print(
        f"\ngeneration, 4 prompts of 64, 64 new: {cached:,.0f} tokens/CPU-s cached, {uncached:,.0f} without"
    )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
