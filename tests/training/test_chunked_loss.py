"""The loss a chunk of tokens at a time: the same loss and gradients, without logits of all tokens."""

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from trinch.model.config import CONFIGS  # noqa: E402
from trinch.model.grok import Grok  # noqa: E402
from trinch.training import chunked_loss  # noqa: E402
from trinch.training.chunked_loss import TokenLosses, token_losses  # noqa: E402
from trinch.training.data import IGNORE  # noqa: E402
from trinch.training.finetune import answer_log_probabilities, dpo_losses  # noqa: E402
from trinch.training.losses import NextToken  # noqa: E402

from .test_objective import plain_losses  # noqa: E402

ROWS, LENGTH = 2, 25


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation returns, in elements."""

    elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        for one in out if isinstance(out, tuple | list) else (out,):
            if isinstance(one, torch.Tensor):
                self.elements = max(self.elements, one.numel())
        return out


def model(**changes: Any) -> Grok:
    torch.manual_seed(0)
    small = {"vocab_size": 4099, "num_layers": 1, "max_positions": LENGTH}
    return Grok(replace(CONFIGS["tiny"], **small | changes))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and targets, 7 of which do not count."""
    tokens = torch.randint(0, 4099, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1))
    targets = torch.randint(0, 4099, (ROWS, LENGTH), generator=torch.Generator().manual_seed(2))
    targets[0, :7] = IGNORE
    return tokens, targets


def pretraining(losses: TokenLosses, targets: torch.Tensor) -> torch.Tensor:
    objective = NextToken(z_loss=1e-2)
    objective.begin(torch.tensor(ROWS * LENGTH - 7.0))
    return objective(losses, targets)


def preferences(losses: TokenLosses, targets: torch.Tensor) -> torch.Tensor:
    """A loss that is no sum over tokens."""
    chosen, rejected = answer_log_probabilities(losses).split(1)
    return dpo_losses(chosen, rejected, torch.tensor([-200.0]), torch.tensor([-201.0]), 0.05).sum()


def step(grok: Grok, chunked: bool, loss: Any = pretraining) -> tuple[float, dict[str, torch.Tensor], int]:
    """(loss, gradients, elements of the largest tensor) of one step."""
    tokens, targets = batch()
    grok.zero_grad()

    def head(h: torch.Tensor) -> torch.Tensor:
        return loss(token_losses(h, grok.head_weight, targets, grok.logits), targets)

    with Largest() as largest:
        value = grok(tokens, head=head) if chunked else loss(plain_losses(grok(tokens), targets), targets)
        torch.autograd.backward(value * 3)
    gradients = {name: p.grad.clone() for name, p in grok.named_parameters() if p.grad is not None}
    return float(value.detach()), gradients, largest.elements


@pytest.mark.parametrize("loss", [pretraining, preferences])
@pytest.mark.parametrize("changes", [{}, {"tie_embeddings": True}, {"final_softcap": 5.0}], ids=str)
@pytest.mark.parametrize("tokens", [1, 7, 50, 1000])
def test_chunks_change_neither_loss_nor_gradients(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], tokens: int, loss: Any
) -> None:
    monkeypatch.setattr(chunked_loss, "CHUNK_LOGITS", tokens * 4099)
    grok = model(**changes)
    plain, wanted, _ = step(grok, chunked=False, loss=loss)
    value, found, _ = step(grok, chunked=True, loss=loss)
    assert value == pytest.approx(plain, rel=1e-5)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert (found[name] - gradient).norm() <= 1e-5 * gradient.norm(), name


def test_the_gradient_may_be_taken_by_inputs_and_by_weights_apart() -> None:
    """As zero-bubble pipelines do; and nothing is kept where no gradient is wanted."""
    grok = model()
    _, targets = batch()
    h = torch.randn(ROWS, LENGTH, grok.config.hidden_size, requires_grad=True)
    weight = grok.head_weight.detach().requires_grad_()
    value = pretraining(token_losses(h, weight, targets, grok.logits), targets)
    together = torch.autograd.grad(value, [h, weight], retain_graph=True)
    apart = [torch.autograd.grad(value, x, retain_graph=True)[0] for x in (h, weight)]
    assert all(torch.equal(a, b) for a, b in zip(together, apart, strict=True))
    with torch.no_grad():
        assert pretraining(token_losses(h, weight, targets, grok.logits), targets) == value.detach()


@pytest.mark.parametrize("loss", [pretraining, preferences])
def test_logits_of_all_tokens_never_exist(monkeypatch: pytest.MonkeyPatch, loss: Any) -> None:
    """Nothing is larger than the head's weight: not logits, nor their gradients."""
    grok = model(hidden_size=32, num_heads=2, num_kv_heads=1, head_dim=16)
    monkeypatch.setattr(chunked_loss, "CHUNK_LOGITS", 5 * 4099)
    assert step(grok, chunked=False, loss=loss)[-1] >= ROWS * LENGTH * 4099
    assert step(grok, chunked=True, loss=loss)[-1] <= 32 * 4099
