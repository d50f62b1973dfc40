"""Files that start a run on many processes with torchrun, Slurm or Ray Train, from one settings file.

Over several nodes the folder of these files and that of the run must be on shared storage. Needs no torch.
"""

import shlex
from pathlib import Path

from trinch.training.settings import Settings, SettingsError, settings_text
from trinch.training.slurm_script import Job, slurm_files


def launch_files(settings: Settings, notes: tuple[str, ...] = ()) -> dict[str, str]:
    """Name to text of each file. Raises SettingsError when the mesh does not fit the machines.

    `notes` are for the head of the Slurm script.
    """
    launch = settings.launch
    settings.mesh.filled(launch.nodes * launch.processes)
    if not launch.name.replace("-", "").replace("_", "").isalnum():
        raise SettingsError(f"launch.name is {launch.name!r}: letters, digits, - and _ only")
    for name in ("partition", "account"):
        if set(getattr(launch, name)) & set("\n\"'$`\\"):
            raise SettingsError(f"launch.{name} holds quotes or the like; a plain name is wanted")
    return {
        "settings.json": settings_text(settings),
        "torchrun.sh": _torchrun(settings),
        **slurm_files(_job(settings, notes), "slurm.sbatch", "launch.sh"),
        "ray_train.py": _ray(settings),
    }


def write_launch_files(settings: Settings, folder: Path) -> list[Path]:
    """Write them and the settings they name; returns the paths."""
    files = launch_files(settings)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o644 if name.endswith(".json") else 0o755)
    return [folder / name for name in files]


def _command(settings: Settings, between: str) -> str:
    """What each rank runs. Data that the settings do not name are named by $DATA."""
    parts = ['-m trinch.training --settings "$HERE/settings.json"']
    if not settings.data.path:
        parts.append('--data "$DATA"')
    return between.join(parts)


def _needs(settings: Settings) -> dict[str, str]:
    return {} if settings.data.path else {"DATA": "the folder of the store"}


def _torchrun(settings: Settings) -> str:
    """For a machine, or to be run on each of several with HEAD naming the first. It restarts failed workers,
    which resume from the last checkpoint."""
    launch = settings.launch
    command = " \\\n    ".join(
        [
            f"exec {shlex.quote(launch.command)} -m torch.distributed.run",
            f"--nnodes={launch.nodes} --nproc-per-node={launch.processes} --max-restarts={launch.restarts}",
            f'--rdzv-backend=c10d --rdzv-endpoint="${{HEAD:-localhost:0}}" --rdzv-id={launch.name}',
            _command(settings, " \\\n    "),
        ]
    )
    needs = "".join(f': "${{{name}:?set {name} to {what}}}"\n' for name, what in _needs(settings).items())
    return (
        "#!/usr/bin/env bash\n"
        f"# {launch.nodes} node(s) x {launch.processes} process(es). "
        "On several nodes: HEAD=first-node:29500 on each.\n"
        "set -euo pipefail\n"
        'HERE="$(cd "$(dirname "$0")" && pwd)"\n'
        f"{needs}"
        'export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"\n'
        "# Torch 2.13 would hand restarted workers the addresses of the dead ones; this gives each attempt its "
        "own store.\n"
        "export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1\n"
        f"{command}\n"
    )


def _job(settings: Settings, notes: tuple[str, ...]) -> Job:
    launch, mesh = settings.launch, settings.mesh
    return Job(
        name=launch.name,
        what=f"Trinch: {settings.config}, pipeline {mesh.pipeline} x replicate {mesh.replicate} x "
        f"shard {mesh.filled(launch.nodes * launch.processes).shard} x expert {mesh.expert} x tensor {mesh.tensor}",
        nodes=launch.nodes,
        spares=launch.spares,
        processes=launch.processes,
        command=_command(settings, " \\\n    "),
        gpus=0 if settings.device == "cpu" else launch.processes,
        hours=launch.hours,
        restarts=launch.restarts,
        torchrun=f"{shlex.quote(launch.command)} -m torch.distributed.run",
        partition=launch.partition,
        account=launch.account,
        needs=_needs(settings),
        exports=('OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"',),
        notes=notes,
    )


def _ray(settings: Settings) -> str:
    launch = settings.launch
    count = launch.nodes * launch.processes
    return f'''"""Start the run under Ray Train: python ray_train.py, on a machine of the Ray cluster."""

import os
from pathlib import Path

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer


def work(config: dict) -> None:
    """One process: Ray has set RANK and WORLD_SIZE and joined the group."""
    from trinch.training.settings import read_settings
    from trinch.training.actions import pretrain

    pretrain(read_settings(config["settings"], data__path=config["data"]), print)


if __name__ == "__main__":
    TorchTrainer(
        work,
        train_loop_config={{
            "settings": str(Path(__file__).with_name("settings.json").resolve()),
            "data": os.environ.get("DATA"),
        }},
        scaling_config=ScalingConfig(num_workers={count}, use_gpu={settings.device != "cpu"}),
        run_config=RunConfig(name="{launch.name}", failure_config=FailureConfig(max_failures={launch.restarts})),
    ).fit()
'''
