"""Files that start a run on many processes: torchrun, Slurm, Ray Train; all from the one settings file.

Owns their text. Knows nothing of torch, and starts nothing itself. Over several nodes the folder of the run
must be on storage that all of them see.
"""

import shlex
from pathlib import Path

from trinch.training.settings import Settings, SettingsError, write_settings

ENVIRONMENT = """\
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
# Torch 2.13 would hand restarted workers the addresses of the dead ones; this gives each attempt its own
# store.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
"""


def launch_files(settings: Settings) -> dict[str, str]:
    """Name to text of each file. Raises SettingsError when the mesh does not fit the machines."""
    launch = settings.launch
    settings.mesh.filled(launch.nodes * launch.processes)
    if not launch.name.replace("-", "").replace("_", "").isalnum():
        raise SettingsError(f"launch.name is {launch.name!r}: letters, digits, - and _ only")
    return {"torchrun.sh": _torchrun(settings), "slurm.sh": _slurm(settings), "ray_train.py": _ray(settings)}


def write_launch_files(settings: Settings, folder: Path) -> list[Path]:
    """Write them and the settings they name; returns the paths."""
    files = launch_files(settings)
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(settings, folder / "settings.json")
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o755)
    return [folder / "settings.json", *(folder / name for name in files)]


def _command(settings: Settings, endpoint: str) -> str:
    """The torchrun command of one node. It restarts failed workers, which resume from the last checkpoint."""
    launch = settings.launch
    parts = [
        shlex.quote(launch.command),
        "-m torch.distributed.run",
        f"--nnodes={launch.nodes}",
        f"--nproc-per-node={launch.processes}",
        f"--max-restarts={launch.restarts}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={endpoint}",
        f"--rdzv-id={launch.name}",
        '-m trinch.training --settings "$here/settings.json"',
    ]
    return " \\\n  ".join(parts)


def _torchrun(settings: Settings) -> str:
    """For a machine, or to be run on each of several with HEAD naming the first."""
    return (
        "#!/usr/bin/env bash\n"
        f"# {settings.launch.nodes} node(s) x {settings.launch.processes} process(es). "
        "On several nodes: HEAD=first-node:29500 on each.\n"
        "set -euo pipefail\n"
        'here="$(cd "$(dirname "$0")" && pwd)"\n'
        f"{ENVIRONMENT}"
        f"exec {_command(settings, '${HEAD:-localhost:0}')}\n"
    )


def _slurm(settings: Settings) -> str:
    launch = settings.launch
    minutes = round(launch.hours * 60)
    optional = [
        f"#SBATCH --{key}={shlex.quote(value)}\n"
        for key, value in (("partition", launch.partition), ("account", launch.account))
        if value
    ]
    gpus = "" if settings.device == "cpu" else f"#SBATCH --gpus-per-node={launch.processes}\n"
    return (
        "#!/usr/bin/env bash\n"
        f"#SBATCH --job-name={launch.name}\n"
        f"#SBATCH --nodes={launch.nodes}\n"
        "#SBATCH --ntasks-per-node=1\n"
        f"{gpus}"
        f"#SBATCH --time={minutes // 60}:{minutes % 60:02}:00\n"
        "#SBATCH --exclusive\n"
        "# Asked to stop, the run saves a checkpoint first; requeued, it goes on from there.\n"
        "#SBATCH --signal=TERM@300\n"
        "#SBATCH --requeue\n"
        f"{''.join(optional)}"
        "set -euo pipefail\n"
        'export here="${SLURM_SUBMIT_DIR:-$PWD}"\n'
        f"{ENVIRONMENT}"
        'head="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"\n'
        'export HEAD="$head:29500"\n'
        f"srun bash -c {shlex.quote('exec ' + _command(settings, '$HEAD'))}\n"
    )


def _ray(settings: Settings) -> str:
    launch = settings.launch
    count = launch.nodes * launch.processes
    return f'''"""Start the run under Ray Train: python ray_train.py, on a machine of the Ray cluster."""

from pathlib import Path

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer


def work(config: dict) -> None:
    """One process: Ray has set RANK and WORLD_SIZE and joined the group."""
    from trinch.training.settings import read_settings
    from trinch.training.verbs import pretrain

    pretrain(read_settings(config["settings"]), print)


if __name__ == "__main__":
    TorchTrainer(
        work,
        train_loop_config={{"settings": str(Path(__file__).with_name("settings.json").resolve())}},
        scaling_config=ScalingConfig(num_workers={count}, use_gpu={settings.device != "cpu"}),
        run_config=RunConfig(name="{launch.name}", failure_config=FailureConfig(max_failures={launch.restarts})),
    ).fit()
'''
