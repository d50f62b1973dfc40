"""Serving beside NVIDIA's aiconfigurator: one forward pass, prefill and decode, on the same cases.

    python -m benchmarks.serving --peer /path/to/venv/bin/python [--answers FILE] [--fit | --ten]

`--peer` is a Python that has `aiconfigurator==0.12.0` (its own virtual environment). Its answers rest
on kernels NVIDIA measured; they are kept in `--answers`, since it takes about half a second a case.
`--ten` asks ten cases of models that no constant was fitted to, and prints a line for each.
`--fit` finds the constants of data/serving.csv again: coordinate descent on the mean absolute log error over
the models named in FITTED, on H100 and B200 only. Every other model, and H200, is held out.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from trinch.planner.perf.hardware import gpu
from trinch.planner.perf.hf_config import from_config
from trinch.planner.perf.serving_roofline import Efficiency, forward_s
from trinch.planner.perf.workload import Workload

SYSTEMS = {"h100_sxm": "h100", "h200_sxm": "h200", "b200_sxm": "b200"}
MODELS = {  # file of the peer's own model_configs, MoE, tensor-parallel sizes
    "meta-llama--Meta-Llama-3.1-8B": (False, (1, 2, 4)),
    "meta-llama--Meta-Llama-3.1-70B": (False, (4, 8)),
    "meta-llama--Meta-Llama-3.1-405B": (False, (8,)),
    "Qwen--Qwen3-32B": (False, (2, 4, 8)),
    "Qwen--Qwen3-8B": (False, (1, 2)),
    "Qwen--Qwen3-30B-A3B": (True, (1, 2, 4)),
    "Qwen--Qwen3-235B-A22B": (True, (8,)),
    "mistralai--Mixtral-8x7B-v0.1": (True, (2, 4, 8)),
    "mistralai--Mixtral-8x22B-v0.1": (True, (8,)),
    "deepseek-ai--DeepSeek-V3": (True, (8,)),
}
FITTED = {
    "meta-llama--Meta-Llama-3.1-8B",
    "meta-llama--Meta-Llama-3.1-70B",
    "Qwen--Qwen3-30B-A3B",
    "mistralai--Mixtral-8x7B-v0.1",
}
FIT_SYSTEMS = {"hopper": "h100_sxm", "blackwell": "b200_sxm"}
MOE = {"moe_gemm", "moe_width", "moe_elementwise", "moe_bandwidth", "moe_layer_s"}
LOW = {"fp8_gemm", "fp8_kv_bandwidth", "fp8_layer_s"}
BOUNDED = {
    "gemm",
    "gemm_bandwidth",
    "attention",
    "kv_bandwidth",
    "moe_gemm",
    "moe_bandwidth",
    "link",
    "fp8_gemm",
}

TEN = (  # model, GPU, precision, tensor-parallel size, tokens, batch, phase
    ("Qwen--Qwen3-8B", "h100_sxm", "bfloat16", 1, 1024, 4, "prefill"),
    ("Qwen--Qwen3-8B", "h200_sxm", "bfloat16", 1, 8192, 32, "decode"),
    ("Qwen--Qwen3-32B", "h100_sxm", "bfloat16", 4, 8192, 1, "prefill"),
    ("Qwen--Qwen3-32B", "h100_sxm", "bfloat16", 4, 8192, 32, "decode"),
    ("Qwen--Qwen3-32B", "b200_sxm", "fp8", 2, 1024, 128, "decode"),
    ("meta-llama--Meta-Llama-3.1-405B", "h200_sxm", "fp8", 8, 8192, 32, "decode"),
    ("mistralai--Mixtral-8x22B-v0.1", "h100_sxm", "bfloat16", 8, 8192, 32, "decode"),
    ("Qwen--Qwen3-235B-A22B", "h200_sxm", "bfloat16", 8, 1024, 128, "decode"),
    ("deepseek-ai--DeepSeek-V3", "h200_sxm", "bfloat16", 8, 8192, 1, "prefill"),
    ("deepseek-ai--DeepSeek-V3", "h200_sxm", "bfloat16", 8, 8192, 32, "decode"),
)

START = Efficiency(
    gemm=0.75,
    gemm_bandwidth=0.8,
    moe_gemm=0.6,
    moe_width=100,
    moe_elementwise=4,
    moe_bandwidth=0.8,
    attention=0.5,
    kv_bandwidth=0.85,
    layer_s=2e-5,
    moe_layer_s=1e-5,
    allreduce_s=8e-6,
    link=0.8,
    elementwise=12,
    fp8_gemm=0.6,
    fp8_kv_bandwidth=0.6,
    fp8_layer_s=1e-5,
)

Row = dict[str, Any]


def cases(configs: Path) -> list[Row]:
    """Every model, GPU, precision, size, length and batch; configs is the peer's folder of model configs."""
    listed = []
    for name, (moe, sizes) in MODELS.items():
        for system in SYSTEMS:
            for quant in ("bfloat16", "fp8") if not moe else ("bfloat16",):
                for tp in sizes:
                    for length in (1024, 8192):
                        batches = [("prefill", 1), ("prefill", 4)] if length == 1024 else [("prefill", 1)]
                        batches += [("decode", b) for b in (1, 8, 32, 128)]
                        for phase, batch in batches:
                            listed.append(
                                {
                                    "model": name,
                                    "config": str(configs / name),
                                    "system": system,
                                    "quant": quant,
                                    "tp": tp,
                                    "length": length,
                                    "batch": batch,
                                    "phase": phase,
                                    "moe": moe,
                                }
                            )
    return listed


def _key(case: Row) -> tuple[object, ...]:
    return tuple(case[name] for name in ("model", "system", "quant", "tp", "length", "batch", "phase"))


def ask_peer(python: str, answers: Path, ten: bool = False) -> tuple[list[Row], float]:
    """The peer's answers and its seconds a case; the config of each model is put where it looks for one."""
    home = subprocess.run(
        [python, "-c", "import aiconfigurator_core as a; print(a.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    folder = answers.parent / "peer-configs"
    for name in MODELS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        text = (Path(home) / "model_configs" / f"{name}_config.json").read_text(encoding="utf-8")
        (folder / name / "config.json").write_text(text, encoding="utf-8")
    listed = [case for case in cases(folder) if not ten or _key(case) in TEN]
    began = time.perf_counter()
    script = Path(__file__).with_name("serving_peer.py")
    lines = "".join(json.dumps(case) + "\n" for case in listed)
    out = subprocess.run(
        [python, str(script)], input=lines, capture_output=True, text=True, check=True
    ).stdout
    answers.write_text(out, encoding="utf-8")
    return [json.loads(line) for line in out.splitlines()], (time.perf_counter() - began) / len(listed)


def ours(rows: list[Row], models: dict[str, Workload], efficiency: Efficiency | None = None) -> np.ndarray:
    """Our milliseconds for each row."""
    out = []
    for row in rows:
        batch, length, one = np.array(float(row["batch"])), float(row["length"]), np.array(1.0)
        new, context = (one * length, one * 0) if row["phase"] == "prefill" else (one, one * length)
        precision = "fp8" if row["quant"] == "fp8" else "bf16"
        chip = gpu(SYSTEMS[row["system"]])
        out.append(
            float(
                forward_s(
                    models[row["model"]], chip, row["tp"], batch, new, context, precision, 2.0, efficiency
                )
            )
        )
    return np.array(out) * 1e3


def loss(rows: list[Row], models: dict[str, Workload], efficiency: Efficiency) -> float:
    return float(np.abs(np.log(ours(rows, models, efficiency) / [row["ms"] for row in rows])).mean())


def descend(rows: list[Row], models: dict[str, Workload], start: Efficiency, free: set[str]) -> Efficiency:
    """Coordinate descent with a shrinking step over the fields named in `free`."""
    best, least, step = start, loss(rows, models, start), 0.25
    while step > 0.01:
        improved = False
        for name in sorted(free):
            for factor in (1 + step, 1 / (1 + step)):
                value = getattr(best, name) * factor
                if name in BOUNDED and value > 0.95:
                    continue
                tried = replace(best, **{name: value})
                now = loss(rows, models, tried)
                if now < least - 1e-5:
                    best, least, improved = tried, now, True
                    break
        if not improved:
            step /= 2
    return best


def fit(rows: list[Row], models: dict[str, Workload]) -> None:
    """Prints the lines of data/serving.csv for each generation: dense bf16 first, then MoE, then fp8."""
    everything = {field.name for field in fields(Efficiency)}
    for generation, system in FIT_SYSTEMS.items():
        seen = [row for row in rows if row["system"] == system and row["model"] in FITTED]
        found = START
        for free, moe, quant in (
            (everything - MOE - LOW, False, "bfloat16"),
            (MOE, True, "bfloat16"),
            (LOW, False, "fp8"),
        ):
            part = [row for row in seen if row["moe"] == moe and row["quant"] == quant]
            found = descend(part, models, found, free)
        for name in Efficiency.__slots__:
            print(f"{generation}.{name},{getattr(found, name):.4g}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", help="Python with aiconfigurator 0.12.0")
    parser.add_argument("--answers", type=Path, default=Path("peer-answers.jsonl"))
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--ten", action="store_true", help="Only ten cases, a line each")
    args = parser.parse_args()
    if args.answers.exists():
        rows = [json.loads(line) for line in args.answers.read_text(encoding="utf-8").splitlines()]
    elif args.peer:
        rows, each = ask_peer(args.peer, args.answers, args.ten)
        print(f"aiconfigurator: {each * 1e3:,.0f} ms a case")
    else:
        sys.exit(
            "give --peer PYTHON (with aiconfigurator 0.12.0), or --answers FILE kept from an earlier run"
        )
    models = {row["model"]: from_config(Path(row["config"]) / "config.json") for row in rows}
    failed = [row for row in rows if "error" in row]
    rows = [row for row in rows if "error" not in row]
    if args.fit:
        fit(rows, models)
        return
    began = time.perf_counter()
    mine = ours(rows, models)
    each = (time.perf_counter() - began) / len(rows)
    print(f"trinch: {each * 1e3:.2f} ms a case, one at a time; {len(rows)} cases")
    print(f"cases the peer has no answer to: {len(failed)}")
    if args.ten:
        for row, value in zip(rows, mine, strict=True):
            print(*_key(row), f"{row['ms']:.2f} ms, ours {value:.2f}, {value / row['ms'] - 1:+.1%}", sep="\t")
        return
    groups: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row, value in zip(rows, mine, strict=True):
        fitted = row["model"] in FITTED and row["system"] in FIT_SYSTEMS.values()
        key = ("fitted" if fitted else "held out", row["system"], row["quant"], row["phase"], row["model"])
        for depth in range(1, 6):
            groups[key[:depth]].append(value / row["ms"] - 1)
    for key, errors in sorted(groups.items()):
        part = np.array(errors)
        indent = "  " * (len(key) - 1)
        size = np.abs(part)
        print(
            f"{indent}{key[-1]:<{40 - len(indent)}} {len(part):>4} cases, mean abs {size.mean():6.1%}, bias "
            f"{part.mean():+6.1%}, 80% within {np.quantile(size, 0.8):6.1%}, worst {size.max():6.1%}"
        )


if __name__ == "__main__":
    main()
