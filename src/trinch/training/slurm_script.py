"""Slurm batch script for a run of any engine.

It finds healthy nodes, starts torchrun on each, replaces failing nodes by spare ones, and restarts after an error from
the last checkpoint. The planner uses it too. Needs no torch.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

PORT = 29500
"""Of torchrun's rendezvous, where MASTER_PORT does not name another."""
_BATCH = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes_total}
#SBATCH --ntasks-per-node=1
{options}#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --no-kill
# Five minutes before the time limit the run gets SIGTERM, and saves.
#SBATCH --signal=TERM@300
#SBATCH --time={time}
#SBATCH --output=%x-%j.out
# {what}
{notes}set -euo pipefail

NODES={nodes}            # in use; the job holds {spares} spare nodes beside them
PLANNED=$NODES
REPLICA_NODES={replica_nodes}     # with fewer healthy nodes it runs on whole replicas of this many; 0: it waits
PER_NODE={processes}
RANKS={ranks}
GPUS_PER_NODE={gpus}
((NODES * PER_NODE == RANKS)) || {{ echo "the layout needs $RANKS ranks" >&2; exit 2; }}
{needs}MAX_RESTARTS=${{MAX_RESTARTS:-{restarts}}}
HERE=${{HERE:-$SLURM_SUBMIT_DIR}} # Slurm runs a copy of this file: submit it from the folder it lies in
export {exports}
STATE=${{STATE:-$HERE/.launch-${{SLURM_JOB_ID}}}}
mkdir -p "$STATE"

healthy() {{ # one line a node that answers and sees all its GPUs
    # shellcheck disable=SC2016 # the count is taken on the node
    srun --overlap --no-kill --kill-on-bad-exit=0 --ntasks-per-node=1 bash -c \\
        '[ "$(nvidia-smi --list-gpus | wc -l)" -ge '"$GPUS_PER_NODE"' ] && hostname' \\
        2>/dev/null | sort -V || true
}}

for ((attempt = 0; attempt <= MAX_RESTARTS; attempt++)); do
    healthy >"$STATE/healthy"
    FOUND=$(wc -l <"$STATE/healthy")
    NODES=$((FOUND >= PLANNED ? PLANNED : REPLICA_NODES ? FOUND / REPLICA_NODES * REPLICA_NODES : 0))
    if ((NODES == 0)); then
        echo "only $FOUND of $PLANNED nodes are healthy: requeueing" >&2
        scontrol requeue "$SLURM_JOB_ID"
        exit 1
    fi
    head -n "$NODES" "$STATE/healthy" >"$STATE/nodes"
{batch}    export NODES HERE
    if srun --nodes="$NODES" --ntasks="$NODES" --ntasks-per-node=1 --nodelist="$STATE/nodes" \\
        --kill-on-bad-exit=1 bash "$HERE/{launch}"; then
        exit 0
    fi
    if ((${{SLURM_JOB_END_TIME:-0}} > 0 && SLURM_JOB_END_TIME - $(date +%s) < 600)); then
        echo "the time is nearly up: requeueing" >&2
        scontrol requeue "$SLURM_JOB_ID"
        exit 1
    fi
    echo "attempt $attempt ended with an error; restarting from the last checkpoint" >&2
done
exit 1
"""

_LAUNCH = """\
#!/bin/bash
# One task of this a node: starts {processes} ranks of {ranks}. {what}
set -euo pipefail
# The first host of the step is node 0: SLURM_NODEID counts in the same order.
MASTER=$(scontrol show hostnames "$SLURM_STEP_NODELIST" | head -n 1)
exec {command}
"""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job: what runs, and where."""

    name: str
    what: str
    """One line for people."""
    nodes: int
    processes: int
    """Ranks of a node."""
    command: str
    """What each rank runs, as arguments of torchrun; may stand on several lines."""
    gpus: int
    """GPUs a node must show; 0: none are asked for."""
    hours: float
    restarts: int
    spares: int = 0
    replica_nodes: int = 0
    """Nodes of the smallest number of whole model replicas: the job shrinks by these when spares run out.
    0: it waits for repair."""
    batch: int = 0
    """Sequences of a step; a job that shrinks exports the nearest smaller batch that divides, GLOBAL_BATCH."""
    replica_batch: int = 1
    """Sequences that `replica_nodes` nodes take in one pass."""
    torchrun: str = "torchrun"
    partition: str = ""
    account: str = ""
    needs: Mapping[str, str] = field(default_factory=dict)
    """Variables that you set before submitting, and to what."""
    exports: tuple[str, ...] = ()
    """Variables for every rank: NAME, or NAME=VALUE."""
    notes: tuple[str, ...] = ()


def slurm_files(job: Job, batch: str, launch: str) -> dict[str, str]:
    """Text of the batch script and of what it runs on every node, by these names."""
    ranks = job.nodes * job.processes
    options = {
        "gpus-per-node": str(job.gpus or ""),
        "partition": _quoted(job.partition),
        "account": _quoted(job.account),
    }
    return {
        batch: _BATCH.format(
            name=job.name,
            nodes=job.nodes,
            nodes_total=job.nodes + job.spares,
            spares=job.spares,
            replica_nodes=job.replica_nodes,
            batch=_batch_line(job),
            processes=job.processes,
            ranks=ranks,
            gpus=job.gpus,
            options="".join(f"#SBATCH --{name}={value}\n" for name, value in options.items() if value),
            time=time_limit(job.hours),
            what=job.what,
            notes="".join(f"# {note}\n" for note in job.notes),
            needs="".join(f': "${{{name}:?set {name} to {what}}}"\n' for name, what in job.needs.items()),
            exports=" ".join([*job.needs, *job.exports]),
            restarts=job.restarts,
            launch=launch,
        ),
        launch: _LAUNCH.format(
            processes=job.processes,
            ranks=ranks,
            what=job.what,
            command=torchrun(job, '"$NODES"', '"$SLURM_NODEID"', '"$MASTER"', " \\\n    ", job.torchrun),
        ),
    }


def _batch_line(job: Job) -> str:
    """Exports the batch of this attempt, where the job may shrink."""
    if not job.replica_nodes:
        return ""
    one_pass = f"(NODES / REPLICA_NODES * {job.replica_batch})"
    return f"    export GLOBAL_BATCH=$(({job.batch} / {one_pass} * {one_pass}))\n"


def torchrun(
    job: Job, nodes: str, rank: str, master: str, between: str = " ", program: str = "torchrun"
) -> str:
    """The torchrun command of one node; `rank` and `master` are words of the shell. It restarts nothing: who
    starts it on all nodes does."""
    return between.join(
        [
            f"{program} --nnodes={nodes} --nproc-per-node={job.processes} --node-rank={rank}",
            f'--master-addr={master} --master-port="${{MASTER_PORT:-{PORT}}}" --max-restarts=0',
            job.command,
        ]
    )


def time_limit(hours: float) -> str:
    """Slurm's D-HH:MM:SS, rounded up to whole minutes."""
    minutes = max(1, math.ceil(hours * 60 - 1e-6))
    return f"{minutes // 1440}-{minutes // 60 % 24:02d}:{minutes % 60:02d}:00"


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
