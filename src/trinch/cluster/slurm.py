"""A Slurm batch script that launches a plan with torchrun, swaps sick nodes for spares, and restarts.

Owns the script's text. Counts come from the plan: nodes in use, spare nodes, GPUs a node.
"""

from trinch.cluster.engines import megatron, megatron_notes, safe, torchtitan, wrapped
from trinch.cluster.hardware import PlanError
from trinch.cluster.layout import Plan

SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes_total}
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node={gpus}
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --no-kill
#SBATCH --time={time}
#SBATCH --output=%x-%j.out
# {what}
{notes}set -euo pipefail

NODES={nodes}            # in use; the job holds {spares} spare nodes beside them
GPUS_PER_NODE={gpus}
RANKS={ranks}
((NODES * GPUS_PER_NODE == RANKS)) || {{ echo "the layout needs $RANKS ranks" >&2; exit 2; }}
{needs}: "${{DATA:?set DATA to the training data}}"
: "${{TOKENIZER:?set TOKENIZER to the tokenizer}}"
: "${{CHECKPOINTS:?set CHECKPOINTS to a shared folder}}"
: "${{LR:?set LR to the learning rate}}"
export {exports}DATA TOKENIZER CHECKPOINTS LR CUDA_DEVICE_MAX_CONNECTIONS=1 NCCL_DEBUG=WARN
MAX_RESTARTS=${{MAX_RESTARTS:-{max_restarts}}}
HERE=${{HERE:-$SLURM_SUBMIT_DIR}} # Slurm runs a copy of this file: submit it from the folder it lies in
STATE=${{STATE:-$CHECKPOINTS/.launch-${{SLURM_JOB_ID}}}}
mkdir -p "$STATE"

healthy() {{ # one line a node that answers and sees all its GPUs
    srun --overlap --no-kill --kill-on-bad-exit=0 --ntasks-per-node=1 bash -c \\
        '[ "$(nvidia-smi --list-gpus | wc -l)" -eq '"$GPUS_PER_NODE"' ] && hostname' \\
        2>/dev/null | sort -V || true
}}

for ((attempt = 0; attempt <= MAX_RESTARTS; attempt++)); do
    healthy | head -n "$NODES" >"$STATE/nodes"
    if (($(wc -l <"$STATE/nodes") < NODES)); then
        echo "only $(wc -l <"$STATE/nodes") of $NODES nodes are healthy: requeueing" >&2
        scontrol requeue "$SLURM_JOB_ID"
        exit 1
    fi
    export NODES
    if srun --nodes="$NODES" --ntasks="$NODES" --ntasks-per-node=1 --nodelist="$STATE/nodes" \\
        --kill-on-bad-exit=1 bash "$HERE/{launch}"; then
        exit 0
    fi
    echo "attempt $attempt ended with an error; restarting from the last checkpoint" >&2
done
exit 1
"""

LAUNCH = """\
#!/bin/bash
# One task of this a node: starts {gpus} ranks of {ranks}. {what}
set -euo pipefail
# The first host of the step is node 0: SLURM_NODEID counts in the same order.
MASTER=$(scontrol show hostnames "$SLURM_STEP_NODELIST" | head -n 1)
exec torchrun --nnodes="$NODES" --nproc-per-node={gpus} --node-rank="$SLURM_NODEID" \\
    --master-addr="$MASTER" --master-port=29500 --max-restarts=0 \\
    {command}
"""


def gpus_per_node(plan: Plan) -> int:
    """Ranks of one node. PlanError where the layout does not fill its nodes."""
    per = min(plan.machine.gpu.gpus_per_node, plan.n_gpus)
    if plan.n_gpus % per:
        whole = max(per, plan.n_gpus // per * per)
        raise PlanError(
            f"{plan.n_gpus:,} GPUs do not fill nodes of {per}: plan for {whole:,} or {whole + per:,}"
        )
    return per


def hours(days: float) -> str:
    """Slurm's time limit, D-HH:MM:SS, rounded up to whole hours."""
    total = max(1, int(-(-days * 24 // 1)))
    return f"{total // 24}-{total % 24:02d}:00:00"


def scripts(
    plan: Plan, save_interval: int, days: float, interruptions: float, engine: str = "megatron"
) -> dict[str, str]:
    """File name -> text: the batch script, and what it runs on every node."""
    gpus, launch = gpus_per_node(plan), f"launch-{engine}.sh"
    what = f"{safe(plan.workload.name)}: {plan.layout.label()} on {plan.n_gpus:,} {plan.machine.gpu.name}."
    if engine == "megatron":
        notes, command = (
            megatron_notes(plan),
            wrapped('"$MEGATRON/pretrain_gpt.py"', megatron(plan, save_interval)),
        )
    else:
        notes, command = [], wrapped("-m torchtitan.train", torchtitan(plan, save_interval))
    common = {"gpus": gpus, "ranks": plan.n_gpus, "what": what}
    batch = SCRIPT.format(
        **common,
        name=f"trinch-{safe(plan.workload.name)}",
        nodes=plan.nodes,
        nodes_total=plan.nodes + plan.spare_nodes,
        spares=plan.spare_nodes,
        time=hours(days),
        notes="".join(f"# {note}\n" for note in notes),
        max_restarts=max(10, int(2 * interruptions)),
        launch=launch,
        needs=': "${MEGATRON:?set MEGATRON to a checkout of Megatron-LM}"\n' if engine == "megatron" else "",
        exports="MEGATRON " if engine == "megatron" else "",
    )
    return {f"{engine}.sbatch": batch, launch: LAUNCH.format(**common, command=command)}
