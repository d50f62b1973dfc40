"""`trinch plan simulate`: one training step event by event, and days of the run with failures."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from trinch.cli.plan_options import usage


@click.command()
@click.option("--model", required=True, help="A preset such as grok-1, or a Hugging Face config.json.")
@click.option("--gpus", required=True, help="How many GPUs: 16384 or 16k.")
@click.option("--gpu", default="h100", show_default=True, help="a100, h100, h200, b200, gb200, ...")
@click.option("--site", help="oci, colossus, superpod, meta-24k; by default the GPU maker's network.")
@click.option("--precision", default="bf16", show_default=True, help="bf16, fp8, mxfp8 or nvfp4.")
@click.option("--batch", type=click.IntRange(min=1), help="Sequences per step.")
@click.option("--layout", help='The layout, "TP8 PP16 VPP4 CP2"; by default the best.')
@click.option("--slow-nodes", default=0, show_default=True, help="Nodes that are slow.")
@click.option("--slow-by", default=1.2, show_default=True, help="How many times as long a slow node takes.")
@click.option("--flaps", default=0, show_default=True, help="Nodes whose network cards carry half.")
@click.option("--lost-leaves", default=0, show_default=True, help="Pods of 32 nodes that lost a leaf switch.")
@click.option("--lost-spines", default=0, show_default=True, help="Uplinks that every leaf has lost.")
@click.option("--routing", default="adaptive", show_default=True, help="adaptive, or ecmp: flows are hashed.")
@click.option("--oversubscription", type=float, help="Bandwidth below the leaves over that above.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the hash and of which nodes are faulty.",
)
@click.option("--days", type=float, help="Also simulate so many days of the run, with failures and repairs.")
@click.option("--spares", type=int, help="Spare nodes of the run; by default those that the layout leaves.")
@click.option("--repair-hours", type=float, help="Mean time that a node is out; by default 72.")
@click.option(
    "--single-nodes", is_flag=True, help="Leave out failures of racks, switches, power and cooling."
)
@click.option("--fleet", default="llama-3", show_default=True, help="Failure rates: llama-3, rsc-1, rsc-2.")
@click.option("--mtbf-hours", type=float, help="GPU-hours between interruptions, instead of the fleet's.")
@click.option("--checkpoint", default="", help="sync, async or memory; by default the plan's.")
@click.option("--trials", default=300, show_default=True, help="Number of simulated runs.")
@click.option(
    "--trace", type=click.Path(file_okay=False, path_type=Path), help="Folder for Chakra traces of the step."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def simulate(
    model: str,
    gpus: str,
    gpu: str,
    site: str | None,
    precision: str,
    batch: int | None,
    layout: str | None,
    days: float | None,
    spares: int | None,
    repair_hours: float | None,
    single_nodes: bool,
    fleet: str,
    mtbf_hours: float | None,
    checkpoint: str,
    trials: int,
    trace: Path | None,
    as_json: bool,
    **faults: Any,
) -> None:
    """Simulate a training step on the network: what faults, collisions and oversubscription cost.

    With --days, also simulate that long of the run: failures of nodes, racks, leaf switches, power units and cooling
    loops, with spare nodes and repairs.

    \b
    Examples:
      trinch plan simulate --model llama-3-405b --gpus 16384 --slow-nodes 1 --routing ecmp
      trinch plan simulate --model llama-3-405b --gpus 16384 --days 54 --spares 1024
    """
    from trinch.planner.ops.recovery import Options
    from trinch.planner.ops.run_days import run_days
    from trinch.planner.perf.hardware import machine
    from trinch.planner.perf.layout_grid import parse_layout
    from trinch.planner.perf.layout_search import search
    from trinch.planner.perf.models import workload
    from trinch.planner.quantities import gpu_count
    from trinch.planner.simulate.chakra import write_step
    from trinch.planner.simulate.step_simulation import Faults, closed_form_s, simulate_step

    with usage():
        cut = parse_layout(layout) if layout is not None else None
        on = machine(gpu, site)
        plan = search(workload(model), on, gpu_count(gpus), 1e13, precision, batch, layout=cut).chosen
        healthy, faulty = (
            simulate_step(plan, Faults(seed=faults["seed"])),
            simulate_step(plan, Faults(**faults)),
        )
        options = Options(
            fleet=fleet,
            mtbf_hours=mtbf_hours,
            checkpoint=checkpoint,
            trials=trials,
            seed=faults["seed"],
            correlated=not single_nodes,
        )
        run = None if days is None else run_days(plan, days, options, spares, repair_hours).as_dict()
        files = [] if trace is None else write_step(plan, trace)
    cost = faulty.step_s / healthy.step_s - 1
    if as_json:
        found: dict[str, Any] = {"undisturbed": asdict(healthy), "disturbed": asdict(faulty), "cost": cost}
        found |= {} if run is None else {"run": run}
        found |= {} if trace is None else {"files": [str(path) for path in files]}
        click.echo(json.dumps(found | {"closed_form_s": closed_form_s(plan), "plan": plan.as_dict()}))
        return
    off = healthy.step_s / closed_form_s(plan) - 1
    click.echo(f"{model} on {plan.n_gpus:,} {plan.machine.gpu.name}, {plan.layout.label()}")
    click.echo(f"  undisturbed {healthy.step_s:.3f} s, {off:+.1%} against the closed form")
    click.echo(f"  as given    {faulty.step_s:.3f} s, {cost:+.1%}")
    click.echo(
        f"  network     the slowest send gets {faulty.send_rate_share['p0']:.0%} of a card, the slowest ring "
        f"{faulty.ring_rate_share['p0']:.0%}; {faulty.replicas_late:.1%} of the replicas are late"
    )
    click.echo(f"  simulated   {faulty.events:,} events a run")
    if run is not None:
        _echo_run(run)
    if files:
        click.echo(f"  wrote       {len(files) - 1:,} traces and groups.json to {trace}")


def _echo_run(run: dict[str, Any]) -> None:
    """The simulated days in sentences."""
    ettr, cuts, share, out = run["ettr"], run["interruptions"], run["wall_share"], run["most_nodes_out"]
    single = run["ettr_of_single_nodes"]["p50"]
    click.echo(
        f"  run         {run['days']:g} days: effective time {ettr['p50']:.1%} ({ettr['p10']:.1%} to {ettr['p90']:.1%}), "
        f"{cuts['p50']:,.0f} interruptions ({cuts['p10']:,.0f} to {cuts['p90']:,.0f})"
    )
    if run["domain_events"]:
        events = ", ".join(f"{name} {count:.2g}" for name, count in run["domain_events"].items())
        click.echo(f"  together    {events} events in the mean; without them effective time is {single:.1%}")
    click.echo(
        f"  lost        checkpoints {share['stall']:.1%}, work done twice {share['lost']:.1%}, restarts "
        f"{share['down']:.1%}, waiting for repairs {share['waiting']:.1%}, running smaller {share['shrunk']:.1%}"
    )
    click.echo(
        f"  spares      {run['spare_nodes']:,} nodes; most out at a time {out['p50']:,.0f}, in one run of ten "
        f"{out['p90']:,.0f} or more, in one of a hundred {out['p99']:,.0f}"
    )
