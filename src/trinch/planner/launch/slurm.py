"""A Slurm batch script that launches a plan with torchrun, swaps sick nodes for spares, and restarts.

`training.slurm_script` renders the script; this module fills it with the plan's nodes, spares and GPUs.
"""

from trinch.planner.launch.engine_arguments import (
    TORCHTITAN,
    megatron,
    megatron_notes,
    safe,
    torchtitan,
    wrapped,
)
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


def job(plan: Plan, save_interval: int, days: float, interruptions: float, engine: str) -> Job:
    """The plan's job under an engine, `megatron` or `torchtitan`."""
    gpus = gpus_per_node(plan)
    if engine == "megatron":
        program, args = '"$MEGATRON/pretrain_gpt.py"', megatron(plan, save_interval)
    else:
        program, args = "-m torchtitan.train", torchtitan(plan, save_interval)
    needs = {"MEGATRON": "a checkout of Megatron-LM"} if engine == "megatron" else {}
    if engine == "torchtitan" and plan.workload.name not in TORCHTITAN:
        needs = {"MODULE": "a module that registers the model", "CONFIG": "the name of its configuration"}
    return Job(
        name=f"trinch-{safe(plan.workload.name)}",
        what=f"{safe(plan.workload.name)}: {plan.layout.label()} on {plan.n_gpus:,} {plan.machine.gpu.name}.",
        nodes=plan.nodes,
        spares=plan.spare_nodes,
        processes=gpus,
        gpus=gpus,
        command=wrapped(program, args),
        hours=hours(days),
        restarts=restarts(interruptions),
        needs=needs | SHARED,
        exports=("CUDA_DEVICE_MAX_CONNECTIONS=1", "NCCL_DEBUG=WARN", 'PYTHONPATH="$HERE:${PYTHONPATH:-}"'),
        notes=tuple(megatron_notes(plan)) if engine == "megatron" else (),
    )


def scripts(
    plan: Plan, save_interval: int, days: float, interruptions: float, engine: str = "megatron"
) -> dict[str, str]:
    """File name -> text: the batch script, and what it runs on every node."""
    made = job(plan, save_interval, days, interruptions, engine)
    return slurm_files(made, f"{engine}.sbatch", f"launch-{engine}.sh")
