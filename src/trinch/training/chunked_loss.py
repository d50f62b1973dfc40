"""The head and the cross entropy of each token, a chunk of tokens at a time: logits of all tokens never exist.

With 131,072 tokens in the vocabulary, logits, their softmax and gradients would take 20 bytes per token and entry of
the vocabulary: 21 GB for one sequence of 8,192. As in Liger's fused linear cross entropy (arXiv:2410.10989) a chunk's
logits are dropped after use; here they are computed again for the gradient (those of the last chunk are kept), so that
the loss may be any function of the tokens' cross entropies: pre-training, preferences, and the last stage of a pipeline.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from trinch.training.data import IGNORE

CHUNK_LOGITS = 1 << 24
"""Logits computed at once: 64 MiB in fp32."""

Head = Callable[[Tensor, Tensor], Tensor]
"""(hidden states [n, D], weight [V, D]) -> logits [n, V]."""


class TokenLosses(NamedTuple):
    """What losses are made of; 0 where a token is no target."""

    nll: Tensor
    """[B, T] fp32, cross entropy in nats."""
    log_normalizer: Tensor
    """[B, T] fp32, log sum exp of the logits."""


@dataclass(frozen=True)
class VocabularyShard:
    """The rows of the head's weight that this process holds: all, or its share of a process group's."""

    first: int = 0
    """The first row's token."""
    group: dist.ProcessGroup | None = None
    rows: int = 0
    """Rows of the largest part: all processes of the group take as many tokens at a time. 0: those of the weight."""


WHOLE = VocabularyShard()


def token_losses(
    h: Tensor, weight: Tensor, targets: Tensor, head: Head, shard: VocabularyShard = WHOLE
) -> TokenLosses:
    """Of hidden states [B, T, D] and targets [B, T] under the head's weight [V, D], or the rows of it in `shard`."""
    rows, wanted = h.flatten(0, 1), targets.flatten()
    size = max(1, CHUNK_LOGITS // (shard.rows or len(weight)))
    both: Tensor = _TokenLosses.apply(  # type: ignore[no-untyped-call]  # torch's
        rows, weight, wanted, head, shard, size, torch.is_grad_enabled()
    )
    nll, log_normalizer = both.view(2, *targets.shape)
    return TokenLosses(nll, log_normalizer)


class _TokenLosses(torch.autograd.Function):
    """(rows [N, D], weight [V, D], wanted [N]) -> [2, N]: cross entropy and log normalizer.

    One output, and the backward pass may run twice: zero-bubble pipelines differentiate by inputs and by weights apart.
    """

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        wanted: Tensor,
        head: Head,
        shard: VocabularyShard,
        size: int,
        differentiable: bool,
    ) -> Tensor:
        ctx.head, ctx.shard, ctx.size, ctx.kept = head, shard, size, None
        normalizers: list[Tensor] = []
        picked: list[Tensor] = []
        for part, want in zip(torch.split(rows, size), torch.split(wanted, size), strict=True):
            last = differentiable and len(normalizers) == (len(rows) - 1) // size
            graph = _chunk(part, weight, head, last)
            normalizer, at_target = _normalizer(graph[-1].detach().float(), want, shard)
            normalizers.append(normalizer)
            picked.append(at_target)
            if last:
                ctx.kept = graph
        every = torch.cat(normalizers)
        ctx.save_for_backward(rows, weight, wanted, every)
        return torch.stack([every - torch.cat(picked), every]).masked_fill(wanted == IGNORE, 0.0)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, wanted, every = ctx.saved_tensors
        of_nll, of_normalizer = outer[0].masked_fill(wanted == IGNORE, 0.0)
        of_rows, of_weight = torch.empty_like(rows), torch.zeros_like(weight, dtype=torch.float32)
        for begin in range(0, len(rows), ctx.size):
            chunk = slice(begin, begin + ctx.size)
            graph = ctx.kept if begin + ctx.size >= len(rows) else _chunk(rows[chunk], weight, ctx.head, True)
            *inputs, logits = graph
            slope = (logits.detach().float() - every[chunk, None]).exp_()
            slope *= (of_nll + of_normalizer)[chunk, None]
            local, here = _local(wanted[chunk], len(weight), ctx.shard)
            slope.scatter_add_(1, local, -(of_nll[chunk, None] * here))
            of_rows[chunk], mine = torch.autograd.grad(
                logits, inputs, slope.to(logits.dtype), retain_graph=True
            )
            of_weight += mine
        if ctx.shard.group is not None:
            dist.all_reduce(of_rows, group=ctx.shard.group)
        return of_rows, of_weight.to(weight.dtype), None, None, None, None, None


def _chunk(rows: Tensor, weight: Tensor, head: Head, graph: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(rows, weight, logits) of a chunk, with the graph between them where it is wanted."""
    with torch.set_grad_enabled(graph):
        inputs = rows.detach().requires_grad_(graph), weight.detach().requires_grad_(graph)
        return *inputs, head(*inputs)


def _local(wanted: Tensor, size: int, shard: VocabularyShard) -> tuple[Tensor, Tensor]:
    """Rows of the shard that hold the targets [n, 1], and whether it holds them at all [n, 1]."""
    place = wanted[:, None] - shard.first
    return place.clamp(0, size - 1), (place >= 0) & (place < size)


def _normalizer(logits: Tensor, wanted: Tensor, shard: VocabularyShard) -> tuple[Tensor, Tensor]:
    """Log sum exp over the whole vocabulary, and the target's logit, [n] each, of logits [n, V] of the shard."""
    local, here = _local(wanted, logits.shape[1], shard)
    picked = logits.gather(1, local).masked_fill(~here, 0.0)[:, 0]
    if shard.group is None:
        return logits.logsumexp(-1), picked
    top = logits.amax(-1)
    dist.all_reduce(top, dist.ReduceOp.MAX, group=shard.group)
    both = torch.stack([(logits - top[:, None]).exp_().sum(-1), picked])
    dist.all_reduce(both, group=shard.group)
    return top + both[0].log(), both[1]
