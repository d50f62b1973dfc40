"""Grok-1 and Grok-2 as one PyTorch module, for training and for inference.

In parity with xAI's JAX code (github.com/xai-org/grok-1, model.py) and, for what Grok-2 added, with the reference
engine (SGLang, models/grok.py).

Shapes: B sequences, T tokens, S keys (= T without a cache), D hidden, H query heads, J key-value heads,
C head_dim, E experts, K experts per token, F expert width, V vocabulary.

Precision: parameters may be stored in any dtype; weights are cast where they are used. `Grok.dtype` is that of
the experts, the dense MLP, the head, and of keys and values, hence of their cache. All that decides where a token
goes stays in fp32: residual stream, norms, attention, router. For a token sent to another expert by a rounding
error is off by far more than the error; and so XLA compiled the original for the parity files (docs/model.md).
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask
from torch.utils.checkpoint import checkpoint

from trinch.model.config import GrokConfig
from trinch.model.custom_gradients import (
    capped_attention,
    gated_gelu,
    grouped_matmul,
    pad_groups,
    rms_norm,
    rotate,
)
from trinch.model.flex import capped_flex_attention, causal_mask, document_mask


def softcap(x: Tensor, cap: float) -> Tensor:
    """cap · tanh(x / cap); the identity for cap 0."""
    return cap * torch.tanh(x / cap) if cap else x


class RMSNorm(nn.Module):
    """x / rms(x) · weight, in fp32, cast back to x's dtype. The weight multiplies as is (not 1 + weight)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


class Linear(nn.Linear):
    """x @ weightᵀ without bias, the weight cast to x's dtype."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__(size_in, size_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype))


Masked = Tensor | BlockMask | None
"""Which keys a query may not see (`Attention.forward`)."""


class LayerCache(Protocol):
    """Keys and values of one layer seen so far (see `trinch.model.generate.KVCache`)."""

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add [B, J, T, C] and return everything so far, [B, J, S, C] each."""


class Rotary(NamedTuple):
    """Rotary phases and score temperature of positions."""

    cos: Tensor
    """[B or 1, 1, T, C/2] fp32."""
    sin: Tensor
    temperature: Tensor | None
    """[B or 1, T] fp32: factor on each query's capped scores; None where the model has none."""


def inverse_frequencies(config: GrokConfig, device: torch.device) -> Tensor:
    """Rotary frequencies [C/2], fp32. YaRN (arXiv 2309.00071) slows the low ones by the scaling factor."""
    exponent = torch.arange(0, config.head_dim, 2, dtype=torch.float32, device=device) / config.head_dim
    plain = 1.0 / config.rope_theta**exponent
    if config.rope_type == "plain":
        return plain

    def channel(rotations: float) -> float:
        """The channel that turns `rotations` times over the original context."""
        turns = config.rope_original_length / (rotations * 2 * math.pi)
        return config.head_dim * math.log(turns) / (2 * math.log(config.rope_theta))

    low = max(math.floor(channel(config.rope_beta_fast)), 0)
    high = min(math.ceil(channel(config.rope_beta_slow)), config.head_dim - 1)
    ramp = (torch.arange(config.head_dim // 2, dtype=torch.float32, device=device) - low) / max(
        high - low, 1e-3
    )
    slow = ramp.clamp(0, 1)
    return plain * (1 - slow) + plain / config.rope_scaling_factor * slow


class Attention(nn.Module):
    """Grouped-query attention with rotary positions and capped scores."""

    def __init__(self, config: GrokConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.scale, self.cap = config.attention_scale, config.attention_softcap
        self.q_proj = Linear(config.hidden_size, config.num_heads * config.head_dim)
        self.k_proj = Linear(config.hidden_size, config.num_kv_heads * config.head_dim)
        self.v_proj = Linear(config.hidden_size, config.num_kv_heads * config.head_dim)
        self.o_proj = Linear(config.num_heads * config.head_dim, config.hidden_size)

    def forward(
        self,
        x: Tensor,
        dtype: torch.dtype,
        rotary: Rotary,
        masked: Masked,
        cache: LayerCache | None,
    ) -> Tensor:
        """x [B, T, D] -> [B, T, D]; masked [B or 1, T, S] bool: keys a query may not see, None for causal; a BlockMask
        for FlexAttention.

        Keys and values are rounded to `dtype`, with and without a cache.
        """
        # Head counts come from the weights, so that a tensor-parallel shard works unchanged.
        query, key, value = (
            p(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for p in (self.q_proj, self.k_proj, self.v_proj)
        )
        query, key = rotate(query, rotary.cos, rotary.sin), rotate(key, rotary.cos, rotary.sin)
        key, value = key.to(dtype), value.to(dtype)
        if cache is not None:
            key, value = cache.append(key, value)
        # Query head h reads key head h // (H / J).
        grouped = query.view(key.shape[0], key.shape[1], -1, *query.shape[2:])
        more = rotary.temperature, self.scale, self.cap
        if isinstance(masked, BlockMask):
            out = capped_flex_attention(grouped, key, value, masked, *more)
        else:
            out = capped_attention(grouped, key, value, masked, *more)
        projected: Tensor = self.o_proj(out.flatten(1, 2).transpose(1, 2).flatten(2))
        return projected


class MLP(nn.Module):
    """down(gelu_tanh(gate(x)) · up(x))."""

    def __init__(self, hidden_size: int, size: int) -> None:
        super().__init__()
        self.gate_proj = Linear(hidden_size, size)
        self.up_proj = Linear(hidden_size, size)
        self.down_proj = Linear(size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(gated_gelu(self.gate_proj(x), self.up_proj(x)))
        return out


def run_experts(x: Tensor, counts: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """down(gelu_tanh(gate(x)) · up(x)), each row through its own expert.

    x [M, D], rows sorted by expert; counts [E] integer, rows of each expert, their sum M; gate and up
    [E, D, F], down [E, F, D] -> [M, D].
    """
    x, counts, slots = pad_groups(x, counts)
    inner = gated_gelu(grouped_matmul(x, gate, counts), grouped_matmul(x, up, counts))
    out = grouped_matmul(inner, down, counts)
    return out if slots is None else out.index_select(0, slots)


def count_choices(expert: Tensor, experts: int) -> Tensor:
    """How often each of `experts` occurs in `expert` [...], [experts]. As torch.bincount, for which the host waits."""
    flat = expert.flatten()
    return torch.zeros(experts, dtype=torch.long, device=flat.device).scatter_add_(
        0, flat, torch.ones_like(flat)
    )


class Experts(nn.Module):
    """The experts' weights, stacked [E, in, out]; a subclass may shard them over processes."""

    def __init__(self, config: GrokConfig) -> None:
        super().__init__()
        e, d, f = config.num_experts, config.hidden_size, config.moe_intermediate_size
        self.gate = nn.Parameter(torch.empty(e, d, f))
        self.up = nn.Parameter(torch.empty(e, d, f))
        self.down = nn.Parameter(torch.empty(e, f, d))

    def forward(self, x: Tensor, counts: Tensor) -> Tensor:
        """x [M, D], rows sorted by expert; counts [E] integer, rows of each expert, their sum M -> [M, D]."""
        return run_experts(x, counts, self.gate, self.up, self.down)


class MoE(nn.Module):
    """Each token goes to its K likeliest experts; their outputs are weighted by the router's probabilities.

    The probabilities are a softmax over all experts, not renormalised over the chosen. No token is dropped.
    """

    def __init__(self, config: GrokConfig) -> None:
        super().__init__()
        self.k, self.cap = config.num_experts_per_token, config.router_softcap
        self.router = Linear(config.hidden_size, config.num_experts)
        self.experts = Experts(config)

    @torch.compiler.disable  # counts of rows decide shapes, and grouped_mm has no fp32 form in the compiler
    def forward(self, x: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, D] fp32 -> output [B, T, D] and the router's capped logits [B, T, E], both fp32.

        `low` is x as the experts take it, in their dtype.
        """
        logits = softcap(self.router(x), self.cap)
        gate, expert = logits.softmax(-1).topk(self.k, dim=-1)  # [B, T, K]
        order = expert.view(-1).argsort(stable=True)
        counts = count_choices(expert, logits.shape[-1])
        rows = low.reshape(-1, x.shape[-1]).index_select(0, order // self.k)
        out = self.experts(rows, counts)
        inverse = torch.empty_like(order).scatter_(0, order, torch.arange(order.numel(), device=order.device))
        chosen = out.index_select(0, inverse).view(-1, self.k, out.shape[-1])  # [N, K, D]
        mixed = torch.bmm(gate.view(-1, 1, self.k), chosen.float())
        return mixed.view(x.shape), logits


class Block(nn.Module):
    """One layer: h += norm(attention(norm(h))); h += norm(feed_forward(norm(h)))."""

    def __init__(self, config: GrokConfig) -> None:
        super().__init__()
        d, eps = config.hidden_size, config.rms_norm_eps
        self.pre_attn_norm = RMSNorm(d, eps)
        self.attn = Attention(config)
        self.post_attn_norm = RMSNorm(d, eps)
        self.pre_moe_norm = RMSNorm(d, eps)
        self.moe = MoE(config)
        self.mlp = MLP(d, config.intermediate_size) if config.intermediate_size else None
        self.post_moe_norm = RMSNorm(d, eps)
        self.compiled = False
        """Run through `torch.compile`."""
        self.recompute = False
        """Keep only the input and run the block again for its gradient (activation checkpointing)."""

    def forward(
        self,
        h: Tensor,
        dtype: torch.dtype,
        rotary: Rotary,
        masked: Masked = None,
        cache: LayerCache | None = None,
    ) -> tuple[Tensor, Tensor]:
        """h [B, T, D] -> h [B, T, D] and the router's logits [B, T, E], all fp32; masked as in Attention."""
        compute = _compiled_block() if self.compiled else Block._compute
        if self.recompute and torch.is_grad_enabled():
            h, logits = checkpoint(compute, self, h, dtype, rotary, masked, cache, use_reentrant=False)
            return h, logits
        return compute(self, h, dtype, rotary, masked, cache)

    def _compute(
        self,
        h: Tensor,
        dtype: torch.dtype,
        rotary: Rotary,
        masked: Masked,
        cache: LayerCache | None,
    ) -> tuple[Tensor, Tensor]:
        h = h + self.post_attn_norm(self.attn(self.pre_attn_norm(h), dtype, rotary, masked, cache))
        x = self.pre_moe_norm(h)
        low = x.to(dtype)
        out, logits = self.moe(x, low)
        if self.mlp is not None:
            out = (self.mlp(low) + out) / math.sqrt(2)
        return h + self.post_moe_norm(out), logits


@lru_cache(1)
def _compiled_block() -> Callable[..., tuple[Tensor, Tensor]]:
    """One compiled function for all blocks, so that equal ones are compiled once."""
    compiled: Callable[..., tuple[Tensor, Tensor]] = torch.compile(Block._compute)
    return compiled


class Grok(nn.Module):
    """The whole model. Costs nothing on the meta device; then `to_empty(device=…)` and `init_weights()`.

    A pipeline stage may set `embed_tokens` or `norm` (and with it the head) to None and delete entries of
    `layers`: `forward` then takes hidden states [B, T, D] fp32 instead of tokens, or returns them, not logits.
    """

    def __init__(self, config: GrokConfig, dtype: torch.dtype = torch.float32) -> None:
        """`dtype`: of the large products (see above); parameters are created in torch's default (see `cast`)."""
        super().__init__()
        self.config, self.dtype = config, dtype
        self.flex: bool | None = None
        """Whether whole sequences run FlexAttention; None: on a GPU."""
        self.embed_tokens: nn.Embedding | None = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleDict({str(i): Block(config) for i in range(config.num_layers)})
        self.norm: RMSNorm | None = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.lm_head = None if config.tie_embeddings else Linear(config.hidden_size, config.vocab_size)
        self.init_weights()

    @torch.no_grad()
    def init_weights(self) -> None:
        """Norms 1, all else normal with σ = fan_in ** -0.5 (the table: hidden ** -0.5)."""
        for parameter in self.parameters():
            if parameter.ndim == 1:
                parameter.fill_(1.0)
                continue
            fan_in = parameter.shape[1]  # [V, D], Linear's [out, in] and the experts' [E, in, out] alike
            nn.init.normal_(parameter, std=fan_in**-0.5)

    def cast(self, dtype: torch.dtype) -> "Grok":
        """Compute in `dtype`, and store in it the weights used only there, nearly all of a Grok. Returns self."""
        self.dtype = dtype
        for name, parameter in self.named_parameters():
            if ".experts." in name or ".mlp." in name or name.startswith("lm_head."):
                parameter.data = parameter.data.to(dtype)
        return self

    def rotary(self, positions: Tensor) -> Rotary:
        """Phases and temperature of positions [B or 1, T]."""
        phase = positions.float()[:, None, :, None] * inverse_frequencies(self.config, positions.device)
        temperature = None
        if length := self.config.attention_temperature_len:
            temperature = torch.log2(positions.clamp(min=length).float()) / math.log2(length)
        return Rotary(phase.cos(), phase.sin(), temperature)

    def forward(
        self,
        tokens: Tensor,
        *,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
        documents: Tensor | None = None,
        cache: Sequence[LayerCache] | None = None,
        return_router: bool = False,
        last_only: bool = False,
        head: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Logits [B, T, V] in `self.dtype` of what follows each of tokens [B, T].

        positions: [B or 1, T] integer, default 0, 1, 2….
        mask: [B or 1, T, S] bool, True where a query may see a key (`attention_mask`); None is plain causal.
        documents: [B, T] integer, the document of each token of a packed sequence, in place of the two above:
        a token sees its own document only, whose positions start at 0, as in a batch of its own.
        cache: one per layer, for generation; positions must then be given.
        return_router: also return the routers' capped fp32 logits [layers, B, T, E], of which load-balancing
        and z losses are made: probabilities are their softmax, the chosen experts its top K.
        last_only: logits of the last token only, [B, 1, V].
        head: called with the normalised hidden states [B, T, D]; what it returns is returned in place of the logits.
        """
        masked = self._masked(tokens, mask, documents, cache is None)
        if documents is not None:
            assert positions is mask is None, "documents say what positions and mask would"
            positions = document_positions(documents)
        if positions is None:
            positions = torch.arange(tokens.shape[1], device=tokens.device)[None]
        h = tokens
        if not tokens.is_floating_point():
            assert self.embed_tokens is not None, "this stage takes hidden states, not tokens"
            h = self.embed_tokens(tokens).float() * self.config.embedding_multiplier
        rotary = self.rotary(positions)
        routers = []
        for i, block in enumerate(self.layers.values()):
            h, logits = block(h, self.dtype, rotary, masked, cache[i] if cache else None)
            routers.append(logits)
        if self.norm is not None:
            h = (head or self.logits)(self.norm(h[:, -1:] if last_only else h))
        return (h, torch.stack(routers)) if return_router else h

    def _masked(self, tokens: Tensor, mask: Tensor | None, documents: Tensor | None, whole: bool) -> Masked:
        """What `Attention` takes. FlexAttention runs whole sequences; generation runs queries against a cache."""
        flex = self.flex if self.flex is not None else tokens.device.type == "cuda"
        if flex and whole and mask is None:
            return (
                causal_mask(tokens.shape[1], tokens.device) if documents is None else document_mask(documents)
            )
        if documents is not None:
            mask = attention_mask(tokens.shape[1], documents=documents)
        return None if mask is None else ~mask

    @property
    def head_weight(self) -> Tensor:
        """The head's weight [V, D] in `self.dtype`."""
        head = self.lm_head or self.embed_tokens
        assert head is not None, "a stage with tied embeddings needs the table for its head"
        return head.weight.to(self.dtype)

    def logits(self, h: Tensor, weight: Tensor | None = None) -> Tensor:
        """Logits [..., V] in `self.dtype` of normalised hidden states [..., D]; `weight` is used in place of `head_weight`."""
        # The multiplier is cheaper on the hidden states than on the logits.
        scaled = (h * self.config.output_multiplier).to(self.dtype)
        return softcap(
            F.linear(scaled, self.head_weight if weight is None else weight), self.config.final_softcap
        )


def document_positions(documents: Tensor) -> Tensor:
    """Positions [B, T] within the document [B, T] each token belongs to; one document's tokens are in a row."""
    place = torch.arange(documents.shape[1], device=documents.device)
    begins = documents[:, 1:] != documents[:, :-1]
    return place - F.pad(place[1:] * begins, (1, 0)).cummax(1).values


def attention_mask(
    length: int,
    *,
    seen: Tensor | None = None,
    documents: Tensor | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Causal mask [B or 1, T, S] for `Grok.forward`, T = `length`: the last T of S positions ask.

    seen: [B, S] bool, False at padding. documents: [B, S] integer; a token sees only its own document.
    """
    size = next((x.shape[1] for x in (seen, documents) if x is not None), length)
    if device is None:
        device = next((x.device for x in (seen, documents) if x is not None), torch.device("cpu"))
    mask = torch.ones(1, length, size, dtype=torch.bool, device=device).tril(size - length)
    if seen is not None:
        mask = mask & seen[:, None, :]
    if documents is not None:
        mask = mask & (documents[:, -length:, None] == documents[:, None, :])
    return mask
