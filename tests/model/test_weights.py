"""Checkpoints: published formats in, the engines' names out, in bounded memory, and nothing hostile run."""

import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from grok1_numpy import forward as grok1_forward
from grok2_numpy import SPEC, random_weights
from grok2_numpy import forward as grok2_forward
from miniatures import grok1_names, write_grok1, write_grok2
from safetensors import safe_open

from trinch.cli.model import model as model_command
from trinch.model import grok1_checkpoint
from trinch.model import load as checkpoint
from trinch.model.config import CONFIGS
from trinch.model.grok import Grok
from trinch.model.hf_config import config_from_hf, config_to_hf
from trinch.model.load import CheckpointError, load, read_config, save

GROK2 = SPEC | {"expert_width": 16, "mlp_width": 24}
GROK2_CONFIG = {
    "architectures": ["Grok1ForCausalLM"],
    "vocab_size": SPEC["vocab"],
    "hidden_size": SPEC["hidden"],
    "num_hidden_layers": SPEC["layers"],
    "num_attention_heads": SPEC["heads"],
    "num_key_value_heads": SPEC["kv_heads"],
    "head_dim": SPEC["head_dim"],
    "num_local_experts": SPEC["experts"],
    "num_experts_per_tok": SPEC["top_k"],
    "moe_intermediate_size": GROK2["expert_width"],
    "intermediate_size": GROK2["mlp_width"],
    "residual_moe": True,
    "embedding_multiplier_scale": SPEC["embedding_multiplier"],
    "output_multiplier_scale": SPEC["output_multiplier"],
    "attn_logit_softcapping": SPEC["attn_cap"],
    "router_logit_softcapping": SPEC["router_cap"],
    "final_logit_softcapping": SPEC["final_cap"],
    "rms_norm_eps": SPEC["eps"],
    "rope_theta": SPEC["theta"],
    "rope_type": "original",
    "scaling_factor": 16.0,
    "original_max_position_embeddings": 8192,
    "attn_temperature_len": SPEC["temperature_len"],
    "max_position_embeddings": 131072,
}


def bf16_weights(seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    return {
        name: torch.from_numpy(value).to(torch.bfloat16).float().numpy()
        for name, value in random_weights(GROK2, seed).items()
    }


def logits(model: Grok, tokens: list[int]) -> np.ndarray[Any, Any]:
    model.dtype = torch.float32
    with torch.inference_mode():
        return model(torch.tensor([tokens])).squeeze(0).numpy()


def test_files_are_in_the_order_of_the_original_code() -> None:
    names = grok1_checkpoint.haiku_names(64)
    assert names == grok1_names(64)
    assert len(names) == 770
    assert names[2:6:3] == [
        "transformer/decoder_layer_0/moe/linear/w",
        "transformer/decoder_layer_0/multi_head_attention/key/w",
    ]
    assert names[26].startswith("transformer/decoder_layer_10/")


def test_grok1_is_imported_exactly(tmp_path: Path) -> None:
    weights = write_grok1(tmp_path, layers=12)
    model = load(tmp_path, dtype=torch.float32)
    assert model.config.num_layers == 12
    meta = {
        "num_layers": 12,
        "num_q_heads": 16,
        "num_kv_heads": 8,
        "key_size": 8,
        "top_k": 2,
        "embedding_multiplier_scale": 8.0,
        "output_multiplier_scale": 0.5773502691896257,
        "attn_output_multiplier": 8**-0.5,
        "max_attn_val": 30.0,
        "rms_eps": 1e-5,
        "rope_base": 10_000,
    }
    tokens = [3, 9, 27, 81, 100, 7]
    expected = grok1_forward({k: v.numpy() for k, v in weights.items()}, meta, np.array([tokens]))
    assert np.abs(logits(model, tokens) - expected["logits"][0]).max() <= 2e-5


def test_dequantised_weights_are_bitwise_those_of_the_original(tmp_path: Path) -> None:
    weights = write_grok1(tmp_path, layers=1)
    config = read_config(tmp_path)
    read = dict(grok1_checkpoint.read_tensors(tmp_path, config, torch.bfloat16))
    at = "transformer/decoder_layer_0/"
    down = weights[f"{at}moe/linear_1/w"].to(torch.bfloat16)
    assert torch.equal(read["layers.0.moe.experts.down"], down)
    out = weights[f"{at}multi_head_attention/linear/w"].T.to(torch.bfloat16)
    assert torch.equal(read["layers.0.attn.o_proj.weight"], out)
    assert read["layers.0.moe.router.weight"].dtype == torch.float32


def test_grok2_shards_are_joined(tmp_path: Path) -> None:
    weights = bf16_weights()
    write_grok2(tmp_path, weights, GROK2_CONFIG)
    assert len(list(tmp_path.glob("*.safetensors"))) == 15 + 3 * 8
    model = load(tmp_path, dtype=torch.float32)
    tokens = [1, 2, 3, 5, 8, 13, 21, 34, 0, 7]
    expected = grok2_forward(weights, GROK2, tokens)["logits"]
    assert np.abs(logits(model, tokens) - expected).max() <= 2e-5


def test_a_lost_shard_is_noticed(tmp_path: Path) -> None:
    write_grok2(tmp_path, bf16_weights(), GROK2_CONFIG)
    (tmp_path / "pytorch_model-00007-TP-005.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"w2\.weight is \(24, 14\), joined from 7 files"):
        load(tmp_path)
    (tmp_path / "pytorch_model-00017-TP-common.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no tensor called model\.layers\.\d+\.block_sparse_moe\.gate"):
        list(checkpoint.read_tensors(tmp_path))


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_export_has_the_names_the_engines_load(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    model = Grok(CONFIGS[name])
    save(model, tmp_path, torch.float32)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    stored = {}
    for file in set(index.values()):
        with safe_open(tmp_path / file, framework="pt") as opened:
            stored |= {key: tuple(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118 - not a mapping
    assert stored.keys() == index.keys()
    config = model.config
    d, c = config.hidden_size, config.head_dim
    # What SGLang's and vLLM's loaders ask for, written out from their sources.
    expected = {"model.embed_tokens.weight": (config.vocab_size, d), "lm_head.weight": (config.vocab_size, d)}
    expected["model.norm.weight"] = (d,)
    for i in range(config.num_layers):
        at = f"model.layers.{i}."
        for norm in ("pre_attn_norm", "post_attn_norm", "pre_moe_norm", "post_moe_norm"):
            expected[f"{at}{norm}.weight"] = (d,)
        expected[f"{at}self_attn.q_proj.weight"] = (config.num_heads * c, d)
        expected[f"{at}self_attn.k_proj.weight"] = (config.num_kv_heads * c, d)
        expected[f"{at}self_attn.v_proj.weight"] = (config.num_kv_heads * c, d)
        expected[f"{at}self_attn.o_proj.weight"] = (d, config.num_heads * c)
        expected[f"{at}block_sparse_moe.gate.weight"] = (config.num_experts, d)
        for e in range(config.num_experts):
            for part in ("w1", "w3"):
                key = f"{at}block_sparse_moe.experts.{e}.{part}.weight"
                expected[key] = (config.moe_intermediate_size, d)
            key = f"{at}block_sparse_moe.experts.{e}.w2.weight"
            expected[key] = (d, config.moe_intermediate_size)
        if config.intermediate_size:
            expected[f"{at}mlp.gate_proj.weight"] = (config.intermediate_size, d)
            expected[f"{at}mlp.up_proj.weight"] = (config.intermediate_size, d)
            expected[f"{at}mlp.down_proj.weight"] = (d, config.intermediate_size)
    assert stored == expected
    again = load(tmp_path, dtype=torch.float32)
    assert again.config.parameter_shapes() == config.parameter_shapes()
    assert np.array_equal(logits(again, [5, 4, 3]), logits(model, [5, 4, 3]))


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_survive_the_engines_format(name: str) -> None:
    config = CONFIGS[name]
    again = config_from_hf(json.loads(json.dumps(config_to_hf(config))))
    assert again.attention_scale == pytest.approx(config.attention_scale, rel=1e-12)
    for field in config.__slots__:
        if field != "attention_multiplier":
            assert getattr(again, field) == getattr(config, field), field


def test_the_published_config_is_grok2() -> None:
    published = GROK2_CONFIG | {
        "vocab_size": 131072,
        "hidden_size": 8192,
        "num_hidden_layers": 64,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "num_local_experts": 8,
        "moe_intermediate_size": 16384,
        "intermediate_size": 32768,
    }
    assert config_from_hf(published).num_parameters == 269_515_497_472


@pytest.mark.parametrize("hide", ["plain", "in a list", "as a dtype", "by getattr"])
def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path: Path, hide: str) -> None:
    write_grok1(tmp_path, layers=1)
    proof = tmp_path / "proof"

    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {proof}",)

    class EvilDType:
        def __reduce__(self) -> Any:
            return np.dtype, (Evil(),)

    class EvilGetattr:
        def __reduce__(self) -> Any:
            return getattr, ("".__class__, "join")

    content = {"plain": Evil(), "in a list": [np.zeros(2), Evil()], "as a dtype": EvilDType()}
    content["by getattr"] = EvilGetattr()
    path = tmp_path / "ckpt-0" / "tensor00003_000"
    path.write_bytes(pickle.dumps(content[hide], protocol=4))
    with pytest.raises(CheckpointError, match=r"tensor00003_000: refused: it names (posix|os|builtins)\."):
        list(checkpoint.read_tensors(tmp_path))
    assert not proof.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        pickle.dumps(OrderedDict(a=1)),
        pickle.dumps([1, 2]),
        pickle.dumps(np.zeros(0)),
        pickle.dumps(np.zeros(4)),
        pickle.dumps(np.array(["x"], dtype=object)),
        pickle.dumps(np.zeros(3))[:-20],
    ],
    ids=["empty", "text", "other class", "list", "no data", "wrong shape", "objects", "cut short"],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    write_grok1(tmp_path, layers=1)
    (tmp_path / "ckpt-0" / "tensor00001_000").write_bytes(content)
    with pytest.raises(CheckpointError, match="tensor00001_000"):
        list(checkpoint.read_tensors(tmp_path, grok1_checkpoint.infer_config(tmp_path)))


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    write_grok1(tmp_path, layers=2)
    (tmp_path / "ckpt-0" / "tensor00009_000").unlink()
    with pytest.raises(CheckpointError, match="25 tensor files"):
        load(tmp_path)


def test_convert_then_inspect(tmp_path: Path) -> None:
    write_grok1(tmp_path / "a", layers=2)
    done = CliRunner().invoke(model_command, ["convert", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 0, done.output
    pickled = load(tmp_path / "a", dtype=torch.bfloat16)
    converted = load(tmp_path / "b", dtype=torch.bfloat16)
    for (name, one), two in zip(pickled.named_parameters(), converted.parameters(), strict=True):
        assert torch.equal(one, two), name
    total = sum(p.numel() for p in pickled.parameters())
    for folder, form in (("a", "grok-1 pickles"), ("b", "safetensors")):
        done = CliRunner().invoke(model_command, ["inspect", str(tmp_path / folder), "--json"])
        facts = json.loads(done.output)
        assert facts["parameters"]["total"] == total
        assert facts["checkpoint"]["format"] == form
        size = sum(
            x.stat().st_size for x in (tmp_path / folder).rglob("*") if x.suffix in ("", ".safetensors")
        )
        assert facts["checkpoint"]["bytes"] == pytest.approx(size, rel=0.05)


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [("grok-1", 315_684_820_992, 83_756_587_008), ("grok-2", 269_515_497_472, 114_896_674_816)],
)
def test_inspect_knows_the_models(name: str, total: int, active: int) -> None:
    facts = json.loads(CliRunner().invoke(model_command, ["inspect", name, "--json"]).output)
    assert facts["parameters"]["total"] == total
    assert facts["parameters"]["active"] == active
    assert facts["bytes"]["bfloat16"] == 2 * total
    assert facts["kv_cache_bytes_per_token_bfloat16"] == 262_144
    shown = CliRunner().invoke(model_command, ["inspect", name])
    assert f"{total:,}" in shown.output
    assert (
        json.loads(CliRunner().invoke(model_command, ["inspect", name, "--json"]).output)["architecture"][
            "num_layers"
        ]
        == 64
    )


def test_inspect_refuses_what_is_no_model(tmp_path: Path) -> None:
    for target in ("grok-3", str(tmp_path)):
        done = CliRunner().invoke(model_command, ["inspect", target])
        assert done.exit_code == 2
        assert target in done.output.replace("\n", "")


CONVERT = """
import resource, sys
from pathlib import Path
import torch
from trinch.model import hf_checkpoint, load
source, target = map(Path, sys.argv[1:])
config = load.read_config(source)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
hf_checkpoint.write(load.read_tensors(source, config), config, target, file_bytes=1 << 30)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.long
@pytest.mark.parametrize("kind", ["grok-1", "grok-2"])
def test_conversion_streams_in_bounded_memory(tmp_path: Path, kind: str) -> None:
    """A checkpoint passes through less memory than half its size."""
    source = tmp_path / "source"
    if kind == "grok-1":
        write_grok1(source, layers=4, hidden=512, heads=16, head_dim=16, width=1024)
    else:
        sizes = {"hidden": 256, "layers": 6, "expert_width": 1024, "experts": 8, "mlp_width": 1024}
        spec = GROK2 | sizes
        config = GROK2_CONFIG | {"hidden_size": 256, "num_hidden_layers": 6, "num_local_experts": 8}
        config |= {"moe_intermediate_size": 1024, "intermediate_size": 1024}
        write_grok2(source, random_weights(spec, 0), config)
    command = [sys.executable, "-c", CONVERT, str(source), str(tmp_path / "target")]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    written = sum(x.stat().st_size for x in (tmp_path / "target").glob("*.safetensors")) >> 20
    assert grown < 0.5 * written, f"{grown} MB for {written} MB written"
    assert written > 60
