"""`trinch plan fleet`: the GPUs behind a number of users and posts."""

import json
from typing import Any

import click

from trinch.cli.plan_options import usage


@click.command("fleet")
@click.option("--users", required=True, help="Daily users: 30M.")
@click.option(
    "--posts-per-day", default="0", show_default=True, help="Posts that a small model labels: 500M."
)
@click.option(
    "--model", default="grok-2", show_default=True, help="Model that answers: preset or config.json."
)
@click.option("--reader", default="qwen3-8b", show_default=True, help="Model that labels posts.")
@click.option("--gpu", "gpu_name", default="h100", show_default=True, help="a100, h100, h200, b200, gb200.")
@click.option("--gpus", help="GPUs of the whole fleet; what serving leaves is for training.")
@click.option("--requests-per-user", type=float, help="Requests of a user a day; by default 3.7.")
@click.option("--prompt", type=click.IntRange(min=1), help="Tokens per prompt; by default 3000.")
@click.option("--answer", type=click.IntRange(min=1), help="Tokens per answer; by default 400.")
@click.option("--reuse", type=float, help="Share of a prompt that is in the cache; by default 0.5.")
@click.option("--peak", type=float, help="Load of the busiest hour over the mean; by default 2.")
@click.option(
    "--ttft", "ttft_ms", default=2000.0, show_default=True, help="Limit on the time to the first token, ms."
)
@click.option(
    "--tpot", "tpot_ms", default=50.0, show_default=True, help="Limit on the time per further token, ms."
)
@click.option("--price", type=float, help="USD per GPU-hour; by default every price in the tables.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def fleet(as_json: bool, **asked: Any) -> None:
    """Size a service: requests, GPUs, layout, racks, power and cost for users and posts, and the share left to train.

    \b
    Example:
      trinch plan fleet --users 30M --posts-per-day 500M --gpus 20000
    """
    from trinch.planner.fleet_plan import plan_fleet

    with usage():
        made = plan_fleet(asked.pop("users"), asked.pop("posts_per_day"), **asked)
    click.echo(json.dumps(made.as_dict()) if as_json else str(made))
