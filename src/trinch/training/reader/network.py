"""The reader as a PyTorch module: a BERT encoder with three outputs for a pair (request, passage)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from trinch.training.reader.base import Base

EPSILON = 1e-12
SEGMENTS = 2  # request, passage


class Size(NamedTuple):
    """Sizes of an encoder."""

    pieces: int
    hidden: int = 384
    layers: int = 6
    heads: int = 12
    feed: int = 1536
    positions: int = 192


class Layer(nn.Module):
    """One post-norm transformer layer (Devlin et al. 2019)."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = size.heads, dropout
        self.query, self.key, self.value, self.out = (nn.Linear(size.hidden, size.hidden) for _ in range(4))
        self.rise, self.fall = nn.Linear(size.hidden, size.feed), nn.Linear(size.feed, size.hidden)
        self.norm1, self.norm2 = (nn.LayerNorm(size.hidden, eps=EPSILON) for _ in range(2))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x [batch, length, hidden]; bias [batch, 1, 1, length], very negative at padding."""
        batch, length, hidden = x.shape
        split = (batch, length, self.heads, hidden // self.heads)
        query, key, value = (
            linear(x).view(split).transpose(1, 2) for linear in (self.query, self.key, self.value)
        )
        if torch.onnx.is_in_onnx_export():
            weights = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(split[-1]) + bias, dim=-1)
            mixed = weights @ value
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        mixed = self.out(mixed.transpose(1, 2).reshape(batch, length, hidden))
        x = self.norm1(x + functional.dropout(mixed, self.dropout, self.training))
        fed = self.fall(functional.gelu(self.rise(x)))
        result: Tensor = self.norm2(x + functional.dropout(fed, self.dropout, self.training))
        return result


class Network(nn.Module):
    """(ids, segments) [batch, length] to (answers [batch], begins [batch, length], ends [batch, length]), all logits."""

    def __init__(self, size: Size, dropout: float = 0.1, frozen: int = 0) -> None:
        """`frozen`: how many of the lowest layers, with the embeddings, are not trained."""
        super().__init__()
        self.size, self.dropout, self.frozen = size, dropout, frozen
        self.word = nn.Embedding(size.pieces, size.hidden)
        self.position = nn.Embedding(size.positions, size.hidden)
        self.segment = nn.Embedding(SEGMENTS, size.hidden)
        self.norm = nn.LayerNorm(size.hidden, eps=EPSILON)
        self.layers = nn.ModuleList(Layer(size, dropout) for _ in range(size.layers))
        self.pool = nn.Linear(size.hidden, size.hidden)
        self.answers = nn.Linear(size.hidden, 1)
        self.span = nn.Linear(size.hidden, 2)

    def forward(self, ids: Tensor, segments: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Padding is id 1 (`trinch.reader.pieces.PADDING`)."""
        bias = ((ids == 1).to(self.norm.weight.dtype) * -1e4)[:, None, None, :]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            places = torch.arange(ids.shape[1], device=ids.device)
            x = self.norm(self.word(ids) + self.position(places)[None] + self.segment(segments))
            x = functional.dropout(x, self.dropout, self.training)
            for layer in self.layers[: self.frozen]:
                x = layer(x, bias)
        for layer in self.layers[self.frozen :]:
            x = layer(x, bias)
        pooled = torch.tanh(self.pool(x[:, 0]))
        spans = self.span(x)
        return self.answers(pooled)[:, 0], spans[..., 0], spans[..., 1]


def start(base: Base, kept: Sequence[int], layers: Sequence[int], frozen: int = 2) -> Network:
    """A network that begins with the base's embeddings of `kept` pieces and the given ones of its layers."""
    network = Network(Size(len(kept), base.hidden, len(layers), base.heads), frozen=frozen)
    tensors = {name: torch.from_numpy(value.copy()) for name, value in base.tensors.items()}
    word = tensors["emb.word"].view(-1, base.hidden)
    state = network.state_dict()
    state["word.weight"] = word[torch.tensor(kept)]
    state["position.weight"] = tensors["emb.pos"].view(-1, base.hidden)[: network.size.positions]
    types = tensors["emb.type"].view(-1, base.hidden)
    state["segment.weight"] = torch.stack([types[0], types[0]])
    state["norm.weight"], state["norm.bias"] = tensors["emb.ln.w"], tensors["emb.ln.b"]
    names = {
        "q": "query",
        "k": "key",
        "v": "value",
        "ao": "out",
        "fi": "rise",
        "fo": "fall",
        "aln": "norm1",
        "oln": "norm2",
    }
    for new, old in enumerate(layers):
        for short, long in names.items():
            target = f"layers.{new}.{long}"
            shape = state[f"{target}.weight"].shape
            state[f"{target}.weight"] = tensors[f"l{old}.{short}.w"].view(shape)
            state[f"{target}.bias"] = tensors[f"l{old}.{short}.b"]
    network.load_state_dict(state)
    return network
