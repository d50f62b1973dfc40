"""Open a model: by name, from xAI's original files, or from safetensors.

The formats themselves are in `grok1_checkpoint` and `hf_checkpoint`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from trinch.model import grok1_checkpoint, hf_checkpoint
from trinch.model.config import GrokConfig
from trinch.model.describe import describe_config
from trinch.model.grok import Grok
from trinch.model.grok1_checkpoint import CheckpointError as CheckpointError
from trinch.model.hf_config import config_from_hf, read_config_json

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
    return config_from_hf(read_config_json(folder / "config.json"))


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


def describe_checkpoint(folder: Path) -> dict[str, Any]:
    """`describe_config` of the checkpoint in `folder`, and what is on disk. Raises CheckpointError if none is there."""
    form, config = find_format(folder), read_config(folder)
    files = grok1_checkpoint.find_files(folder) or sorted(folder.glob("*.safetensors"))
    size = sum(file.stat().st_size for file in files)
    return describe_config(str(folder), config) | {
        "checkpoint": {"format": form, "files": len(files), "bytes": size}
    }
