"""The head and a loss over tokens, a chunk at a time: logits of all tokens, [B, T, V], never exist.

With 131,072 tokens in the vocabulary, logits, their softmax and gradients would take 20 bytes per token and entry of
the vocabulary: 21 GB for one sequence of 8,192. The gradients of a chunk are computed right after its loss, as in
Liger's fused linear cross entropy (arXiv:2410.10989), but for any loss and any function from hidden states to logits.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

CHUNK_LOGITS = 1 << 24
"""Logits computed at once: 64 MiB in fp32."""

Head = Callable[[Tensor, Tensor], Tensor]
"""(hidden states [n, D], weight [V, D]) -> logits [n, V]."""
TokenLoss = Callable[[Tensor, Tensor], Tensor]
"""(logits [1, n, V], targets [1, n]) -> their part of the loss, which is the sum of the parts of all tokens."""


def chunked_loss(h: Tensor, weight: Tensor, targets: Tensor, head: Head, loss: TokenLoss) -> Tensor:
    """The loss, a scalar, of hidden states [B, T, D] and targets [B, T] under the head's weight [V, D]."""
    rows, wanted = h.flatten(0, 1), targets.flatten()
    size = max(1, CHUNK_LOGITS // len(weight))
    if torch.is_grad_enabled():
        total: Tensor = _ChunkedLoss.apply(rows, weight, wanted, head, loss, size)  # type: ignore[no-untyped-call]  # torch's
        return total
    parts = zip(torch.split(rows, size), torch.split(wanted, size), strict=True)
    return torch.stack([loss(head(part, weight)[None], want[None]) for part, want in parts]).sum()


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, wanted: Tensor, head: Head, loss: TokenLoss, size: int
    ) -> Tensor:
        gradients, of_weight, total = [], torch.zeros_like(weight, dtype=torch.float32), rows.new_zeros(())
        for part, want in zip(torch.split(rows, size), torch.split(wanted, size), strict=True):
            with torch.enable_grad():
                inputs = part.detach().requires_grad_(), weight.detach().requires_grad_()
                value = loss(head(*inputs)[None], want[None])
                mine, of_this = torch.autograd.grad(value, inputs)
            gradients.append(mine)
            of_weight += of_this
            total += value.detach()
        ctx.save_for_backward(torch.cat(gradients), of_weight.to(weight.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        of_rows, of_weight = ctx.saved_tensors
        return outer[0] * of_rows, outer[0] * of_weight, None, None, None, None
