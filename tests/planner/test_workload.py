"""Parameter and FLOP counts against public numbers; configurations read from Hugging Face style files."""

import json
from pathlib import Path

import pytest

from trinch.planner.perf.hardware import PlanError, gpu
from trinch.planner.perf.hf_config import from_hf
from trinch.planner.perf.models import presets, workload

PUBLIC_COUNTS = {
    "grok-1": 315_684_820_992,
    "grok-2": 269_515_497_472,
    "llama-3-8b": 8_030_261_248,
    "llama-3-70b": 70_553_706_496,
    "llama-3-405b": 405_853_388_800,
    "llama-2-70b": 68_976_648_192,
    "mixtral-8x7b": 46_702_792_704,
    "mixtral-8x22b": 140_630_071_296,
    "deepseek-v3": 671_026_419_200,
    "qwen3-8b": 8_190_735_360,
    "qwen3-32b": 32_762_123_264,
    "qwen3-30b-a3b": 30_532_122_624,
    "qwen3-235b-a22b": 235_093_634_560,
    "gpt-oss-120b": 116_829_156_672,
    "gpt-oss-20b": 20_914_757_184,
}

ROUND_COUNTS = {
    "gpt-3-175b": 175e9,
    "megatron-22b": 22e9,
    "megatron-530b": 530e9,
    "megatron-1t": 1008e9,
    "nemotron-4-15b": 15.6e9,
    "nemotron-4-340b": 341e9,
    "kimi-k2": 1.026e12,
    "llama-4-scout": 107.8e9,
    "llama-4-maverick": 400.7e9,
}


@pytest.mark.parametrize(("name", "count"), PUBLIC_COUNTS.items())
def test_parameters_are_exact(name: str, count: int) -> None:
    assert workload(name).parameters() == count


@pytest.mark.parametrize(("name", "count"), ROUND_COUNTS.items())
def test_parameters_match_the_rounded_public_number(name: str, count: float) -> None:
    assert workload(name).parameters() == pytest.approx(count, rel=0.005)


def test_every_preset_is_counted() -> None:
    assert set(presets()) - set(PUBLIC_COUNTS) - set(ROUND_COUNTS) == {"megatron-175b", "qwen2-57b-a14b"}


def test_grok_flops_and_active_parameters() -> None:
    one, two = workload("grok-1"), workload("grok-2")
    assert one.active_parameters() == 83_756_587_008
    assert two.active_parameters() == 114_896_674_816
    assert one.training_flops_per_token() / 1e9 == pytest.approx(521.9, abs=0.05)
    assert two.training_flops_per_token() / 1e9 == pytest.approx(708.7, abs=0.05)
    assert two.at(131_072).training_flops_per_token() / 1e9 == pytest.approx(1095, abs=0.5)
    assert one.inference_flops_per_token() / 1e9 == pytest.approx(167.5, abs=0.05)
    assert two.inference_flops_per_token() / 1e9 == pytest.approx(227.6, abs=0.05)
    assert one.kv_bytes_per_token() == two.kv_bytes_per_token() == 262_144


GROK_2 = {
    "architectures": ["Grok1ForCausalLM"],
    "hidden_size": 8192,
    "num_hidden_layers": 64,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 131072,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16384,
    "intermediate_size": 32768,
    "residual_moe": True,
    "sliding_window_size": -1,
    "max_position_embeddings": 131072,
}

DEEPSEEK_V3 = {
    "model_type": "deepseek_v3",
    "hidden_size": 7168,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "vocab_size": 129280,
    "n_routed_experts": 256,
    "num_experts_per_tok": 8,
    "n_shared_experts": 1,
    "moe_intermediate_size": 2048,
    "intermediate_size": 18432,
    "first_k_dense_replace": 3,
    "moe_layer_freq": 1,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "tie_word_embeddings": False,
}

QWEN3_30B = {
    "model_type": "qwen3_moe",
    "hidden_size": 2048,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "vocab_size": 151936,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 768,
    "intermediate_size": 6144,
    "decoder_sparse_step": 1,
    "sliding_window": None,
    "use_sliding_window": False,
    "tie_word_embeddings": False,
}

LLAMA_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "intermediate_size": 14336,
    "tie_word_embeddings": False,
}


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (GROK_2, 269_515_497_472),
        (DEEPSEEK_V3, 671_026_404_352),  # the router's balancing bias is not in the file
        (QWEN3_30B, 30_532_122_624),
        (LLAMA_8B, 8_030_261_248),
    ],
)
def test_hugging_face_configurations_count_the_same(config: dict[str, object], count: int) -> None:
    assert from_hf(config).parameters() == count


def test_a_config_file_is_a_model(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA_8B))
    assert workload(str(path)).parameters() == 8_030_261_248


@pytest.mark.parametrize(
    ("content", "says"),
    [("{", "not JSON"), ("[]", "expected a JSON object"), ('{"hidden_size": 8}', "num_hidden_layers")],
)
def test_a_broken_config_says_what_is_wrong(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(PlanError, match=says):
        workload(str(path))


def test_a_state_space_model_is_refused() -> None:
    with pytest.raises(PlanError, match="state-space"):
        from_hf({**LLAMA_8B, "mamba_num_heads": 8})


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(PlanError, match="did you mean grok-1"):
        workload("grok1")


def test_a_window_lowers_the_attention_flops() -> None:
    windowed = workload("gpt-oss-120b")
    assert windowed.attention_span() < 0.6 * windowed.layers * windowed.seq_len / 2


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("h100", "H100-SXM-80GB"),
        ("NVIDIA H100 80GB", "H100-SXM-80GB"),
        ("H200-SXM-141GB", "H200"),
        ("A100-SXM4-40GB", "A100-40GB"),
        ("a100-sxm", "A100-80GB"),
        ("GB300", "GB300"),
    ],
)
def test_spellings_of_a_gpu(written: str, known: str) -> None:
    assert gpu(written).name == known


@pytest.mark.parametrize("written", ["h1000", "H100-PCIe", "mi300x", "", "H100 NVL"])
def test_other_gpus_are_refused_with_what_is_known(written: str) -> None:
    with pytest.raises(PlanError, match=r"did you mean|known are"):
        gpu(written)
