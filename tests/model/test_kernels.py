"""The hand-written gradients against the plain formulas they stand for."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from trinch.model import custom_gradients
from trinch.model.custom_gradients import (
    capped_attention,
    gated_gelu,
    grouped_matmul,
    pad_groups,
    rms_norm,
    rotate,
)


def same(
    ours: Callable[..., Tensor], plain: Callable[..., Tensor], *inputs: Tensor, rel: float = 2e-5
) -> None:
    """Both give the same values and the same gradient of every input, for a random direction."""
    torch.manual_seed(1)
    results = []
    for function in (ours, plain):
        leaves = [x.detach().clone().requires_grad_() for x in inputs]
        out = function(*leaves)
        if not results:
            direction = torch.randn_like(out)
        results.append([out.detach(), *torch.autograd.grad(out, leaves, direction)])
    for one, two in zip(*results, strict=True):
        assert one.dtype == two.dtype
        assert (one - two).abs().max() <= rel * two.abs().max()


def attention_by_formula(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    hidden: Tensor | None,
    temperature: Tensor | None,
    scale: float,
    cap: float,
) -> Tensor:
    scores = torch.einsum("bjgtc,bjsc->bjgts", query, key) * scale
    if cap:
        scores = cap * torch.tanh(scores / cap)
    if temperature is not None:
        scores = scores * temperature[:, None, None, :, None]
    if hidden is None:
        t, s = scores.shape[-2:]
        hidden = torch.ones(1, t, s, dtype=torch.bool).tril(s - t).logical_not()
    scores = scores.masked_fill(hidden[:, None, None], -1e30)
    return torch.einsum("bjgts,bjsc->bjgtc", scores.softmax(-1), value)


@pytest.mark.parametrize("masked", ["causal", "random", "one mask for all"])
@pytest.mark.parametrize("cap", [0.0, 1.0])
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("cached", [0, 7])
def test_attention(monkeypatch: pytest.MonkeyPatch, masked: str, cap: float, warm: bool, cached: int) -> None:
    monkeypatch.setitem(
        custom_gradients.SCORES_AT_ONCE, "cpu", 1
    )  # many blocks of the least size, 16 queries
    torch.manual_seed(0)
    b, j, g, t, c = 2, 2, 3, 37, 8
    s = t + cached
    query, key, value = torch.randn(b, j, g, t, c), torch.randn(b, j, s, c), torch.randn(b, j, s, c)
    hidden = None
    if masked != "causal":
        # Some queries see nothing at all: they average, and have no gradient.
        hidden = torch.rand(b if masked == "random" else 1, t, s) < 0.5
        hidden[:, 3] = True
    temperature = 1 + torch.rand(b, t) if warm else None
    same(
        lambda q, k, v: capped_attention(q, k, v, hidden, temperature, 0.5, cap),
        lambda q, k, v: attention_by_formula(q, k, v, hidden, temperature, 0.5, cap),
        query,
        key,
        value,
    )


def test_attention_in_bfloat16_is_close_to_fp32() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 2, 2, 40, 16), torch.randn(2, 2, 40, 16), torch.randn(2, 2, 40, 16)

    def half(*inputs: Tensor) -> Tensor:
        out = capped_attention(*(x.bfloat16() for x in inputs), None, None, 0.25, 30.0)
        assert out.dtype == torch.bfloat16
        return out.float()

    same(
        half,
        lambda q, k, v: attention_by_formula(q, k, v, None, None, 0.25, 30.0),
        query,
        key,
        value,
        rel=3e-2,
    )


def test_a_query_that_sees_nothing_averages() -> None:
    value = torch.randn(1, 1, 5, 4)
    hidden = torch.ones(1, 5, 5, dtype=torch.bool)
    out = capped_attention(
        torch.randn(1, 1, 1, 5, 4), torch.randn(1, 1, 5, 4), value, hidden, None, 1.0, 30.0
    )
    assert torch.allclose(out[0, 0, 0], value[0, 0].mean(0).expand(5, 4), atol=1e-6)


def test_rms_norm() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(3, 5, 32) * 4, torch.randn(32)

    def plain(x: Tensor, weight: Tensor) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + 0.1).sqrt() * weight

    same(lambda x, w: rms_norm(x, w, 0.1), plain, x, weight)
    assert rms_norm(x.bfloat16(), weight, 1e-5).dtype == torch.bfloat16


def test_rotation() -> None:
    torch.manual_seed(0)
    x, phase = torch.randn(2, 3, 5, 8), torch.rand(1, 1, 5, 4) * 6

    def plain(x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        return torch.cat((a * phase.cos() - b * phase.sin(), b * phase.cos() + a * phase.sin()), -1)

    same(lambda x: rotate(x, phase.cos(), phase.sin()), plain, x)
    assert torch.allclose(rotate(x, phase.cos(), phase.sin()).norm(dim=-1), x.norm(dim=-1))


@pytest.mark.parametrize("width", [8, 300, 70_000])
def test_gated_gelu(width: int) -> None:
    torch.manual_seed(0)
    gate, up = (
        torch.randn(2, 37 if width < 1000 else 2, width) * 6,
        torch.randn(2, 37 if width < 1000 else 2, width),
    )
    same(gated_gelu, lambda g, u: F.gelu(g, approximate="tanh") * u, gate, up)


@pytest.mark.parametrize("width", [16, 6], ids=["kernel", "loop"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_grouped_matmul(width: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    counts = torch.tensor([3, 0, 5, 1])
    x, weight = torch.randn(9, width), torch.randn(4, width, 24 if width == 16 else 7)

    def plain(x: Tensor, weight: Tensor) -> Tensor:
        group = torch.arange(4).repeat_interleave(counts)
        return torch.einsum("mi,mio->mo", x, weight[group])

    same(
        lambda x, w: grouped_matmul(x.to(dtype), w, counts).float(),
        plain,
        x,
        weight,
        rel=2e-5 if dtype == torch.float32 else 2e-2,
    )


def test_even_groups_hold_the_same_rows() -> None:
    counts = torch.tensor([40, 0, 96, 1, 31])
    x = torch.randn(168, 6).bfloat16()
    spread, even, slots = pad_groups(x, counts)
    assert even.tolist() == [64, 0, 96, 32, 32]
    assert slots is not None
    assert torch.equal(spread[slots], x)
    group = torch.arange(5).repeat_interleave(even)
    assert torch.equal(group[slots], torch.arange(5).repeat_interleave(counts))
    assert spread.count_nonzero() == x.count_nonzero()
    assert pad_groups(x[:9], torch.tensor([3, 0, 5, 1]))[2] is None
    assert pad_groups(x.float(), counts)[0].shape == x.shape


def test_experts_in_bfloat16_have_the_gradients_of_fp32() -> None:
    torch.manual_seed(0)
    counts, weight = torch.tensor([40, 0, 96, 1, 31]), torch.randn(5, 16, 24) / 4
    x = torch.randn(168, 16)

    def low(x: Tensor, weight: Tensor) -> Tensor:
        rows, even, slots = pad_groups(x.bfloat16(), counts)
        assert slots is not None
        return grouped_matmul(rows, weight, even).index_select(0, slots).float()

    same(low, lambda x, w: grouped_matmul(x, w, counts), x, weight, rel=2e-2)
