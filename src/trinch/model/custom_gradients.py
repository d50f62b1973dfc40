"""Operations with gradients written by hand, where automatic ones would keep or copy too much.

Each is a plain formula, given in its docstring, and tested against that formula. Sums and exponentials run in fp32
whatever comes in; results are cast back.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

MASKED = -1e30
"""Score of a masked key. Finite, as in the original: a query whose keys are all masked averages them."""

SCORES_AT_ONCE = {"cpu": 1 << 18, "cuda": 1 << 26}
"""Scores in memory at once: what stays in a processor's cache, or keeps a GPU busy."""


class _RMSNorm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        x32, weight = x.float(), weight.float()
        norm = torch.linalg.vector_norm(x32, dim=-1, keepdim=True)
        scale = torch.rsqrt(norm.square_() / x.shape[-1] + eps)
        ctx.save_for_backward(x, weight, scale)
        return (x32 * scale).mul_(weight).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        grad = grad.float()
        unit = x.float() * scale
        product = grad * unit
        along = (product @ weight).unsqueeze(-1) / x.shape[-1]
        grad_x = (grad * weight).addcmul_(unit, along, value=-1).mul_(scale)
        return grad_x.to(x.dtype), product.flatten(0, -2).sum(0), None


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / sqrt(mean(x²) + eps) · weight over the last dimension, in x's dtype."""
    out: Tensor = _RMSNorm.apply(  # type: ignore[no-untyped-call] # torch leaves it untyped
        x, weight, eps
    )
    return out


class _Rotate(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(grad, cos, -sin), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    a, b = x[..., :half].float(), x[..., half:].float()
    if torch.compiler.is_compiling():  # which fuses this, and has no use for outputs written in place
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)
    out = torch.empty(x.shape, dtype=torch.float32, device=x.device)
    torch.mul(a, cos, out=out[..., :half]).addcmul_(b, sin, value=-1)
    torch.mul(b, cos, out=out[..., half:]).addcmul_(a, sin)
    return out.to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs (i, i + C/2) of x [..., C] by phases given as cos and sin [..., C/2] fp32; in x's dtype."""
    out: Tensor = _Rotate.apply(  # type: ignore[no-untyped-call] # torch leaves it untyped
        x, cos, sin
    )
    return out


class _CappedAttention(Function):
    """Scores are made block by block, and made again for the gradient: memory is linear in the sequence."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        masked: Tensor | None,
        temperature: Tensor | None,
        scale: float,
        cap: float,
    ) -> Tensor:
        ctx.save_for_backward(query, key, value, masked, temperature)
        ctx.scale, ctx.cap = scale, cap
        out = torch.empty_like(query)
        k, v = key.flatten(0, 1).float(), value.flatten(0, 1).float()
        for rows, keys in _blocks(query, key, masked):
            q = query[:, :, :, rows]
            _, weights = _attention_weights(q, k[:, keys], rows, masked, temperature, scale, cap)
            out[:, :, :, rows] = torch.bmm(weights, v[:, keys]).view(q.shape)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, masked, temperature = ctx.saved_tensors
        scale, cap = ctx.scale, ctx.cap
        k, v = key.flatten(0, 1).float(), value.flatten(0, 1).float()
        grad_q, grad_k, grad_v = torch.empty_like(query), torch.zeros_like(k), torch.zeros_like(v)
        for rows, keys in _blocks(query, key, masked):
            q, g = query[:, :, :, rows], grad[:, :, :, rows].flatten(0, 1).flatten(1, 2).float()
            tanh, weights = _attention_weights(q, k[:, keys], rows, masked, temperature, scale, cap)
            grad_v[:, keys].baddbmm_(weights.mT, g)
            slope = torch.bmm(g, v[:, keys].mT)
            slope = torch.ops.aten._softmax_backward_data(slope, weights, -1, torch.float32)
            by_head = slope.view(*q.shape[:4], -1)
            if masked is not None:
                by_head.masked_fill_(masked[:, None, None, rows], 0)
            if temperature is not None:
                by_head.mul_(temperature[:, None, None, rows, None])
            if cap:
                slope = torch.ops.aten.tanh_backward(slope, tanh)
            grad_q[:, :, :, rows] = torch.bmm(slope, k[:, keys]).mul_(scale).view(q.shape)
            grad_k[:, keys].baddbmm_(slope.mT, q.flatten(0, 1).flatten(1, 2).float(), alpha=scale)
        grads = (x.to(key.dtype).view(key.shape) for x in (grad_k, grad_v))
        return grad_q, *grads, None, None, None, None


def _blocks(query: Tensor, key: Tensor, masked: Tensor | None) -> Iterator[tuple[slice, slice]]:
    """Rows of queries and the keys that any of them may see."""
    heads, length, size = query.shape[:3].numel(), query.shape[3], key.shape[2]
    step = max(SCORES_AT_ONCE.get(query.device.type, 1 << 26) // (heads * size), 16)
    for start in range(0, length, step):
        end = min(start + step, length)
        yield slice(start, end), slice(0, end + size - length if masked is None else size)


def _attention_weights(
    query: Tensor,
    key: Tensor,
    rows: slice,
    masked: Tensor | None,
    temperature: Tensor | None,
    scale: float,
    cap: float,
) -> tuple[Tensor, Tensor]:
    """tanh of the scores (of no use without a cap) and their softmax, both [B·J, G·R, S] fp32.

    query [B, J, G, R, C], key [B·J, S, C] fp32.
    """
    q = query.flatten(0, 1).flatten(1, 2).float()
    scores = torch.bmm(q, key.mT).mul_(scale / cap if cap else scale)
    tanh = scores.tanh_() if cap else scores
    scores = tanh * cap if cap else scores
    by_head = scores.view(*query.shape[:4], -1)
    if temperature is not None:
        by_head.mul_(temperature[:, None, None, rows, None])
    if masked is not None:
        by_head.masked_fill_(masked[:, None, None, rows], MASKED)
    elif (size := query.shape[3]) > 1:
        # Only the square at the end has keys that come after some query.
        later = torch.ones(size, size, dtype=torch.bool, device=query.device).triu(1)
        by_head[..., -size:].masked_fill_(later, MASKED)
    return tanh, scores.softmax(-1)


@torch.compiler.disable  # a loop; on a GPU the compiler meets FlexAttention instead
def capped_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    masked: Tensor | None,
    temperature: Tensor | None,
    scale: float,
    cap: float,
) -> Tensor:
    """softmax(where(masked, -1e30, temperature · cap · tanh(query · keyᵀ · scale / cap))) · value.

    query [B, J, G, T, C]: G query heads share each of J key heads; key, value [B, J, S, C];
    masked [B or 1, T, S] bool, True where a query may not see a key, None for causal, the last query seeing
    every key; temperature [B or 1, T]; cap 0 means none. Computed in fp32 whatever the dtypes; returns
    [B, J, G, T, C] in query's dtype.
    """
    out: Tensor = _CappedAttention.apply(  # type: ignore[no-untyped-call] # torch leaves it untyped
        query, key, value, masked, temperature, scale, cap
    )
    return out


def grouped_matmul(x: Tensor, weight: Tensor, counts: Tensor) -> Tensor:
    """x [M, in], rows sorted by group; weight [G, in, out]; counts [G] rows of each group -> [M, out]."""
    weight = weight.to(x.dtype)
    # The grouped kernel wants rows of whole 16-byte units; the loop takes anything.
    if all(size * x.element_size() % 16 == 0 for size in weight.shape[1:]):
        return F.grouped_mm(x, weight, offs=counts.cumsum(0, dtype=torch.int32))
    return torch.cat([rows @ weight[g] for g, rows in enumerate(torch.split(x, counts.tolist()))])


def pad_groups(x: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Rows of zeros after each group of x [M, in], so that it has a multiple of 32 rows.

    Returns x [M', in], counts [G] and where each row now is, [M]. On a processor oneDNN compiles a bfloat16
    product anew for every size it meets, which takes longer than the product itself; so it meets few sizes.
    Elsewhere, and where groups are smaller than that, all stays as it is, and there is no third value.
    """
    if x.device.type != "cpu" or x.dtype != torch.bfloat16 or len(x) < 32 * len(counts):
        return x, counts, None
    even = (counts + 31) // 32 * 32
    shift = (even - counts).cumsum(0) - (even - counts)
    slots = torch.arange(len(x)) + shift.repeat_interleave(counts)
    return x.new_zeros(int(even.sum()), x.shape[1]).index_copy(0, slots, x), even, slots


class _GatedGelu(Function):
    """GELU-tanh as x · sigmoid(2u), u = √(2/π)·(x + 0.044715·x³): torch's own kernel computes a slow tanh.

    Piece by piece, so that all the passes over a piece find it in the processor's cache.
    """

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        out, share = torch.empty_like(gate), torch.empty_like(gate)
        one = gate.new_tensor(_GELU_1)
        for g, u, s, o in _pieces(gate, up, share, out):
            torch.addcmul(one, g, g, value=_GELU_3, out=s).mul_(g).sigmoid_()
            torch.mul(s, g, out=o).mul_(u)
        ctx.save_for_backward(gate, up, share)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up, share = ctx.saved_tensors
        grad = grad.contiguous()
        grad_gate, grad_up = torch.empty_like(gate), torch.empty_like(up)
        one = gate.new_tensor(_GELU_1)
        for d, g, u, s, dg, du in _pieces(grad, gate, up, share, grad_gate, grad_up):
            torch.mul(s, g, out=du).mul_(d)
            bend = torch.addcmul(one, g, g, value=3 * _GELU_3).mul_(g)
            torch.mul(torch.ops.aten.sigmoid_backward(bend, s).add_(s), u, out=dg).mul_(d)
        return grad_gate, grad_up


def _pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of all tensors [..., F], some 256 KiB of each at a time."""
    rows = max((1 << 16) // tensors[0].shape[-1], 1)
    return zip(*(torch.split(x.view(-1, x.shape[-1]), rows) for x in tensors), strict=True)


_GELU_1 = 2 * (2 / math.pi) ** 0.5
_GELU_3 = _GELU_1 * 0.044715


def gated_gelu(gate: Tensor, up: Tensor) -> Tensor:
    """gelu_tanh(gate) · up."""
    if gate.device.type == "cpu" and gate.dtype == torch.float32 and not torch.compiler.is_compiling():
        out: Tensor = _GatedGelu.apply(gate.contiguous(), up.contiguous())  # type: ignore[no-untyped-call] # torch leaves it untyped
        return out
    return F.gelu(gate, approximate="tanh") * up
