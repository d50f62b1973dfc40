"""Open a model: by name, from xAI's original files, or from safetensors.

The formats themselves are in `grok1_checkpoint` and `hf_checkpoint`.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from trinch.model import grok1_checkpoint, hf_checkpoint
from trinch.model.config import CONFIGS, GrokConfig
from trinch.model.grok import Grok
from trinch.model.grok1_checkpoint import CheckpointError as CheckpointError

Format = Literal["grok-1 pickles", "safetensors"]


def find_format(folder: Path) -> Format:
    """Which kind of checkpoint `folder` holds; raises CheckpointError if neither."""
    if grok1_checkpoint.find_files(folder):
        return "grok-1 pickles"
    if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")):
        return "safetensors"
    raise CheckpointError(
        f"{folder}: no checkpoint here: neither tensor00000_000… (Grok-1) nor config.json with *.safetensors"
    )


def read_config(folder: Path) -> GrokConfig:
    """Configuration of the checkpoint in `folder`."""
    if find_format(folder) == "grok-1 pickles":
        return grok1_checkpoint.infer_config(folder)
    try:
        values = json.loads((folder / "config.json").read_text())
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from None
    return hf_checkpoint.config_from_hf(values)


def read_tensors(
    folder: Path, config: GrokConfig | None = None, dtype: torch.dtype = torch.bfloat16
) -> Iterator[tuple[str, Tensor]]:
    """Every parameter of the checkpoint under our name, one at a time, in bounded memory.

    `dtype` is what quantised weights become; others come as they are stored.
    """
    config = config or read_config(folder)
    if find_format(folder) == "grok-1 pickles":
        return grok1_checkpoint.read_tensors(folder, config, dtype)
    return hf_checkpoint.read_tensors(folder, config)


def load(folder: Path, config: GrokConfig | None = None, dtype: torch.dtype = torch.bfloat16) -> Grok:
    """A model with the checkpoint's weights, stored and run in `dtype` (see `Grok.cast`).

    The model is filled parameter by parameter: at no time is more than one of them held twice.
    """
    config = config or read_config(folder)
    with torch.device("meta"):
        model = Grok(config).cast(dtype)
    model = model.to_empty(device="cpu")
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in read_tensors(folder, config, dtype):
            parameters.pop(name).copy_(tensor)
    if parameters:
        raise CheckpointError(f"{folder}: no tensor for {', '.join(parameters)}")
    return model


def save(model: Grok, folder: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Write a model for SGLang and `load`."""
    hf_checkpoint.write(model.named_parameters(), model.config, folder, dtype=dtype)


def describe(name_or_folder: str) -> dict[str, Any]:
    """Architecture, exact parameters (total, active, by part) and bytes of a known model or a checkpoint.

    For a checkpoint also what is on disk. Raises CheckpointError if it is neither.
    """
    folder = Path(name_or_folder)
    stored: dict[str, Any] = {}
    if name_or_folder in CONFIGS:
        config = CONFIGS[name_or_folder]
    elif folder.is_dir():
        config = read_config(folder)
        form = find_format(folder)
        files = grok1_checkpoint.find_files(folder) or sorted(folder.glob("*.safetensors"))
        size = sum(x.stat().st_size for x in files)
        stored = {"checkpoint": {"format": form, "files": len(files), "bytes": size}}
    else:
        raise CheckpointError(f"{name_or_folder!r} is neither a folder nor one of {', '.join(CONFIGS)}")
    total, active = config.num_parameters, config.num_active_parameters
    return {
        "name": name_or_folder,
        "architecture": asdict(config),
        "parameters": {"total": total, "active": active, "by_part": config.parameters_by_part()},
        "bytes": {"float32": 4 * total, "bfloat16": 2 * total, "int8": total},
        "kv_cache_bytes_per_token_bfloat16": 2 * config.kv_cache_values_per_token,
        **stored,
    }
