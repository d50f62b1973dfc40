"""FlexAttention, which a GPU runs, against the block loop, which a processor runs."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn.attention import flex_attention as torchs

from trinch.model.config import CONFIGS
from trinch.model.custom_gradients import capped_attention
from trinch.model.flex import capped_flex_attention, causal_mask, document_mask
from trinch.model.grok import Grok, attention_mask

B, J, G, T, C = 2, 2, 3, 37, 16


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("packed", "cap", "warm"),
    [
        (True, 1.0, True),
        *(pytest.param(*case, marks=LONG) for case in product([False, True], [0.0, 1.0], [False, True])),
    ],
)
def test_values_and_gradients_are_the_block_loops(
    monkeypatch: pytest.MonkeyPatch, packed: bool, cap: float, warm: bool
) -> None:
    # On a processor PyTorch refuses gradients of the fused kernel; those of the plain form, which runs here, exist.
    monkeypatch.setattr(torchs, "_validate_device", lambda *_: None)
    torch.manual_seed(0)
    shapes = (B, J, G, T, C), (B, J, T, C), (B, J, T, C)
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
    temperature = 1 + torch.rand(1, T) if warm else None
    documents = torch.randint(0, 2, (B, T)).cumsum(1) if packed else None
    mask = causal_mask(T, torch.device("cpu")) if documents is None else document_mask(documents)
    masked = None if documents is None else ~attention_mask(T, documents=documents)
    outs = [
        capped_flex_attention(*inputs, mask, temperature, 0.5, cap),  # type: ignore[call-arg]  # three tensors
        capped_attention(*inputs, masked, temperature, 0.5, cap),  # type: ignore[call-arg]
    ]
    assert torch.allclose(*outs, atol=1e-5)
    direction = torch.randn(outs[0].shape)
    ours, plain = (torch.autograd.grad(out, inputs, direction) for out in outs)
    for one, two in zip(ours, plain, strict=True):
        assert (one - two).abs().max() <= 2e-5 * two.abs().max()


@LONG
@pytest.mark.parametrize("config", ["tiny", "small"])
@torch.no_grad()
def test_a_whole_model_gives_the_same_logits(config: str) -> None:
    torch.manual_seed(0)
    few = replace(CONFIGS[config], num_layers=2, vocab_size=64, attention_temperature_len=8)
    model, tokens = Grok(few), torch.randint(0, 64, (B, T))
    documents = torch.arange(T).expand(B, T) // 9
    for more in ({}, {"documents": documents}):
        logits: list[Tensor] = []
        for model.flex in (False, True):
            logits.append(model(tokens, **more))
        assert torch.allclose(*logits, atol=2e-5)


@LONG
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("recompute", [False, True])
def test_on_a_gpu_it_trains_as_on_a_processor(recompute: bool) -> None:
    torch.manual_seed(0)
    model = Grok(replace(CONFIGS["small"], num_layers=2, vocab_size=64, attention_temperature_len=8))
    tokens = torch.randint(0, 64, (B, 256))
    gradients = []
    for device in ("cpu", "cuda"):
        model.to(device).zero_grad()
        for block in model.layers.values():
            block.recompute = recompute
        model(tokens.to(device)).float().logsumexp(-1).mean().backward()
        gradients.append([p.grad.detach().cpu().clone() for p in model.parameters() if p.grad is not None])
    for one, two in zip(*gradients, strict=True):
        assert (one - two).norm() <= 1e-3 * one.norm()


@LONG
def test_a_compiled_block_computes_the_same() -> None:
    torch.manual_seed(0)
    model = Grok(
        replace(CONFIGS["tiny"], num_layers=2, vocab_size=64, hidden_size=32, num_heads=2, head_dim=16)
    )
    tokens = torch.randint(0, 64, (B, 16))
    gradients = []
    for compiled in (False, True):
        model.zero_grad()
        for block in model.layers.values():
            block.compiled = compiled
        model(tokens).logsumexp(-1).mean().backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for one, two in zip(*gradients, strict=True):
        assert (one - two).norm() <= 1e-4 * one.norm()
