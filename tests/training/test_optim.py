"""The update against PyTorch's own, and the shape of the schedule."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from trinch.training.optim import Muon, build_optimizers, clip, orthogonalise, schedule
from trinch.training.settings import Optimizer


def test_muon_is_torchs_on_a_matrix() -> None:
    torch.manual_seed(0)
    for shape in ((8, 20), (20, 8), (12, 12)):
        mine, theirs = (nn.Parameter(torch.ones(shape)) for _ in range(2))
        ours = Muon([mine], lr=0.02, momentum=0.95, weight_decay=0.1)
        reference = torch.optim.Muon(
            [theirs], lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
        )
        for _ in range(4):
            mine.grad = torch.randn(shape)
            theirs.grad = mine.grad.clone()
            ours.step()
            reference.step()
        # torch iterates in bfloat16.
        assert (mine - theirs).norm() / (theirs - 1).norm() < 0.02


def test_a_stack_is_orthogonalised_matrix_by_matrix() -> None:
    torch.manual_seed(1)
    stack = torch.randn(5, 6, 17)
    together = orthogonalise(stack)
    for one, out in zip(stack, together, strict=True):
        assert torch.allclose(orthogonalise(one), out, atol=1e-5)
        assert torch.linalg.svdvals(out).clamp(0.6, 1.3).equal(torch.linalg.svdvals(out))


def test_only_matrices_inside_blocks_go_to_muon() -> None:
    model = nn.ModuleDict(
        {"layers": nn.ModuleDict({"0": nn.Linear(4, 4)}), "embed_tokens": nn.Embedding(9, 4)}
    )
    muon, adamw = build_optimizers(model, Optimizer())
    assert [p.shape for g in muon.param_groups for p in g["params"]] == [(4, 4)]
    decays = {tuple(p.shape): g["weight_decay"] for g in adamw.param_groups for p in g["params"]}
    assert decays == {(4,): 0.0, (9, 4): 0.1}
    assert len(build_optimizers(model, Optimizer(name="adamw"))) == 1


def test_warm_up_stable_decay() -> None:
    settings = Optimizer(warmup=10, decay=0.2, floor=0.1)
    rates = [schedule(step, 100, settings) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 11)
    assert all(a < b for a, b in pairwise(rates[:11]))
    assert rates[10:80] == [1.0] * 70
    assert all(a > b for a, b in pairwise(rates[80:]))
    assert rates[-1] == pytest.approx(0.1 + 0.9 / 21)
    assert (
        schedule(50, 100, Optimizer(warmup=0, decay=0))
        == schedule(99, 100, Optimizer(warmup=0, decay=0))
        == 1
    )


def test_clipping_is_torchs() -> None:
    torch.manual_seed(2)
    mine = [nn.Parameter(torch.zeros(3, 4)), nn.Parameter(torch.zeros(7))]
    theirs = [nn.Parameter(torch.zeros_like(p)) for p in mine]
    for a, b in zip(mine, theirs, strict=True):
        a.grad = torch.randn_like(a)
        b.grad = a.grad.clone()
    norm = float(clip([(p, 1.0) for p in mine], 0.5))
    assert norm == pytest.approx(float(torch.nn.utils.clip_grad_norm_(theirs, 0.5)), rel=1e-6)
    for a, b in zip(mine, theirs, strict=True):
        assert a.grad is not None
        assert torch.allclose(a.grad, b.grad, atol=1e-6)
