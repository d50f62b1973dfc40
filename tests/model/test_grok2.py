"""Grok-2: the PyTorch model against a NumPy one written from the specification, and the exact sizes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from grok2_numpy import SPEC, forward, random_weights
from torch import Tensor

from trinch.model.config import CONFIGS, GrokConfig
from trinch.model.grok import Grok, inverse_frequencies
from trinch.model.hf_checkpoint import hf_names

TOKENS = np.random.default_rng(3).integers(0, SPEC["vocab"], 17).tolist()


def config(**changes: Any) -> GrokConfig:
    spec = SPEC | changes
    return replace(
        CONFIGS["grok-2"],
        vocab_size=spec["vocab"],
        hidden_size=spec["hidden"],
        num_layers=spec["layers"],
        num_heads=spec["heads"],
        num_kv_heads=spec["kv_heads"],
        head_dim=spec["head_dim"],
        attention_multiplier=0.0,
        moe_intermediate_size=spec["expert_width"],
        intermediate_size=spec["mlp_width"],
        num_experts=spec["experts"],
        num_experts_per_token=spec["top_k"],
        embedding_multiplier=spec["embedding_multiplier"],
        output_multiplier=spec["output_multiplier"],
        attention_softcap=spec["attn_cap"],
        router_softcap=spec["router_cap"],
        final_softcap=spec["final_cap"],
        rope_theta=spec["theta"],
        attention_temperature_len=spec["temperature_len"],
    )


def build(weights: dict[str, np.ndarray[Any, Any]], settings: GrokConfig) -> Grok:
    model = Grok(settings)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            names = hf_names(name, settings.num_experts)
            if len(names) == 1:
                parameter.copy_(torch.from_numpy(weights[names[0]]))
            else:
                parameter.copy_(torch.stack([torch.from_numpy(weights[n]).T for n in names]))
    return model


def run(model: Grok, tokens: list[int]) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}

    def keep(name: str, first: bool = False) -> Any:
        return lambda _m, _i, out: seen.__setitem__(name, (out[0] if first else out).squeeze(0))

    for i, block in model.layers.items():
        block.attn.register_forward_hook(keep(f"attn.{i}"))
        block.moe.register_forward_hook(keep(f"moe.{i}", first=True))
        block.mlp.register_forward_hook(keep(f"mlp.{i}"))
        block.post_moe_norm.register_forward_pre_hook(
            lambda _m, inputs, i=i: seen.__setitem__(f"ffn.{i}", inputs[0].squeeze(0))
        )
        block.register_forward_hook(keep(f"h.{i}", first=True))
    model.norm.register_forward_hook(keep("norm"))
    with torch.inference_mode():
        logits, routers = model(torch.tensor([tokens]), return_router=True)
    seen["logits"] = logits.squeeze(0)
    seen |= {f"router.{i}": router.squeeze(0) for i, router in enumerate(routers)}
    return seen


@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_the_specification_tensor_by_tensor(seed: int) -> None:
    weights = random_weights(SPEC, seed)
    expected = forward(weights, SPEC, TOKENS)
    seen = run(build(weights, config()), TOKENS)
    assert seen.keys() == expected.keys()
    for name, tensor in seen.items():
        scale = np.abs(expected[name]).max()
        assert np.abs(tensor.numpy() - expected[name]).max() <= 1e-5 * scale, name


@pytest.mark.parametrize(
    "changes",
    [{"temperature_len": 0}, {"attn_cap": 0.0}, {"router_cap": 0.0}, {"final_cap": 0.0}, {"mlp_width": 0}],
    ids=str,
)
def test_each_feature_of_grok2_matters_to_the_comparison(changes: dict[str, Any]) -> None:
    weights = random_weights(SPEC, 0)
    seen = run_without_mlp_hook(build(weights, config(**changes)))
    assert np.abs(seen - forward(weights, SPEC, TOKENS)["logits"]).max() > 1e-3


def run_without_mlp_hook(model: Grok) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        return model(torch.tensor([TOKENS])).squeeze(0).numpy()


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [
        ("grok-1", 315_684_820_992, 83_756_587_008),
        ("grok-2", 269_515_497_472, 114_896_674_816),
    ],
)
def test_parameter_counts_are_exact(name: str, total: int, active: int) -> None:
    with torch.device("meta"):
        model = Grok(CONFIGS[name])
    assert sum(p.numel() for p in model.parameters()) == total
    assert CONFIGS[name].num_parameters == total
    assert CONFIGS[name].num_active_parameters == active


@pytest.mark.parametrize("name", CONFIGS)
def test_the_shapes_that_the_config_tells_are_the_models(name: str) -> None:
    with torch.device("meta"):
        model = Grok(CONFIGS[name])
    assert {n: tuple(p.shape) for n, p in model.named_parameters()} == CONFIGS[name].parameter_shapes()


def test_meta_model_becomes_a_real_one() -> None:
    with torch.device("meta"):
        model = Grok(CONFIGS["tiny"])
    model = model.to_empty(device="cpu")
    model.init_weights()
    logits = model(torch.arange(8)[None])
    assert logits.shape == (1, 8, 4096)
    assert 0.3 < logits.std() < 1.2


def test_every_parameter_gets_a_gradient() -> None:
    model = Grok(replace(CONFIGS["small"], num_layers=1, vocab_size=64))
    logits, routers = model(torch.arange(64).view(2, 32), return_router=True)
    assert routers.shape == (1, 2, 32, 8)
    (logits.square().mean() + routers.logsumexp(-1).square().mean()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_packed_documents_are_as_if_each_stood_alone() -> None:
    torch.manual_seed(0)
    model = Grok(config())
    tokens, cuts = torch.randint(0, 40, (2, 21)), [[9, 12], [1, 13, 7]]
    documents = torch.stack([torch.arange(len(c)).repeat_interleave(torch.tensor(c)) for c in cuts])
    packed = model(tokens, documents=documents)
    alone = torch.stack(
        [
            torch.cat([model(piece[None])[0] for piece in row.split(cut)])
            for row, cut in zip(tokens, cuts, strict=True)
        ]
    )
    assert torch.allclose(packed, alone, atol=1e-5)
    one, two = (torch.autograd.grad(x.square().sum(), list(model.parameters())) for x in (packed, alone))
    for mine, theirs in zip(one, two, strict=True):
        assert (mine - theirs).abs().max() <= 1e-4 * theirs.abs().max()
    assert not torch.allclose(model(tokens), alone, atol=1e-2)


def test_yarn_keeps_fast_channels_and_slows_slow_ones() -> None:
    plain = inverse_frequencies(CONFIGS["grok-2"], torch.device("cpu"))
    yarn = inverse_frequencies(replace(CONFIGS["grok-2"], rope_type="yarn"), torch.device("cpu"))
    ratio = plain / yarn
    assert ratio[0] == 1
    assert ratio[-1] == pytest.approx(16)
    assert (ratio.diff() >= -1e-5).all()


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="num_kv_heads"):
        replace(CONFIGS["tiny"], num_kv_heads=3)
    with pytest.raises(ValueError, match="num_experts_per_token"):
        replace(CONFIGS["tiny"], num_experts_per_token=9)
