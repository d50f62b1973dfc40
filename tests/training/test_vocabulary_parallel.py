"""A vocabulary that does not divide: all processes take as many tokens at a time, whatever their parts."""

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import environment

SCRIPT = """
import sys, torch, torch.distributed as dist, torch.nn.functional as F
from torch.distributed.device_mesh import init_device_mesh
from trinch.training import chunked_loss
from trinch.training.chunked_loss import token_losses
from trinch.training.vocabulary_parallel import vocabulary_shard
dist.init_process_group("gloo")
size = int(sys.argv[1])
shard = vocabulary_shard(size, init_device_mesh("cpu", (2,)))
chunked_loss.CHUNK_LOGITS = 10 * shard.rows
torch.manual_seed(0)
h, weight, targets = torch.randn(1, 40, 8), torch.randn(size, 8), torch.randint(0, size, (1, 40))
mine = weight[shard.first : shard.first + shard.rows].clone().requires_grad_()
states = h.clone().requires_grad_()
whole, all_states = weight.clone().requires_grad_(), h.clone().requires_grad_()
token_losses(states, mine, targets, F.linear, shard).nll.sum().backward()
F.cross_entropy(F.linear(all_states, whole).flatten(0, 1), targets.flatten(), reduction="sum").backward()
rows = whole.grad[shard.first : shard.first + shard.rows]
same = torch.allclose(mine.grad, rows, atol=1e-5) and torch.allclose(states.grad, all_states.grad, atol=1e-5)
sys.stdout.write(f" {same} ")
"""


@pytest.mark.long
@pytest.mark.parametrize("size", [20, 19, 3])
def test_values_and_gradients_are_those_of_the_whole_vocabulary(size: int, tmp_path: Path) -> None:
    script = tmp_path / "split.py"
    script.write_text(SCRIPT)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(size)]
    done = subprocess.run(
        [sys.executable, *torchrun], capture_output=True, text=True, timeout=200, env=environment()
    )
    assert done.stdout.count("True") == 2, done.stdout + done.stderr[-2000:]
