"""`trinch plan serve`: how many GPUs a service needs."""

import json
import sys
from pathlib import Path
from typing import Any

import click


@click.command("serve")
@click.option("--model", required=True, help="Preset (grok-2, grok-1, llama-3-70b, ...) or a config.json.")
@click.option("--gpu", "gpu_name", default="h100", show_default=True, help="a100, h100, h200, b200, gb200.")
@click.option("--rate", required=True, type=float, help="Requests per second.")
@click.option("--prompt", required=True, type=int, help="Tokens per prompt.")
@click.option("--answer", required=True, type=int, help="Tokens per answer.")
@click.option("--ttft", default=2000.0, show_default=True, help="Limit on the time to the first token, ms.")
@click.option("--tpot", default=50.0, show_default=True, help="Limit on the time per further token, ms.")
@click.option(
    "--precision",
    type=click.Choice(["bf16", "fp8", "nvfp4"]),
    help="Number format; by default the cheapest that fits.",
)
@click.option(
    "--mode",
    type=click.Choice(["mixed", "split", "wide"]),
    help="Prefill on the same GPUs (mixed), on others (split), or also experts over many nodes (wide); by default the cheapest.",
)
@click.option(
    "--reuse", default=0.0, show_default=True, help="Share of a prompt that is in the cache already."
)
@click.option(
    "--draft", default=0, show_default=True, help="Tokens proposed before each step (speculative decoding)."
)
@click.option(
    "--acceptance", default=0.8, show_default=True, help="Probability that a proposed token is accepted."
)
@click.option(
    "--kv",
    type=click.Choice(["bf16", "fp8"]),
    default="bf16",
    show_default=True,
    help="Number format of the KV cache.",
)
@click.option("--price", type=float, help="USD per GPU-hour; by default the lowest rent in the tables.")
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
    reuse: float,
    draft: int,
    acceptance: float,
    kv: str,
    price: float | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Find the GPUs, layout and price that answer RATE requests per second within the latency limits.

    \b
    Example:
      trinch plan serve --model grok-2 --gpu h100 --rate 100 --prompt 2000 --answer 500
    """
    from trinch.planner.perf.hardware import PlanError, gpu
    from trinch.planner.perf.models import workload
    from trinch.planner.perf.serving import Demand
    from trinch.planner.serving_plan import plan_serving, write_serving

    try:
        demand = Demand(rate, prompt, answer, ttft, tpot, reuse, draft, acceptance)
        found = plan_serving(workload(model), gpu(gpu_name), demand, precision, mode, kv, price)
        if out is not None:
            found["files"] = [str(path) for path in write_serving(found, out, gpu(gpu_name))]
    except PlanError as err:
        raise click.UsageError(str(err)) from None
    if as_json:
        click.echo(json.dumps(found))
    else:
        _show(found)


HEADS = (
    "GPUs",
    "mode",
    "format",
    "TP",
    "PP",
    "EP",
    "batch",
    "replicas",
    "TTFT",
    "TPOT",
    "tok/s/GPU",
    "$/Mtok",
)


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
        str(way["ep"]),
        str(way["batch"]),
        f"{way['replicas']}+{readers}" if readers else str(way["replicas"]),
        f"{way['ttft_ms']:,.0f}",
        f"{way['tpot_ms']:,.1f}",
        f"{way['tokens_per_s_per_gpu']:,.0f}",
        "-" if usd is None else f"{usd:,.2f}",
    )
