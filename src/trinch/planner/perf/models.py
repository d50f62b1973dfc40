"""Models by name: presets, and configuration files of Hugging Face.

Presets are in data/models.toml; Grok's come from `model`.
"""

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path

from trinch.model.config import CONFIGS, GrokConfig
from trinch.planner.perf.hardware import PlanError, nearest
from trinch.planner.perf.hf_config import from_config
from trinch.planner.perf.workload import Workload


@cache
def presets() -> dict[str, Workload]:
    """Every preset by its name: Grok-1, Grok-2, and those of data/models.toml."""
    text = files("trinch.planner").joinpath("data/models.toml").read_text(encoding="utf-8")
    found = {name: of_grok(name, CONFIGS[name]) for name in ("grok-1", "grok-2")}
    for name, fields in tomllib.loads(text).items():
        fields.pop("source")
        found[name] = Workload(name=name, **fields)
    return found


def of_grok(name: str, config: GrokConfig, seq_len: int = 8192) -> Workload:
    """A Grok as the planner sees it."""
    return Workload(
        name=name,
        layers=config.num_layers,
        hidden=config.hidden_size,
        heads=config.num_heads,
        kv_heads=config.num_kv_heads,
        head_dim=config.head_dim,
        vocab=config.vocab_size,
        seq_len=seq_len,
        ffn=config.intermediate_size,
        tied=config.tie_embeddings,
        experts=config.num_experts,
        top_k=config.num_experts_per_token,
        moe_ffn=config.moe_intermediate_size,
        moe_layers=config.num_layers,
        dense_residual=config.intermediate_size > 0,
        norms=4,
        activation="gelu",
        rope_theta=config.rope_theta,
    )


def workload(name: str, seq_len: int | None = None) -> Workload:
    """A preset by name, or the path of a Hugging Face config.json or its folder; PlanError names the nearest preset."""
    path = Path(name)
    return at_length(from_config(path) if name.endswith(".json") or path.exists() else preset(name), seq_len)


def preset(name: str) -> Workload:
    """A preset by name. Raises PlanError with the nearest one."""
    key = name.strip().lower().replace("_", "-").replace("llama-3.1", "llama-3")
    if key not in presets():
        raise PlanError(f"unknown model {name!r}: {nearest(key, presets())}, or give a config.json")
    return presets()[key]


def at_length(found: Workload, seq_len: int | None) -> Workload:
    """A model at another sequence length, if one is given. Raises PlanError for none."""
    if seq_len is not None and seq_len <= 0:
        raise PlanError(f"sequence length {seq_len} is not positive")
    return found if seq_len is None else found.at(seq_len)
