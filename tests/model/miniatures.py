"""Small checkpoints in the published formats: real names, real order, real sharding."""

import json
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

Pieces = dict[str, Tensor]


class QuantizedWeight8bit:
    """Pickles as the class of the release does: its module's name is `__main__`."""

    def __init__(self, weight: Any, scales: Any) -> None:
        self.weight, self.scales = weight, scales


class bfloat16:  # noqa: N801 - the name of NumPy's extension type
    """Pickles as ml_dtypes.bfloat16, of which the scales are."""


class _BF16DType:
    def __reduce__(self) -> Any:
        return np.dtype, (bfloat16, False, True), (3, "<", None, None, None, -1, -1, 0)


class _BF16Array:
    """Pickles as an array of bfloat16 does."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.to(torch.bfloat16)

    def __reduce__(self) -> Any:
        reconstruct, arguments, _state = np.zeros(1, np.int8).__reduce__()
        data = self.tensor.contiguous().view(torch.int16).numpy().tobytes()
        return reconstruct, arguments, (1, tuple(self.tensor.shape), _BF16DType(), False, data)


@contextmanager
def published_names() -> Iterator[None]:
    """Let pickle write the two classes under the names of the release."""
    module = types.ModuleType("ml_dtypes")
    main = sys.modules["__main__"]
    saved = {"ml_dtypes": sys.modules.get("ml_dtypes"), "Q": getattr(main, "QuantizedWeight8bit", None)}
    bfloat16.__module__, QuantizedWeight8bit.__module__ = "ml_dtypes", "__main__"
    module.bfloat16 = bfloat16  # type: ignore[attr-defined] # made here, on purpose
    main.QuantizedWeight8bit = QuantizedWeight8bit  # type: ignore[attr-defined] # as the release does
    sys.modules["ml_dtypes"] = module
    try:
        yield
    finally:
        if saved["ml_dtypes"] is None:
            del sys.modules["ml_dtypes"]
        else:
            sys.modules["ml_dtypes"] = saved["ml_dtypes"]
        if saved["Q"] is None:
            del main.QuantizedWeight8bit  # type: ignore[attr-defined] # as above


def grok1_names(layers: int) -> list[str]:
    """Haiku's names as the original code's JAX flattens them: a sort of the text."""
    parts = ["moe/linear/w", "moe/linear_1/w", "moe/linear_v/w", "router/w"]
    parts += [f"multi_head_attention/{x}/w" for x in ("key", "linear", "query", "value")]
    parts += [f"rms_norm{x}/scale" for x in ("", "_1", "_2", "_3")]
    layer = [f"transformer/decoder_layer_{i}/{part}" for i in range(layers) for part in parts]
    return sorted(["language_model/in_out_embed/embeddings", "language_model/rms_norm/scale", *layer])


def write_grok1(
    folder: Path, *, layers: int = 3, hidden: int = 64, heads: int = 16, head_dim: int = 8, width: int = 96
) -> dict[str, Tensor]:
    """Write `ckpt-0/tensor00000_000`… with 8 key heads and 8 experts; return the dequantised fp32 weights."""
    generator = torch.Generator().manual_seed(11)
    kv, q, vocab = 8 * head_dim, heads * head_dim, 160
    shapes = {
        "embeddings": (vocab, hidden),
        "scale": (hidden,),
        "moe/linear/w": (8, hidden, width),
        "moe/linear_v/w": (8, hidden, width),
        "moe/linear_1/w": (8, width, hidden),
        "key/w": (hidden, kv),
        "value/w": (hidden, kv),
        "query/w": (hidden, q),
        "multi_head_attention/linear/w": (q, hidden),
        "router/w": (hidden, 8),
    }
    place = folder / "ckpt-0"
    place.mkdir(parents=True)
    weights = {}
    with published_names():
        for i, name in enumerate(grok1_names(layers)):
            shape = next(s for end, s in shapes.items() if name.endswith(end))
            if len(shape) == 1 or name.endswith(("embeddings", "router/w")):
                value = torch.randn(shape, generator=generator) * (
                    0.1 if len(shape) == 1 else shape[-1] ** -0.5
                )
                weights[name] = value + (len(shape) == 1)
                content: Any = weights[name].numpy()
            else:
                # Row-parallel matrices were quantised shard by shard: eight rows of scales.
                groups = 8 if name.endswith("linear_1/w") or "attention/linear" in name else 1
                weight = torch.randint(-127, 128, shape, generator=generator, dtype=torch.int8)
                scales = torch.rand(*shape[:-2], groups, shape[-1], generator=generator) + 0.5
                scales = (scales / (73 * shape[-2] ** 0.5)).to(torch.bfloat16)
                wide = scales.float().repeat_interleave(shape[-2] // groups, dim=-2)
                weights[name] = weight.float() * wide
                content = QuantizedWeight8bit(weight.numpy(), _BF16Array(scales))
            with (place / f"tensor{i:05d}_000").open("wb") as file:
                pickle.dump(content, file, protocol=4)
    return weights


def write_grok2(folder: Path, weights: dict[str, np.ndarray[Any, Any]], config: dict[str, Any]) -> None:
    """Write Grok-2's 18 groups of files: experts cut eight ways, everything else whole in `TP-common`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {name: torch.from_numpy(value).to(torch.bfloat16) for name, value in weights.items()}

    def pick(test: Callable[[str], bool]) -> Pieces:
        return {name: tensor for name, tensor in tensors.items() if test(name)}

    groups = ["embed_tokens", "lm_head", "model.norm", "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj"]
    groups += [".w1.", ".w2.", ".w3.", "k_proj", "o_proj", "q_proj", "v_proj"]
    groups += ["pre_attn_norm", "post_attn_norm", "pre_moe_norm", "post_moe_norm", "block_sparse_moe.gate."]
    written = 0
    for number, group in enumerate(groups):
        part = pick(lambda name, group=group: group in name)
        written += len(part)
        if group in (".w1.", ".w2.", ".w3."):
            cut = 1 if group == ".w2." else 0
            for rank in range(8):
                shard = {name: tensor.chunk(8, cut)[rank].contiguous() for name, tensor in part.items()}
                save_file(shard, folder / f"pytorch_model-{number:05d}-TP-{rank:03d}.safetensors")
        else:
            save_file(part, folder / f"pytorch_model-{number:05d}-TP-common.safetensors")
    assert written == len(tensors), "a tensor is in no group or in two"
