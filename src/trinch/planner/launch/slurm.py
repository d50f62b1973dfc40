"""A Slurm batch script that launches a plan with torchrun, swaps sick nodes for spares, and restarts.

`training.slurm_script` renders the script; this module fills it with the plan's nodes, spares and GPUs.
"""

from dataclasses import replace

from trinch.planner.launch.megatron import connections, megatron, megatron_notes
from trinch.planner.launch.saving import Saving
from trinch.planner.launch.shell import safe, wrapped
from trinch.planner.launch.torchtitan import TORCHTITAN, torchtitan, torchtitan_notes
from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import Plan
from trinch.training.slurm_script import Job, slurm_files

SHARED = {
    "DATA": "the training data",
    "TOKENIZER": "the tokenizer",
    "CHECKPOINTS": "a shared folder",
    "LR": "the learning rate",
}


def gpus_per_node(plan: Plan) -> int:
    """Ranks of one node. PlanError where the layout does not fill its nodes."""
    per = min(plan.machine.gpu.gpus_per_node, plan.n_gpus)
    if plan.n_gpus % per:
        whole = max(per, plan.n_gpus // per * per)
        raise PlanError(
            f"{plan.n_gpus:,} GPUs do not fill nodes of {per}: plan for {whole:,} or {whole + per:,}"
        )
    return per


def hours(days: float) -> int:
    """A time limit in whole hours, rounded up."""
    return max(1, int(-(-days * 24 // 1)))


def restarts(interruptions: float) -> int:
    """How often to start again before giving up: twice what is expected."""
    return max(10, int(2 * interruptions))


def job(plan: Plan, saving: Saving, days: float, interruptions: float, engine: str) -> Job:
    """The plan's job under an engine, `megatron` or `torchtitan`."""
    common = Job(
        name=f"trinch-{safe(plan.workload.name)}",
        what=f"{safe(plan.workload.name)}: {plan.layout.label()} on {plan.n_gpus:,} {plan.machine.gpu.name}.",
        nodes=plan.nodes,
        spares=plan.spare_nodes,
        processes=gpus_per_node(plan),
        gpus=gpus_per_node(plan),
        command="",
        hours=hours(days),
        restarts=restarts(interruptions),
        needs=SHARED,
        exports=("NCCL_DEBUG=WARN", 'PYTHONPATH="$HERE:${PYTHONPATH:-}"'),
    )
    return _megatron_job(plan, saving, common) if engine == "megatron" else _titan_job(plan, saving, common)


def _megatron_job(plan: Plan, saving: Saving, common: Job) -> Job:
    block = plan.replica_nodes
    unit = plan.layout.micro_batch * (plan.layout.pp if plan.layout.vpp > 1 else 1)
    return replace(
        common,
        command=wrapped('"$MEGATRON/pretrain_gpt.py"', megatron(plan, saving)),
        needs={"MEGATRON": "a checkout of Megatron-LM"} | SHARED,
        exports=(f"CUDA_DEVICE_MAX_CONNECTIONS={connections(plan)}", *common.exports),
        notes=tuple(megatron_notes(plan, saving)),
        replica_nodes=block,
        batch=plan.layout.global_batch,
        replica_batch=unit * plan.layout.dp * block // plan.nodes,
    )


def _titan_job(plan: Plan, saving: Saving, common: Job) -> Job:
    known = plan.workload.name in TORCHTITAN
    named = {"MODULE": "a module that registers the model", "CONFIG": "the name of its configuration"}
    return replace(
        common,
        command=wrapped("-m torchtitan.train", torchtitan(plan, saving)),
        needs=({} if known else named) | SHARED,
        notes=tuple(torchtitan_notes(saving)),
    )


def scripts(
    plan: Plan, saving: Saving, days: float, interruptions: float, engine: str = "megatron"
) -> dict[str, str]:
    """File name -> text: the batch script, and what it runs on every node."""
    made = job(plan, saving, days, interruptions, engine)
    return slurm_files(made, f"{engine}.sbatch", f"launch-{engine}.sh")
