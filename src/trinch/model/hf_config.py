"""`config.json` of Grok-1 and Grok-2 checkpoints, in the forms that engines and Hugging Face conversions use."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from trinch.model.config import CONFIGS, GrokConfig
from trinch.model.grok1_checkpoint import CheckpointError, refuse_lfs_pointer

_KEYS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "num_key_value_heads": "num_kv_heads",
    "head_dim": "head_dim",
    "moe_intermediate_size": "moe_intermediate_size",
    "num_local_experts": "num_experts",
    "num_experts_per_tok": "num_experts_per_token",
    "tie_word_embeddings": "tie_embeddings",
    "embedding_multiplier_scale": "embedding_multiplier",
    "output_multiplier_scale": "output_multiplier",
    "attn_logit_softcapping": "attention_softcap",
    "router_logit_softcapping": "router_softcap",
    "final_logit_softcapping": "final_softcap",
    "rms_norm_eps": "rms_norm_eps",
    "rope_theta": "rope_theta",
    "scaling_factor": "rope_scaling_factor",
    "original_max_position_embeddings": "rope_original_length",
    "beta_fast": "rope_beta_fast",
    "beta_slow": "rope_beta_slow",
    "max_position_embeddings": "max_positions",
    "pad_token_id": "pad_token_id",
    "bos_token_id": "bos_token_id",
    "eos_token_id": "eos_token_id",
}
_SHAPE = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
_GROK2_NEEDS = (
    *("num_local_experts", "num_experts_per_tok", "embedding_multiplier_scale", "output_multiplier_scale"),
    *("attn_logit_softcapping", "router_logit_softcapping", "final_logit_softcapping", "rope_theta"),
)
"""Keys that decide what is computed and have no default that holds for every Grok."""
_GROK1_KEYS = {"num_experts": "num_experts", "max_attn_value": "attention_softcap"}
_GROK1_KEYS |= {"attn_output_multiplier": "attention_multiplier"}
"""Names of the Hugging Face conversions of Grok-1 (keyfan/grok-1-hf, hpcai-tech/grok-1)."""


def read_config_json(path: Path) -> dict[str, Any]:
    """The values of a `config.json`, with those of its `text_config` on top. Raises CheckpointError."""
    refuse_lfs_pointer(path)
    try:
        values = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path}: not JSON in UTF-8 ({error})") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: holds no JSON object")
    text = values.get("text_config")
    return values | (text if isinstance(text, dict) else {})


def config_to_hf(config: GrokConfig, dtype: torch.dtype = torch.bfloat16) -> dict[str, Any]:
    """`config.json` for SGLang; raises ValueError for a model it cannot express."""
    if abs(config.attention_scale - config.head_dim**-0.5) > 1e-9 * config.attention_scale:
        raise ValueError(
            f"SGLang scales scores by head_dim ** -0.5; this model scales them by {config.attention_scale}"
        )
    return {
        "architectures": ["Grok1ForCausalLM"],
        # As in the release: it satisfies transformers, which has no Grok; SGLang reads `architectures`.
        "model_type": "git",
        **{theirs: getattr(config, ours) for theirs, ours in _KEYS.items()},
        "intermediate_size": config.intermediate_size or config.moe_intermediate_size,
        "residual_moe": config.intermediate_size > 0,
        "attn_temperature_len": config.attention_temperature_len or -1,
        "rope_type": "original" if config.rope_type == "plain" else "yarn",
        "extrapolation_factor": 1.0,
        "attn_factor": 1.0,
        "sliding_window_size": -1,
        # SGLang assumes pre-sharded experts without this.
        "load_presharded_moe": False,
        "torch_dtype": str(dtype).removeprefix("torch."),
    }


def is_grok1(values: dict[str, Any]) -> bool:
    """Whether a config is in the form of Grok-1's Hugging Face conversions."""
    kind = str(values.get("model_type", "")).lower().replace("_", "-")
    names = values.get("architectures") or []
    return (
        kind in ("grok-1", "grok1") or "Grok1ModelForCausalLM" in names or bool(_GROK1_KEYS & values.keys())
    )


def config_from_hf(values: dict[str, Any]) -> GrokConfig:
    """Configuration from the values of a `config.json`.

    Raises CheckpointError naming the keys that are missing: a Grok-1 config takes its defaults from Grok-1, any
    other must say what it computes.
    """
    values = {key: value for key, value in values.items() if value is not None}
    grok1 = is_grok1(values)
    needed = _SHAPE if grok1 else _SHAPE + _GROK2_NEEDS
    if lacking := [key for key in needed if key not in values]:
        raise CheckpointError(f"config.json has no {', '.join(lacking)}")
    known = {ours: values[theirs] for theirs, ours in _KEYS.items() if theirs in values}
    try:
        return _grok1(values, known) if grok1 else _grok2(values, known)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(f"config.json: {error}") from None


def _grok1(values: dict[str, Any], known: dict[str, Any]) -> GrokConfig:
    known |= {ours: values[theirs] for theirs, ours in _GROK1_KEYS.items() if theirs in values}
    return replace(CONFIGS["grok-1"], **_sizes(values) | {"attention_multiplier": 0.0} | known)


def _grok2(values: dict[str, Any], known: dict[str, Any]) -> GrokConfig:
    extra = {
        "intermediate_size": values.get("intermediate_size", 0) if values.get("residual_moe") else 0,
        "attention_temperature_len": max(values.get("attn_temperature_len", 0), 0),
        # "original" means plain frequencies to the reference engine, in spite of the YaRN keys beside it.
        "rope_type": "yarn" if str(values.get("rope_type", "")).startswith("yarn") else "plain",
        "attention_multiplier": 0.0,
    }
    return replace(CONFIGS["grok-2"], **_sizes(values) | known | extra)


def _sizes(values: dict[str, Any]) -> dict[str, Any]:
    """Sizes that follow from others where they are not given."""
    hidden = values["hidden_size"]
    sizes = {"head_dim": hidden // values["num_attention_heads"], "embedding_multiplier": hidden**0.5}
    if "moe_intermediate_size" not in values and "intermediate_size" not in values:
        raise ValueError("neither moe_intermediate_size nor intermediate_size is given")
    return sizes | {"moe_intermediate_size": values.get("intermediate_size", 0)}
