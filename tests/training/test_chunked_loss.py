"""The loss a chunk of tokens at a time: the same loss and gradients, without logits of all tokens."""

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from trinch.model.config import CONFIGS  # noqa: E402
from trinch.model.grok import Grok  # noqa: E402
from trinch.training import chunked_loss  # noqa: E402
from trinch.training.data import IGNORE  # noqa: E402
from trinch.training.losses import NextToken  # noqa: E402

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


def step(grok: Grok, chunked: bool) -> tuple[float, float, dict[str, torch.Tensor], int]:
    """(loss, tally, gradients, elements of the largest tensor) of one step, 7 of whose tokens are no targets."""
    tokens = torch.randint(0, 4099, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1))
    targets = torch.randint(0, 4099, (ROWS, LENGTH), generator=torch.Generator().manual_seed(2))
    targets[0, :7] = IGNORE
    objective = NextToken(z_loss=1e-2)
    objective.begin(float(ROWS * LENGTH - 7))
    grok.zero_grad()

    def head(h: torch.Tensor) -> torch.Tensor:
        return chunked_loss.chunked_loss(h, grok.head_weight, targets, grok.logits, objective)

    with Largest() as largest:
        loss = grok(tokens, head=head) if chunked else objective(grok(tokens), targets)
        torch.autograd.backward(loss * 3)
    gradients = {name: p.grad.clone() for name, p in grok.named_parameters() if p.grad is not None}
    return float(loss.detach()), objective.take(), gradients, largest.elements


@pytest.mark.parametrize("changes", [{}, {"tie_embeddings": True}, {"final_softcap": 5.0}], ids=str)
@pytest.mark.parametrize("tokens", [1, 7, 50, 1000])
def test_chunks_change_neither_loss_nor_gradients(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], tokens: int
) -> None:
    monkeypatch.setattr(chunked_loss, "CHUNK_LOGITS", tokens * 4099)
    grok = model(**changes)
    loss, nats, wanted, _ = step(grok, chunked=False)
    found_loss, found_nats, found, _ = step(grok, chunked=True)
    assert found_loss == pytest.approx(loss, rel=1e-6)
    assert found_nats == pytest.approx(nats, rel=1e-6)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert (found[name] - gradient).norm() <= 1e-5 * gradient.norm(), name
    with torch.no_grad():
        assert step_without_gradients(grok) == pytest.approx(loss, rel=1e-6)


def step_without_gradients(grok: Grok) -> float:
    tokens = torch.randint(0, 4099, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1))
    targets = torch.randint(0, 4099, (ROWS, LENGTH), generator=torch.Generator().manual_seed(2))
    targets[0, :7] = IGNORE
    objective = NextToken(z_loss=1e-2)
    objective.begin(float(ROWS * LENGTH - 7))
    return float(
        grok(
            tokens,
            head=lambda h: chunked_loss.chunked_loss(h, grok.head_weight, targets, grok.logits, objective),
        )
    )


def test_logits_of_all_tokens_never_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is larger than the head's weight: not logits, nor their gradients."""
    grok = model(hidden_size=32, num_heads=2, num_kv_heads=1, head_dim=16)
    monkeypatch.setattr(chunked_loss, "CHUNK_LOGITS", 5 * 4099)
    assert step(grok, chunked=False)[-1] >= ROWS * LENGTH * 4099
    assert step(grok, chunked=True)[-1] <= 32 * 4099
