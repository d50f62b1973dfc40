"""Launch files parse, agree with the settings about who takes part, and really start a run."""

import ast
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from trinch.cli.train import train
from trinch.model.config import get_config
from trinch.training.launch_files import launch_files, write_launch_files
from trinch.training.megatron_export import megatron_arguments, not_expressed
from trinch.training.metrics_log import read_log
from trinch.training.runs_table import COLUMNS
from trinch.training.settings import Data, Launch, Mesh, Settings, SettingsError, read_settings
from trinch.training.throughput import flops_per_token

from .conftest import environment, run
from .test_kill import children, wait_for

BIG = Settings(
    config="grok-1",
    batch=2048,
    sequence=8192,
    dtype="bfloat16",
    mesh=Mesh(pipeline=8, expert=8, tensor=8),
    launch=Launch(nodes=256, processes=8, name="big-one", partition="gpu h100", hours=36.5, spares=2),
)


def test_files_agree_about_nodes_and_processes(tmp_path: Path) -> None:
    paths = write_launch_files(BIG, tmp_path)
    assert [path.name for path in paths] == [
        "settings.json", "torchrun.sh", "slurm.sbatch", "launch.sh", "ray_train.py"
    ]  # fmt: skip
    assert read_settings(tmp_path / "settings.json") == BIG
    for name in ("torchrun.sh", "slurm.sbatch", "launch.sh"):
        subprocess.run(["bash", "-n", str(tmp_path / name)], check=True)
        if shutil.which("shellcheck"):
            subprocess.run(["shellcheck", str(tmp_path / name)], check=True)
    text = (tmp_path / "torchrun.sh").read_text()
    assert re.search(r"--nnodes=(\d+)", text)[1] == "256"  # type: ignore[index]
    assert re.search(r"--nproc-per-node=(\d+)", text)[1] == "8"  # type: ignore[index]
    assert "--nproc-per-node=8 " in (tmp_path / "launch.sh").read_text()
    slurm = (tmp_path / "slurm.sbatch").read_text()
    assert "#SBATCH --nodes=258\n" in slurm
    assert re.search(r"^NODES=256 ", slurm, re.M)
    assert "RANKS=2048\n" in slurm
    assert "#SBATCH --gpus-per-node=8\n" in slurm
    assert '#SBATCH --partition="gpu h100"\n' in slurm
    assert "#SBATCH --time=1-12:30:00\n" in slurm
    tree = ast.parse((tmp_path / "ray_train.py").read_text())
    workers = [
        k.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Call)
        for k in n.keywords
        if k.arg == "num_workers"
    ]
    assert ast.literal_eval(workers[0]) == 256 * 8


def test_what_cannot_be_launched_is_refused() -> None:
    with pytest.raises(SettingsError, match="needs 512 processes, not 8"):
        launch_files(Settings(mesh=BIG.mesh, launch=Launch(nodes=1, processes=8)))
    with pytest.raises(SettingsError, match=r"launch\.name"):
        launch_files(Settings(launch=Launch(name="x; rm -rf /")))
    with pytest.raises(SettingsError, match=r"launch\.partition"):
        launch_files(Settings(launch=Launch(partition="gpu\nrm -rf /")))


@pytest.mark.long
def test_the_torchrun_file_runs(posts_file: Path, tmp_path: Path) -> None:
    import sys

    settings = Settings(
        out=str(tmp_path / "run"), steps=2, batch=4, sequence=32, evaluate_sequences=4, device="cpu",
        data=Data(path=str(posts_file)), launch=Launch(processes=2, command=sys.executable),
    )  # fmt: skip
    write_launch_files(settings, tmp_path / "launch")
    subprocess.run([str(tmp_path / "launch" / "torchrun.sh")], env=environment(), check=True, timeout=900)
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 2


SLURM = {
    # Two nodes that are this machine. A step of one task a node; if one fails all are ended.
    "srun": """
nodes=""; script=""
for arg in "$@"; do case "$arg" in --nodelist=*) nodes=${arg#--nodelist=};; esac; script=$arg; done
if [ -z "$nodes" ]; then printf '127.0.0.2\\n127.0.0.1\\n'; exit 0; fi
id=0; tasks=()
for node in $(cat "$nodes"); do
  SLURM_NODEID=$id SLURM_STEP_NODELIST="$nodes" bash "$script" & tasks+=($!); id=$((id + 1))
done
for task in "${tasks[@]}"; do wait -n || { kill "${tasks[@]}"; wait; exit 1; }; done
""",
    "scontrol": '[ "$1" = show ] && cat "$3"\n',
}


@pytest.mark.long
def test_the_slurm_script_runs_two_nodes_and_starts_again(
    posts_file: Path, data: Path, tmp_path: Path
) -> None:
    """Stand-ins for Slurm's commands; all else is real: two torchruns, one rank each, a killed rank."""
    import sys

    broken, unbroken = tmp_path / "run", tmp_path / "unbroken"
    for folder in (broken, unbroken):
        shutil.copytree(data, folder / "data")
    settings = Settings(
        out=str(broken), steps=12, batch=8, sequence=32, evaluate_sequences=4, device="cpu",
        checkpoint_every=2, launch=Launch(nodes=2, command=sys.executable),
    )  # fmt: skip
    files = tmp_path / "launch"
    write_launch_files(settings, files)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, body in SLURM.items():
        (tools / name).write_text("#!/bin/bash\n" + body)
        (tools / name).chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"PATH": f"{tools}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "DATA": str(posts_file)}
    variables |= {"SLURM_SUBMIT_DIR": str(files), "MASTER_PORT": str(port)}
    job = subprocess.Popen(
        ["bash", str(files / "slurm.sbatch")],
        env=environment() | variables,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wait_for(lambda: len(read_log(broken)) >= 5, job)
    ranks = [pid for pid in descendants(job.pid) if b"trinch.training" in command_line(pid)]
    ranks = [pid for pid in ranks if b"torch.distributed.run" not in command_line(pid)]
    assert len(ranks) == 2, "one rank a node"
    os.kill(ranks[1], signal.SIGKILL)
    _, errors = job.communicate(timeout=900)
    assert job.returncode == 0, errors[-3000:]
    assert "attempt 0 ended with an error; restarting from the last checkpoint" in errors
    run(1, "--settings", str(files / "settings.json"), "--data", str(posts_file), "--out", str(unbroken))
    for row, twin in zip(read_log(unbroken), read_log(broken), strict=True):
        assert row["step"] == twin["step"]
        assert abs(row["loss"] - twin["loss"]) < 1e-5


@pytest.mark.long
def test_the_ray_file_runs(posts_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray.train", reason="Ray Train is not installed")
    import sys

    settings = Settings(
        out=str(tmp_path / "run"), steps=3, batch=4, sequence=32, evaluate_sequences=4, device="cpu",
        launch=Launch(processes=2, restarts=0), mesh=Mesh(tensor=2),
    )  # fmt: skip
    write_launch_files(settings, tmp_path / "launch")
    variables = {
        "DATA": str(posts_file), "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path))),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(tmp_path / "launch" / "ray_train.py")],
        env=environment() | variables, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert [row["step"] for row in read_log(tmp_path / "run")] == [1, 2, 3]


def descendants(pid: int) -> list[int]:
    found = children(pid)
    return found + [other for child in found for other in descendants(child)]


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_megatron_gets_the_same_numbers() -> None:
    config = get_config("grok-1")
    arguments = megatron_arguments(config, BIG, BIG.mesh.filled(2048))
    given = dict(zip(arguments[::2], arguments[1::2], strict=False))
    assert (given["--num-layers"], given["--hidden-size"], given["--num-experts"]) == ("64", "6144", "8")
    assert given["--expert-model-parallel-size"] == "8"
    assert {"--bf16", "--moe-router-pre-softmax", "--use-distributed-optimizer"} <= set(arguments)
    assert "--untie-embeddings-and-output-weights" not in arguments
    assert any("softcap 30" in part for part in not_expressed(config))
    assert any("dense MLP" in part for part in not_expressed(get_config("grok-2")))


def test_flops_are_those_of_the_tables() -> None:
    assert flops_per_token(get_config("grok-1"), 8192) == pytest.approx(521.9e9, rel=1e-3)
    assert flops_per_token(get_config("grok-2"), 8192) == pytest.approx(708.7e9, rel=1e-3)


def test_measured_steps_are_rows_of_the_table(posts_file: Path, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    arguments = ["--data", str(posts_file), "--out", str(tmp_path / "run"), "--steps", "5", "--batch", "4"]
    for _ in range(2):
        result = CliRunner().invoke(
            train, [*arguments, "--sequence", "16", "--measure", str(table)], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
    import csv

    with open(table, encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 2
    assert list(rows[0]) == list(COLUMNS)
    assert float(rows[0]["step_time_s"]) * float(rows[0]["tokens_per_s_per_gpu"]) == pytest.approx(4 * 16)
    assert rows[0]["TP"] == rows[0]["PP"] == rows[0]["n_gpus"] == "1"
    assert not list((tmp_path / "run").glob("**/step-*")), "measuring writes no checkpoints"


@pytest.mark.needs("runs/published_runs.csv")
def test_the_columns_are_those_of_published_runs(shared: Path) -> None:
    assert shared.read_text("utf-8").splitlines()[0].split(",") == list(COLUMNS)


def test_the_launch_command(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"launch": {"processes": 4}, "mesh": {"expert": 4}}))
    result = CliRunner().invoke(train, ["launch", str(settings), "--out", str(tmp_path / "files")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "files" / "slurm.sbatch").exists()
    refused = CliRunner().invoke(train, ["launch", str(settings), "--out", str(tmp_path / "f"), "--megatron"])
    assert refused.exit_code == 0
    assert "--expert-model-parallel-size" in (tmp_path / "f" / "megatron.txt").read_text()
