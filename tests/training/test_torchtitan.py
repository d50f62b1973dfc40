"""What is written for torchtitan is Python, and torchtitan itself, where it is installed, reads it and builds
a model of as many parameters."""

import ast
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from trinch.cli.train import train
from trinch.model.config import get_config
from trinch.training.settings import Mesh, Settings
from trinch.training.torchtitan_export import CONFIG, MODULE, not_expressed, torchtitan_module

from .conftest import environment

ONE = Settings(config="grok-1", batch=2048, sequence=8192, dtype="bfloat16", recompute=True)
PIPED = Mesh(pipeline=8, shard=32, expert=8, tensor=8)
READ = """
import json, sys, torch
from torchtitan.config.manager import ConfigManager
read = ConfigManager().parse_args(["--module", sys.argv[1], "--config", sys.argv[2], "--metrics.log_freq", "7"])
read.model_spec.model.update_from_config(config=read)
with torch.device("meta"):
    model = read.model_spec.model.build()
print(json.dumps({
    "parameters": sum(p.numel() for p in model.parameters()),
    "parallelism": {k: getattr(read.parallelism, k) for k in (
        "data_parallel_replicate_degree", "data_parallel_shard_degree", "tensor_parallel_degree",
        "pipeline_parallel_degree", "expert_parallel_degree")},
    "batch": read.training.global_batch_size, "steps": read.training.steps,
    "log_freq": read.metrics.log_freq,
}))
"""


def test_it_is_python_that_says_what_it_cannot_say(tmp_path: Path) -> None:
    text = torchtitan_module(get_config("grok-1"), ONE, PIPED)
    tree = ast.parse(text)
    assert CONFIG in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    said = ast.get_docstring(tree) or ""
    for part in ("four norms", "attention softcap 30.0", "untied", "Muon"):
        assert part in said
    assert "untied" not in " ".join(not_expressed(get_config("grok-2"), ONE, PIPED))
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"launch": {"processes": 4}, "mesh": {"expert": 4}}))
    result = CliRunner().invoke(
        train, ["launch", str(settings), "--out", str(tmp_path / "f"), "--torchtitan"]
    )
    assert result.exit_code == 0, result.output
    ast.parse((tmp_path / "f" / f"{MODULE}.py").read_text())
    assert not (tmp_path / "f" / "megatron.txt").exists()


@pytest.mark.parametrize(
    ("name", "shape"),
    [("tiny", Mesh(shard=2, expert=2)), ("grok-1", PIPED), ("grok-2", PIPED)],
    ids=["tiny", "grok-1", "grok-2"],
)
def test_torchtitan_reads_it(name: str, shape: Mesh, tmp_path: Path) -> None:
    if not (find_spec("torchtitan") and find_spec("triton")):
        pytest.skip("torchtitan and triton are not installed")
    config = get_config(name)
    settings = Settings(config=name, batch=2048, sequence=1024, steps=77)
    (tmp_path / f"{MODULE}.py").write_text(torchtitan_module(config, settings, shape))
    done = subprocess.run(
        [sys.executable, "-c", READ, MODULE, CONFIG], cwd=tmp_path, capture_output=True, text=True,
        env=environment() | {"PYTHONPATH": str(tmp_path)}, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    read = json.loads(done.stdout.splitlines()[-1])
    # Two of a block's four norms are lacking; a table that was tied may be there twice.
    lacking = 2 * config.num_layers * config.hidden_size
    twice = config.vocab_size * config.hidden_size if config.tie_embeddings and shape.pipeline > 1 else 0
    assert read["parameters"] == config.num_parameters - lacking + twice
    assert list(read["parallelism"].values()) == [
        shape.replicate, shape.shard * shape.expert, shape.tensor, shape.pipeline, shape.expert
    ]  # fmt: skip
    assert (read["batch"], read["steps"], read["log_freq"]) == (2048, 77, 7)
