"""Configurations of Hugging Face models: counted exactly, or refused with what the model is."""

import json
from pathlib import Path
from typing import Any

import pytest

from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.hf_config import architectures, from_config, from_hf
from trinch.planner.perf.models import workload

COUNTS = json.loads(Path(__file__).with_name("architecture_counts.json").read_text(encoding="utf-8"))
"""Configurations and their counts by transformers' own classes on the meta device, in the version named."""
LLAMA = COUNTS["models"]["llama-7b"]["config"]


@pytest.mark.parametrize("name", COUNTS["models"])
def test_counts_are_those_of_transformers(name: str) -> None:
    model = COUNTS["models"][name]
    assert from_hf(model["config"], name).parameters() == model["parameters"]


def test_at_least_forty_architectures_are_counted() -> None:
    kinds = {model["config"]["model_type"] for model in COUNTS["models"].values()}
    assert len(kinds) >= 40
    assert kinds <= set(architectures()["read"])


@pytest.mark.parametrize(("kind", "what"), architectures()["refused"].items())
def test_what_is_not_modelled_is_refused_by_what_it_is(kind: str, what: str) -> None:
    with pytest.raises(PlanError) as caught:
        from_hf({**LLAMA, "model_type": kind}, "it")
    assert kind in str(caught.value)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "novel"}, "unknown model type"),
        ({"mamba_d_state": 16}, "state-space"),
        ({"linear_num_key_heads": 16}, "linear attention"),
        ({"block_configs": [{"ffn": {}}]}, "different shapes"),
        ({"index_topk": 2048}, "sparse attention"),
        ({"intermediate_size": None}, "intermediate_size"),
        ({"intermediate_size": [11008, 5504]}, "whole number"),
        ({"num_key_value_heads": 5}, "multiple"),
        ({"hidden_size": 4100}, "multiple"),
        ({"num_hidden_layers": "many"}, "whole number"),
        ({"vocab_size": True}, "whole number"),
        ({"num_attention_heads": 0}, "positive"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        from_hf({**LLAMA, **change}, "it")


@pytest.mark.parametrize("value", [None, "x", [1, 2], {"a": 1}, -1, 1.5, True])
@pytest.mark.parametrize(
    "name", ["llama-7b", "deepseek-v3", "dbrx", "falcon-40b", "gpt-oss-20b", "gemma2-27b"]
)
def test_no_value_of_a_key_gives_a_traceback(name: str, value: Any) -> None:
    config = COUNTS["models"][name]["config"]
    for key in (*config, "text_config", "sliding_window", "layer_types", "moe_layer_freq", "rope_parameters"):
        try:
            from_hf({**config, key: value}, name)
        except PlanError as err:
            assert "\n" not in str(err)


def test_a_folder_a_file_with_a_mark_and_a_text_part_are_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**LLAMA, "text_config": None}), "utf-8-sig")
    inner = {"model_type": "llava", "vision_config": {"hidden_size": 1024}, "text_config": LLAMA}
    assert from_config(tmp_path) == workload(str(tmp_path / "config.json"))
    assert from_hf(inner).parameters() == COUNTS["models"]["llama-7b"]["parameters"]


@pytest.mark.parametrize(
    ("config", "published"),
    [
        pytest.param(
            {
                "model_type": "baichuan",
                "hidden_size": 4096,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "intermediate_size": 11008,
                "vocab_size": 125696,
            },
            7_505_973_248,
            id="baichuan2-7b",
        ),
        pytest.param(
            {
                "model_type": "qwen",
                "hidden_size": 4096,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "intermediate_size": 22016,
                "vocab_size": 151936,
                "kv_channels": 128,
            },
            7_721_324_544,
            id="qwen-7b",
        ),
        pytest.param(
            {
                "model_type": "chatglm",
                "hidden_size": 4096,
                "num_layers": 28,
                "num_attention_heads": 32,
                "ffn_hidden_size": 13696,
                "padded_vocab_size": 65024,
                "multi_query_attention": True,
                "multi_query_group_num": 2,
                "add_qkv_bias": True,
                "kv_channels": 128,
            },
            6_243_584_000,
            id="chatglm3-6b",
        ),
        pytest.param(
            {
                "model_type": "deepseek",
                "hidden_size": 2048,
                "num_hidden_layers": 28,
                "num_attention_heads": 16,
                "num_key_value_heads": 16,
                "intermediate_size": 10944,
                "moe_intermediate_size": 1408,
                "n_routed_experts": 64,
                "n_shared_experts": 2,
                "num_experts_per_tok": 6,
                "first_k_dense_replace": 1,
                "moe_layer_freq": 1,
                "vocab_size": 102400,
            },
            16_375_728_128,
            id="deepseek-moe-16b",
        ),
    ],
)
def test_types_that_ship_their_own_code_have_their_published_counts(
    config: dict[str, Any], published: int
) -> None:
    assert from_hf(config, "it").parameters() == published


def test_a_grok_that_calls_itself_git_is_a_grok_and_a_real_git_is_refused() -> None:
    config = {**COUNTS["models"]["mixtral-8x7b"]["config"], "model_type": "git"}
    assert from_hf({**config, "architectures": ["Grok1ForCausalLM"]}, "it").experts == 8
    with pytest.raises(PlanError, match="image-captioning"):
        from_hf(config, "it")


def test_the_language_model_of_a_flat_or_nested_multi_modal_configuration_is_read() -> None:
    alone = from_hf(COUNTS["models"]["qwen2-7b"]["config"], "it").parameters()
    for key in ("text_config", "llm_config", "language_config"):
        whole = {
            "model_type": "seen",
            "architectures": ["SeenModel"],
            key: COUNTS["models"]["qwen2-7b"]["config"],
        }
        assert from_hf(whole, "it").parameters() == alone


def test_layers_of_an_unknown_type_are_refused() -> None:
    with pytest.raises(PlanError, match="'linear_attention'"):
        from_hf({**LLAMA, "layer_types": ["full_attention", "linear_attention"] * 16}, "it")


def test_expert_layers_may_be_listed() -> None:
    config = COUNTS["models"]["deepseek-v3"]["config"]
    listed = from_hf({**config, "first_k_dense_replace": 0, "moe_layer_freq": [0] * 3 + [1] * 58})
    assert listed.parameters() == from_hf(config).parameters()


def test_arctic_and_windows() -> None:
    arctic = {
        "model_type": "arctic",
        "hidden_size": 7168,
        "num_hidden_layers": 35,
        "num_attention_heads": 56,
        "num_key_value_heads": 8,
        "intermediate_size": 4864,
        "num_local_experts": 128,
        "num_experts_per_tok": 2,
        "moe_layer_frequency": 1,
        "parallel_attn_mlp_res": True,
        "vocab_size": 32000,
    }
    assert from_hf(arctic).parameters() == pytest.approx(478.6e9, rel=0.005)
    assert from_hf(arctic).active_parameters() == pytest.approx(17.3e9, rel=0.03)
    gemma = from_hf(COUNTS["models"]["gemma3-12b"]["config"])
    assert (gemma.window, gemma.window_layers) == (4096, 40)
