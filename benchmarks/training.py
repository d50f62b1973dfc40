"""The trainer: one process against two, layout by layout, and what a checkpoint costs the loop.

python -m benchmarks training

Each number is the median of measured steps of `trinch train --measure`, every process with one thread, one run after
another. On two cores only the ratios of one run mean anything; nothing here was run on a GPU.
"""

import csv
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.machine import Options, Row
from trinch.posts.schema import Created
from trinch.simulator.network import stream
from trinch.training.metrics_log import read_log

LAYOUTS = (
    (1, ""),
    (2, "shard=2"),
    (2, "replicate=2"),
    (2, "expert=2"),
    (2, "tensor=2"),
    (2, "pipeline=2"),
)
STEPS, BATCH, SEQUENCE = 24, 16, 128


def posts_file(folder: Path, seed: int) -> Path:
    """Posts of the simulated network as JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "posts.jsonl"
    if not path.exists():
        with open(path, "wb") as out:
            for event in stream(seed, posts=4000):
                if isinstance(event, Created):
                    out.write(msgspec.json.encode(event.post) + b"\n")
    return path


def command(processes: int, mesh: str, *more: str) -> list[str]:
    """The trainer's command on that many processes."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    layout = ["--mesh", mesh] if mesh else []
    size = ["--steps", str(STEPS), "--batch", str(BATCH), "--sequence", str(SEQUENCE)]
    return [
        sys.executable,
        *(launcher if processes > 1 else []),
        "-m",
        "trinch.training",
        *size,
        *layout,
        *more,
    ]


def run(arguments: list[str]) -> None:
    """Run it quietly, one thread a process."""
    subprocess.run(arguments, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def measure(options: Options) -> list[Row]:
    """Rows of `python -m benchmarks`."""
    folder = options.work / "training"
    posts = str(posts_file(folder, options.seed))
    rows, alone = [], 0.0
    for processes, mesh in LAYOUTS:
        name = mesh or "one process"
        table = folder / f"{mesh or 'one'}.csv"
        table.unlink(missing_ok=True)
        run(command(processes, mesh, "--data", posts, "--out", str(folder / "run"), "--measure", str(table)))
        with open(table, encoding="utf-8") as lines:
            (row,) = csv.DictReader(lines)
        speed = float(row["tokens_per_s_per_gpu"]) * processes
        alone = alone or speed
        rows.append(Row("training", f"tokens a second: {name}", speed, "tokens/s", row["notes"]))
        rows.append(Row("training", f"tokens a second: {name}", speed / alone, "x one process"))
    rows.append(_checkpoint_cost(folder, posts))
    return rows


def _checkpoint_cost(folder: Path, posts: str) -> Row:
    """How much longer a step takes in which an asynchronous checkpoint begins, in milliseconds."""
    settings = folder / "checkpoint.toml"
    out = folder / "checkpointed"
    settings.write_text("checkpoint_every = 4\nevaluate_sequences = 0\nlog_every = 1000\n")
    run(["rm", "-rf", str(out)])
    run(command(1, "", "--settings", str(settings), "--data", posts, "--out", str(out)))
    times = [BATCH * SEQUENCE / row["tokens_per_s"] for row in read_log(out)]
    # A step's time ends before its own checkpoint begins, so the one after pays.
    paying = sorted(times[4::4])
    free = sorted(t for i, t in enumerate(times) if i % 4 and i > 3)
    return Row(
        "training",
        "a checkpoint costs the loop",
        1000 * (paying[len(paying) // 2] - free[len(free) // 2]),
        "ms",
    )
