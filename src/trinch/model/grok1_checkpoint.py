"""Read the original Grok-1 checkpoint: `ckpt-0/tensor00000_000` and on, one pickled tensor a file.

A pickle can run any code, so the unpickler accepts only the few classes that the published files name, and replaces
each by a stand-in that only keeps its arguments: nothing of NumPy, JAX or the checkpoint's own module is called.

The order is that of JAX's flattened parameters: Haiku names sorted as text, so layer 10 follows layer 1. A
file holds a float32 array (table, norms, router) or a `QuantizedWeight8bit` of int8 `weight` [..., K, N]
and bfloat16 `scales` [..., G, N]: row group g of G, K/G rows, is multiplied by scales[..., g, :]. G is 8
where the released model was split eight ways along K, else 1.
"""

import pickle
import re
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trinch.errors import TrinchError
from trinch.model.config import CONFIGS, GrokConfig
from trinch.model.parity import translate_haiku

_DTYPES = {
    "i1": torch.int8,
    "f4": torch.float32,
    "f2": torch.float16,
    "f8": torch.float64,
    "bf16": torch.bfloat16,
}


class CheckpointError(TrinchError, ValueError):
    """An invalid checkpoint; the message names the file or the tensor."""


def refuse_lfs_pointer(path: Path) -> None:
    """Raise CheckpointError where a file is only Git LFS's pointer to its content."""
    try:
        with path.open("rb") as file:
            start = file.read(40)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None
    if start.startswith(b"version https://git-lfs.github.com/"):
        raise CheckpointError(f"{path}: a Git LFS pointer, not the file itself: run `git lfs pull` there")


class _DType:
    """Stand-in for numpy.dtype and for ml_dtypes.bfloat16."""

    def __init__(self, kind: Any = "bf16", *_flags: bool) -> None:
        self.kind = "bf16" if kind is _DType or kind == "bfloat16" else str(kind).lstrip("<|=")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if len(state) > 1 and state[1] == ">":
            raise pickle.UnpicklingError("big-endian arrays are not supported")


class _Array:
    """Stand-in for numpy.ndarray; `tensor` is its content."""

    tensor: Tensor

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, dtype, fortran_order, data = state
        if fortran_order or not isinstance(dtype, _DType) or dtype.kind not in _DTYPES:
            raise pickle.UnpicklingError(f"array of a kind not supported ({getattr(dtype, 'kind', dtype)})")
        if not isinstance(data, bytes) or len(data) != prod(shape) * _DTYPES[dtype.kind].itemsize or not data:
            raise pickle.UnpicklingError(f"an array of shape {shape} does not match its data")
        self.tensor = torch.frombuffer(bytearray(data), dtype=_DTYPES[dtype.kind]).view(shape)


def _reconstruct(*_arguments: Any) -> _Array:
    """Stand-in for numpy's function of that name, which makes the empty array that the state then fills."""
    return _Array()


class _Quantized:
    """Stand-in for QuantizedWeight8bit, whose state is its two fields."""

    weight: _Array
    scales: _Array


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("ml_dtypes", "bfloat16"): _DType,
    ("__main__", "QuantizedWeight8bit"): _Quantized,
    ("model", "QuantizedWeight8bit"): _Quantized,
}


class _SafeUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no Grok-1 checkpoint needs")
        return _KNOWN[module, name]


def read_tensor(path: Path) -> tuple[Tensor, Tensor | None]:
    """The tensor in one file, and its scales if it is quantised. Raises CheckpointError on anything
    unexpected."""
    refuse_lfs_pointer(path)
    try:
        with path.open("rb") as file:
            value = _SafeUnpickler(file).load()
        if isinstance(value, _Array):
            return value.tensor, None
        if isinstance(value, _Quantized):
            return value.weight.tensor, value.scales.tensor
    except Exception as error:  # a hostile pickle may fail anywhere inside the unpickler
        raise CheckpointError(f"{path}: refused: {error}") from None
    raise CheckpointError(f"{path}: refused: it holds neither an array nor a quantised weight")


def dequantize(weight: Tensor, scales: Tensor | None, dtype: torch.dtype) -> Tensor:
    """weight [..., K, N] times its scales [..., G, N], in `dtype`. The product of the two is exact in
    fp32."""
    if scales is None:
        return weight.to(dtype)
    groups, columns = scales.shape[-2:]
    if weight.shape[-1] != columns or weight.shape[-2] % groups or weight.shape[:-2] != scales.shape[:-2]:
        raise CheckpointError(f"scales {tuple(scales.shape)} do not fit a weight {tuple(weight.shape)}")
    out = torch.empty(weight.shape, dtype=dtype)
    # Expert by expert, so that the fp32 product is never held whole.
    weights, targets = (x.reshape(-1, groups, x.shape[-2] // groups, columns) for x in (weight, out))
    for w, s, target in zip(weights, scales.reshape(-1, groups, 1, columns), targets, strict=True):
        target.copy_(w.float() * s.float())
    return out


def haiku_names(num_layers: int) -> list[str]:
    """Haiku's names of all parameters in the order of the files."""
    names = ["language_model/in_out_embed/embeddings", "language_model/rms_norm/scale"]
    parts = [
        *(f"moe/{x}/w" for x in ("linear", "linear_1", "linear_v")),
        *(f"multi_head_attention/{x}/w" for x in ("key", "linear", "query", "value")),
        *(f"rms_norm{x}/scale" for x in ("", "_1", "_2", "_3")),
        "router/w",
    ]
    for layer in sorted(range(num_layers), key=lambda i: f"decoder_layer_{i}/"):
        names += [f"transformer/decoder_layer_{layer}/{part}" for part in parts]
    return names


def find_files(folder: Path) -> list[Path]:
    """The tensor files of a checkpoint in order, in `folder` or its `ckpt-0`; empty if there are none."""
    for place in (folder, folder / "ckpt-0"):
        if files := sorted(x for x in place.glob("tensor*") if re.fullmatch(r"tensor\d{5}_000", x.name)):
            return files
    return []


def infer_config(folder: Path) -> GrokConfig:
    """Configuration of a checkpoint from the number of its files and the shapes in the first layer's.

    The shapes do not determine the size of a head: 8 key-value heads are assumed, as every published Grok has.
    """
    files = find_files(folder)
    layers, rest = divmod(len(files) - 2, 12)
    if layers < 1 or rest or [int(x.name[6:11]) for x in files] != list(range(len(files))):
        raise CheckpointError(
            f"{folder}: {len(files)} tensor files; 2 + 12 a layer expected, numbered from 0"
        )
    names = haiku_names(layers)

    def shape(name: str) -> torch.Size:
        return read_tensor(files[names.index(name)])[0].shape

    vocab, hidden = shape("language_model/in_out_embed/embeddings")
    query = shape("transformer/decoder_layer_0/multi_head_attention/query/w")[-1]
    key = shape("transformer/decoder_layer_0/multi_head_attention/key/w")[-1]
    experts, _, width = shape("transformer/decoder_layer_0/moe/linear/w")
    return replace(
        CONFIGS["grok-1"],
        vocab_size=vocab,
        hidden_size=hidden,
        num_layers=layers,
        num_heads=query // (key // 8),
        num_kv_heads=8,
        head_dim=key // 8,
        moe_intermediate_size=width,
        num_experts=experts,
        embedding_multiplier=hidden**0.5,
        attention_multiplier=0.0,
    )


def read_tensors(
    folder: Path, config: GrokConfig, dtype: torch.dtype = torch.bfloat16
) -> Iterator[tuple[str, Tensor]]:
    """Every parameter under our name, one at a time: memory holds one file's contents and its dequantised form.

    Norms and routers come in fp32, everything else in `dtype`. Raises CheckpointError for a missing file, a
    wrong shape or a pickle that names anything unknown.
    """
    files, names = find_files(folder), haiku_names(config.num_layers)
    if len(files) != len(names):
        raise CheckpointError(f"{folder}: {len(files)} tensor files, {len(names)} expected")
    shapes = config.parameter_shapes()
    for path, haiku in zip(files, names, strict=True):
        name, transpose = translate_haiku(haiku)
        weight, scales = read_tensor(path)
        keep = weight.ndim == 1 or ".router." in name
        tensor = dequantize(weight, scales, torch.float32 if keep else dtype)
        del weight, scales
        if transpose:
            tensor = tensor.T.contiguous()
        if tuple(tensor.shape) != shapes[name]:
            raise CheckpointError(f"{path}: {name} is {tuple(tensor.shape)}, should be {shapes[name]}")
        yield name, tensor
        del tensor
