"""Attention on a GPU by PyTorch's FlexAttention: one fused kernel, compiled for a Grok's capped scores.

The formula is that of `custom_gradients.capped_attention`, which computes it on a processor, where FlexAttention has no
backward pass. Scores are capped and multiplied by the temperature in a `score_mod`; blocks of keys that no query of a
block may see are skipped. A query that sees nothing gets zeros here, and the average of the values there.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

ScoreMod = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


@lru_cache(16)
def causal_mask(length: int, device: torch.device) -> BlockMask:
    """Each of `length` tokens sees itself and those before it."""

    def earlier(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return query >= key

    return _for_device(create_block_mask, device)(earlier, None, None, length, length, device=device)


def document_mask(documents: Tensor) -> BlockMask:
    """Each token sees itself and those before it of its own document; documents [B, T] integer."""

    def same(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (documents[b, query] == documents[b, key])

    batch, length = documents.shape
    create = _for_device(create_block_mask, documents.device)
    return create(same, batch, None, length, length, device=documents.device)


def capped_flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: BlockMask,
    temperature: Tensor | None,
    scale: float,
    cap: float,
) -> Tensor:
    """As `capped_attention`: query [B, J, G, T, C], key and value [B, J, T, C], temperature [B or 1, T] fp32.

    Returns [B, J, G, T, C] in query's dtype, in which the products are computed.
    """
    heads = query.flatten(1, 2)
    attend = _for_device(flex_attention, query.device)
    out: Tensor = attend(
        heads,
        key.to(query.dtype),
        value.to(query.dtype),
        score_mod=_score_mod(cap, temperature, query),
        block_mask=mask,
        scale=scale,
        enable_gqa=True,
    )
    return out.view(query.shape)


def _score_mod(cap: float, temperature: Tensor | None, queries: Tensor) -> ScoreMod:
    factors = None if temperature is None else temperature.expand(len(queries), -1)
    # A tensor, because a second model with another number would make PyTorch compile for any number, which fails.
    limit = torch.full((), cap, device=queries.device) if cap else None

    def modify(score: Tensor, b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        if limit is not None:
            score = limit * torch.tanh(score / limit)
        return score if factors is None else score * factors[b, query]

    return modify


@lru_cache(4)
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(function, dynamic=False)
    return compiled


def _for_device(function: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """Compiled on a GPU, where the plain form would hold all scores; as it is elsewhere, for the tests."""
    return _compiled(function) if device.type == "cuda" else function
