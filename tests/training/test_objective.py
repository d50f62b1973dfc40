"""The losses against formulas written out, and that they do not depend on how a batch is split."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import nn

from trinch.model.config import get_config
from trinch.model.grok import Grok
from trinch.training.chunked_loss import TokenLosses
from trinch.training.losses import NextToken, RouterLosses, balance_loss


def small_grok() -> Grok:
    torch.manual_seed(0)
    return Grok(
        replace(get_config("tiny"), vocab_size=64, num_layers=2, hidden_size=32, moe_intermediate_size=32)
    )


def plain_losses(logits: torch.Tensor, targets: torch.Tensor) -> TokenLosses:
    """The formula, on logits [B, T, V] of all tokens."""
    flat, wanted = logits.flatten(0, 1), targets.flatten()
    nll = F.cross_entropy(flat, wanted, reduction="none")
    return TokenLosses(
        *(x.masked_fill(wanted == -100, 0).view_as(targets) for x in (nll, flat.logsumexp(-1)))
    )


def next_token(z_loss: float, tokens: float) -> NextToken:
    objective = NextToken(z_loss)
    objective.begin(torch.tensor(tokens))
    return objective


def test_cross_entropy_is_the_mean_over_all_targets_that_count() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 5, 11), torch.randint(0, 11, (2, 5))
    targets[0, 3] = -100
    objective = next_token(0.01, 9.0)
    loss, nats = objective(plain_losses(logits, targets), targets), objective.take()
    kept = targets.flatten() != -100
    flat = logits.flatten(0, 1)[kept]
    wanted = F.cross_entropy(flat, targets.flatten()[kept]) + 0.01 * flat.logsumexp(-1).square().mean()
    assert float(loss) == pytest.approx(float(wanted), rel=1e-6)
    assert float(nats) == pytest.approx(9 * float(F.cross_entropy(flat, targets.flatten()[kept])), rel=1e-6)


def test_balance_is_one_when_even_and_grows_to_experts_over_k() -> None:
    even = torch.eye(8).repeat(1, 4, 1) * 50 + torch.eye(8).roll(1, 0).repeat(1, 4, 1) * 50
    assert float(balance_loss(even, 2)) == pytest.approx(1.0, rel=1e-4)
    one_sided = torch.zeros(1, 32, 8)
    one_sided[..., :2] = 50
    assert float(balance_loss(one_sided, 2)) == pytest.approx(4.0, rel=1e-4)


def test_attached_losses_are_the_written_ones() -> None:
    tokens = torch.randint(0, 64, (3, 12))
    model = small_grok()
    logits, routers = model(tokens, return_router=True)
    extra = sum(0.02 * balance_loss(r, 2).mean() + 0.003 * r.logsumexp(-1).square().mean() for r in routers)
    (logits.square().mean() + extra).backward()
    wanted = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    model = small_grok()
    losses = RouterLosses(model, 0.02, 0.003)
    losses.reset(3, 36)
    plain = model(tokens)
    assert torch.equal(plain, logits)
    plain.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter.grad, wanted[name], atol=1e-6), name
    assert [float(load.sum()) for load in losses.load.values()] == [72.0, 72.0]


def test_halves_of_a_batch_add_up_to_the_whole() -> None:
    tokens = torch.randint(0, 64, (4, 12))
    gradients = []
    for parts in (1, 2, 4):
        model = small_grok()
        RouterLosses(model, 0.02, 0.003).reset(4, 48)
        for part in tokens.chunk(parts):
            next_token(1e-3, 48.0)(plain_losses(model(part), part), part).backward()
        gradients.append(nn.utils.parameters_to_vector([p.grad for p in model.parameters()]))
    assert (gradients[0] - gradients[1]).abs().max() < 1e-6
    assert (gradients[0] - gradients[2]).abs().max() < 1e-6
