"""`trinch plan serve`: from requests a second and latency limits to GPUs, layout and price.

Also writes the files that start the servers.
"""

import json
import sys
from pathlib import Path
from typing import Any

import click

from trinch.planner.launch import engine_arguments, kubernetes
from trinch.planner.ops import cost
from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import Gpu, PlanError, gpu
from trinch.planner.perf.serving import Demand, Served, options
from trinch.planner.perf.workload import Workload, workload


@click.command("serve")
@click.option("--model", required=True, help="Preset (grok-2, grok-1, llama-3-70b, ...) or a config.json.")
@click.option("--gpu", "gpu_name", default="h100", show_default=True, help="a100, h100, h200, b200, gb200.")
@click.option("--rate", required=True, type=float, help="Requests a second.")
@click.option("--prompt", required=True, type=int, help="Tokens of a prompt.")
@click.option("--answer", required=True, type=int, help="Tokens of an answer.")
@click.option("--ttft", default=2000.0, show_default=True, help="Time to the first token, ms.")
@click.option("--tpot", default=50.0, show_default=True, help="Time of each further token, ms.")
@click.option("--precision", type=click.Choice(["bf16", "fp8", "nvfp4"]), help="Default: the cheaper.")
@click.option("--mode", type=click.Choice(["mixed", "split"]), help="Prefill apart? Default: either.")
@click.option("--kv", type=click.Choice(["bf16", "fp8"]), default="bf16", show_default=True, help="KV cache.")
@click.option("--price", type=float, help="USD per GPU-hour. Default: the lowest rent in the tables.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the launch files.")
def serve(
    model: str,
    gpu_name: str,
    rate: float,
    prompt: int,
    answer: int,
    ttft: float,
    tpot: float,
    precision: str | None,
    mode: str | None,
    kv: str,
    price: float | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """How many GPUs answer RATE requests a second in time, laid out how, at what price.

    Example: trinch plan serve --model grok-2 --gpu h100 --rate 100 --prompt 2000 --answer 500
    """
    try:
        demand = Demand(rate, prompt, answer, ttft, tpot)
        found = plan_serving(workload(model), gpu(gpu_name), demand, precision, mode, kv, price)
        if out is not None:
            found["files"] = [str(path) for path in write_serving(found, out, gpu(gpu_name))]
    except PlanError as err:
        raise click.UsageError(str(err)) from None
    if as_json:
        click.echo(json.dumps(found))
    else:
        _show(found)


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
    if usd is not None and usd <= 0:
        raise PlanError(f"a price of {usd:g} USD per GPU-hour is not one: give, say, 2.40")
    kinds = [precision] if precision else ["bf16", *(["fp8"] if chip.fp8_tflops else [])]
    found: list[Served] = []
    refused: list[PlanError] = []
    for kind in kinds:
        try:
            found += options(model, chip, demand, kind, 1.0 if kv == "fp8" else 2.0, usd)
        except PlanError as err:
            refused.append(err)
    found = [served for served in found if mode in (None, served.mode)]
    if not found:
        raise refused[-1] if refused else PlanError(f"mode {mode} meets no latency; leave --mode out")
    found.sort(key=lambda served: (served.gpus, served.tpot_ms))
    seen: dict[tuple[str, str, int, int], Served] = {}
    for served in found:
        seen.setdefault((served.mode, served.precision, served.tp, served.pp), served)
    ways = list(seen.values())
    error = table("serving")["error_80_mla" if model.mla else "error_80"]
    return {
        "model": model.name,
        "gpu": chip.name,
        "demand": {name: getattr(demand, name) for name in demand.__slots__},
        "usd_per_gpu_hour": usd,
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
    """serve-sglang.sh, serve-vllm.sh and, where a replica fits a node and mixes its phases, serving.yaml."""
    fields = {name: found["best"][name] for name in Served.__slots__}
    served, demand = Served(**fields), found["demand"]
    length = demand["prompt"] + demand["answer"]
    head = (
        f"#!/bin/bash\n# One replica of {engine_arguments.safe(found['model'])} on {served.tp * served.pp} "
        f"{found['gpu']}; "
        f"{served.replicas} to decode{_prefill(served)}.\nset -euo pipefail\n"
        ': "${MODEL:?set MODEL to the folder of the weights}"\nexec '
    )
    texts = {
        "serve-sglang.sh": head
        + engine_arguments.wrapped(
            "python3 -m sglang.launch_server", engine_arguments.sglang(served, found["model"], length)
        ),
        "serve-vllm.sh": head
        + engine_arguments.wrapped('vllm serve "$MODEL"', engine_arguments.vllm(served, length)),
    }
    if served.mode == "mixed" and served.tp * served.pp <= chip.gpus_per_node:
        objects = kubernetes.serving(served, found["model"], length, chip.gpus_per_node)
        texts["serving.yaml"] = kubernetes.to_yaml(*objects).rstrip("\n")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text + "\n", encoding="utf-8")
    except OSError as err:
        raise PlanError(f"cannot write {out}: {err.strerror}") from None
    return [out / name for name in texts]


def _prefill(served: Served) -> str:
    return f", {served.prefill_replicas} to read prompts" if served.prefill_replicas else ""


HEADS = ("GPUs", "mode", "format", "TP", "PP", "batch", "replicas", "TTFT", "TPOT", "tok/s/GPU", "$/Mtok")


def _show(found: dict[str, Any]) -> None:
    """A table in a terminal, tab-separated text in a pipe; times in milliseconds."""
    rows = [_row(way) for way in (found["best"], *found["others"])]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        drawn = Table(*HEADS, title=f"{found['model']} on {found['gpu']}")
        for row in rows:
            drawn.add_row(*row)
        Console().print(drawn)
    else:
        for row in (HEADS, *rows):
            click.echo("\t".join(row))
    low, high = found["best"]["band"]["tpot_ms"]
    click.echo(f"TPOT of the best: {low:,.1f} to {high:,.1f} ms (80 % of our errors).")


def _row(way: dict[str, Any]) -> tuple[str, ...]:
    usd, readers = way["usd_per_million_tokens"], way["prefill_replicas"]
    return (
        f"{way['gpus']:,}",
        way["mode"],
        way["precision"],
        str(way["tp"]),
        str(way["pp"]),
        str(way["batch"]),
        f"{way['replicas']}+{readers}" if readers else str(way["replicas"]),
        f"{way['ttft_ms']:,.0f}",
        f"{way['tpot_ms']:,.1f}",
        f"{way['tokens_per_s_per_gpu']:,.0f}",
        "-" if usd is None else f"{usd:,.2f}",
    )
