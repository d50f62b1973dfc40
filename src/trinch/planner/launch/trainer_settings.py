"""A plan for Trinch's own trainer: the settings that `trinch train` and `trinch train launch` read.

Translates a layout into those settings and lists what the trainer does differently. `training.launch_files`
renders the files.
"""

import math

from trinch.model.config import CONFIGS
from trinch.planner.launch.saving import Saving
from trinch.planner.launch.shell import safe, train_steps
from trinch.planner.launch.slurm import gpus_per_node, hours, restarts
from trinch.planner.perf.layout import Plan
from trinch.training.launch_files import launch_files
from trinch.training.settings import Data, Launch, Mesh, Settings


def runs(plan: Plan) -> bool:
    """Whether Trinch's trainer can run the plan: a Grok it knows, in a layout without context parallelism."""
    cut = plan.layout
    return plan.workload.name in CONFIGS and cut.cp == 1 and cut.dp % cut.ep == 0


def settings(plan: Plan, saving: Saving, days: float, interruptions: float) -> Settings:
    """Settings of the run. The sharding is the widest that divides the model's width; copies of it make up
    the rest."""
    cut, config = plan.layout, CONFIGS[plan.workload.name]
    ways = cut.dp // cut.ep
    shard = math.gcd(ways, config.hidden_size // math.gcd(config.hidden_size, cut.ep))
    return Settings(
        config=plan.workload.name,
        out=f"runs/{plan.workload.name}",
        steps=train_steps(plan),
        batch=cut.global_batch,
        micro_batch=cut.micro_batch,
        sequence=plan.workload.seq_len,
        dtype="bfloat16",
        device="cuda",
        recompute=cut.recompute == 2,
        checkpoint_every=saving.store_steps,
        asynchronous=saving.asynchronous,
        data=Data(vocabulary=config.vocab_size),
        mesh=Mesh(pipeline=cut.pp, replicate=ways // shard, shard=shard, expert=cut.ep, tensor=cut.tp),
        launch=Launch(
            nodes=plan.nodes,
            processes=gpus_per_node(plan),
            spares=plan.spare_nodes,
            restarts=restarts(interruptions),
            hours=hours(days),
            name=f"trinch-{safe(plan.workload.name)}",
        ),
    )


def differences(plan: Plan, saving: Saving) -> tuple[str, ...]:
    """Sentences on what Trinch's trainer does differently from the plan."""
    cut = plan.layout
    sentences = {
        "The predicted step time is of Megatron-LM, not of this trainer, which has not run on GPUs.": True,
        "optimizer.lr in settings.json is that of small models: set it, and data.path.": True,
        f"Pipelines are not interleaved (the plan has VPP{cut.vpp}).": cut.vpp > 1,
        f"Experts are split by tensor parallelism too (the plan has ETP{cut.etp}).": cut.etp != cut.tp,
        f"Parameters are sharded as well (the plan has ZeRO-{cut.zero}).": cut.zero < 3,
        "Recomputation is of whole blocks or none: none here.": cut.recompute == 1,
        "Checkpoints go to the store only: none to a peer's memory.": saving.kind == "memory",
        "It does not shrink when spare nodes run out: it waits for repair, which the plan does not count.": True,
        f"Arithmetic is bfloat16 (the plan has {plan.precision}).": plan.precision != "bf16",
    }
    return tuple(sentence for sentence, true in sentences.items() if true)


def files(plan: Plan, saving: Saving, days: float, interruptions: float) -> dict[str, str]:
    """File name -> text of the settings and what starts them."""
    return launch_files(settings(plan, saving, days, interruptions), differences(plan, saving))
