"""Describe a model configuration: architecture, exact parameters, bytes. Needs no torch."""

from dataclasses import asdict
from typing import Any

from trinch.model.config import GrokConfig


def describe_config(name: str, config: GrokConfig) -> dict[str, Any]:
    """Architecture, exact parameters (total, active, by part), and bytes of weights and of the cache per token."""
    total, active = config.num_parameters, config.num_active_parameters
    return {
        "name": name,
        "architecture": asdict(config),
        "parameters": {"total": total, "active": active, "by_part": config.parameters_by_part()},
        "bytes": {"float32": 4 * total, "bfloat16": 2 * total, "int8": total},
        "kv_cache_bytes_per_token_bfloat16": 2 * config.kv_cache_values_per_token,
    }
