"""`trinch plan train`: layout, failures, power, cost and dates of a training run."""

import json
from pathlib import Path
from typing import Any

import click

from trinch.cli.plan_options import exit_if_missed, run_options, usage


@click.command()
@click.option("--model", required=True, help="A preset such as grok-1, or a Hugging Face config.json.")
@click.option("--gpus", help="How many GPUs: 20000 or 20k; with --days and --tokens the fewest are found.")
@click.option("--tokens", help="Tokens to train on: 10T, 300B; with --days and --gpus the most are found.")
@click.option("--days", type=float, help="Days that the run may take, failures included.")
@click.option("--gpu", default="h100", show_default=True, help="a100, h100, h200, b200, gb200, ...")
@click.option("--site", help="oci, colossus, superpod, meta-24k; by default the GPU maker's network.")
@click.option("--nic-gbits", type=float, help="Gb/s of the network card of a GPU; by default the site's.")
@click.option("--precision", default="bf16", show_default=True, help="bf16, fp8, mxfp8 or nvfp4.")
@click.option("--seq-len", type=int, help="Sequence length; by default the model's own.")
@click.option("--batch", type=int, help="Sequences per step, kept exactly; by default 1024 tokens per GPU.")
@click.option(
    "--layout",
    help='Price this layout: "TP8 PP16 VPP8 CP1 DP128 EP1 mb1 ZeRO-1 recompute=none schedule=1f1b offload=none".',
)
@click.option(
    "--engine", help="Whose speed to predict: megatron-bridge (default), megatron-lm, torchtitan, nemo, ..."
)
@click.option(
    "--software-date", help="Date of the engine: 2024-12 or a release such as 25.04; by default 2026."
)
@click.option("--max-vpp", type=int, help="Most interleaved chunks a pipeline stage may have.")
@click.option(
    "--dispatcher",
    help="How tokens reach experts: alltoall, node-limited or deepep; by default the engine's.",
)
@click.option(
    "--schedule",
    help="Order of work in a pipeline: 1f1b (default), zb-h1, zbv, dualpipe or dualpipe-v.",
)
@click.option("--offload", help="To host memory: none (default), optimizer, activations or both.")
@run_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(as_json: bool, out: Path | None, **asked: Any) -> None:
    """Find the fastest layout of a model on a number of GPUs, then predict failures, power, cost and dates.

    Give two of --gpus, --tokens and --days; the third is found. Exits with 1 where a deadline (--by) is more
    likely missed than met, or the site's power is exceeded.

    \b
    Examples:
      trinch plan train --model grok-1 --gpus 20000 --tokens 10T --gpu h100 --out plan
      trinch plan train --model llama-3-405b --tokens 15.6T --days 90
      trinch plan train --model llama-3-405b --gpus 16384 --tokens 15.6T --layout "TP8 PP16 VPP8 DP128"
    """
    from trinch.planner.training_plan import plan

    with usage():
        made = plan(**asked)
        files = [str(path) for path in made.write(out)] if out else []
    if as_json:
        click.echo(json.dumps({**made.as_dict(), "files": files}))
    else:
        click.echo(str(made))
        for path in files:
            click.echo(f"  wrote      {path}")
    exit_if_missed(made)
