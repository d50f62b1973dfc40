"""Plan a service: requests per second and latency limits in; GPUs, layout, price and launch files out."""

from pathlib import Path
from typing import Any

from trinch.planner.launch import kubernetes
from trinch.planner.launch.sglang import sglang
from trinch.planner.launch.shell import safe, wrapped
from trinch.planner.ops import cost
from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import Gpu, PlanError
from trinch.planner.perf.serving import Demand, Served, options
from trinch.planner.perf.serving_wide import wide_options
from trinch.planner.perf.workload import Workload


def plan_serving(
    model: Workload,
    chip: Gpu,
    demand: Demand,
    precision: str | None = None,
    mode: str | None = None,
    kv: str = "bf16",
    price: float | None = None,
) -> dict[str, Any]:
    """The best way to serve and up to five others, as plain data. PlanError names what is in the way.

    `band` holds 80 % of the errors against aiconfigurator on models and GPUs the constants never saw."""
    rents = [cost.price(p, chip.name).value for p in cost.providers(chip.name) if p != "own"]
    usd = price if price is not None else min(rents, default=None)
    if usd is not None and not 0 < usd < 1e6:
        raise PlanError(f"a price of {usd:g} USD per GPU-hour is not one: give, say, 2.40")
    kinds = [precision] if precision else ["bf16", *(["fp8"] if chip.fp8_tflops else [])]
    found: list[Served] = []
    refused: list[PlanError] = []
    for kind in kinds:
        kv_bytes = 1.0 if kv == "fp8" else 2.0
        found += wide_options(model, chip, demand, kind, kv_bytes, usd)
        try:
            found += options(model, chip, demand, kind, kv_bytes, usd)
        except PlanError as err:
            refused.append(err)
    found = [served for served in found if mode in (None, served.mode)]
    if not found:
        raise refused[-1] if refused else PlanError(f"mode {mode} meets no latency; leave --mode out")
    found.sort(key=lambda served: (served.gpus, served.tpot_ms))
    seen: dict[tuple[str, str, int, int, int], Served] = {}
    for served in found:
        seen.setdefault((served.mode, served.precision, served.tp, served.pp, served.ep), served)
    ways = list(seen.values())
    wide = ways[0].mode == "wide"
    error = table("serving")["error_80_wide" if wide else "error_80_mla" if model.mla else "error_80"]
    return {
        "model": model.name,
        "gpu": chip.name,
        "demand": {name: getattr(demand, name) for name in demand.__slots__},
        "usd_per_gpu_hour": usd,
        "kv_bytes": 1.0 if kv == "fp8" else 2.0,
        "best": ways[0].as_dict() | {"band": _band(ways[0], error.value)},
        "others": [way.as_dict() for way in ways[1:6]],
        "error_80": error.as_dict(),
    }


def _band(served: Served, error: float) -> dict[str, list[float]]:
    return {
        name: [getattr(served, name) * (1 - error), getattr(served, name) * (1 + error)]
        for name in ("ttft_ms", "tpot_ms")
    }


def write_serving(found: dict[str, Any], out: Path, chip: Gpu) -> list[Path]:
    """Write the scripts that start a replica, one for each role where prefill and decode run apart, and serving.yaml
    where a replica fits a node and mixes its phases."""
    fields = {name: found["best"][name] for name in Served.__slots__}
    served, demand = Served(**fields), found["demand"]
    length, kv_bytes = demand["prompt"] + demand["answer"], found["kv_bytes"]
    roles = ("prefill", "decode") if served.mode in ("split", "wide") else ("",)
    texts = {}
    for role in roles:
        args = sglang(served, found["model"], length, kv_bytes, role, chip.gpus_per_node, demand["draft"])
        name = f"serve-sglang-{role}.sh" if role else "serve-sglang.sh"
        texts[name] = _head(found, served, role) + wrapped("python3 -m sglang.launch_server", args)
    if served.mode == "mixed" and served.tp * served.pp <= chip.gpus_per_node:
        objects = kubernetes.serving(served, found["model"], length, chip.gpus_per_node, kv_bytes)
        texts["serving.yaml"] = kubernetes.to_yaml(*objects).rstrip("\n")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text + "\n", encoding="utf-8")
    except OSError as err:
        raise PlanError(f"cannot write {out}: {err.strerror}") from None
    return [out / name for name in texts]


def _head(found: dict[str, Any], served: Served, role: str) -> str:
    """The first lines of a script: how many replicas of it to start, and what it needs."""
    count = served.prefill_replicas if role == "prefill" else served.replicas
    gpus = served.tp * served.pp if served.ep == 1 else served.prefill_ep if role == "prefill" else served.ep
    lines = [
        "#!/bin/bash",
        f"# One of {count:,} {role or 'serving'} replicas of {safe(found['model'])}, each on {gpus} {found['gpu']}.",
        *(["# Put sglang_router with --pd-disaggregation in front of all of them."] if role else []),
        *(
            ["# Start it on every node of the replica with RANK from 0 and HEAD, host:port of rank 0."]
            if served.ep > 1
            else []
        ),
        "set -euo pipefail",
        ': "${MODEL:?set MODEL to the folder of the weights}"',
        "exec ",
    ]
    return "\n".join(lines)
