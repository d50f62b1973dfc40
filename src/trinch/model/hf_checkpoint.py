"""Read and write Grok in safetensors under the names of xAI's Grok-2 release, which SGLang loads.

The release holds most tensors whole, in `…-TP-common.safetensors`, and the experts cut eight ways, **the same name in
eight files** `…-TP-000` to `…-TP-007`: a reader that takes one tensor a name gets an eighth of each without noticing.
Files written here hold whole tensors, one a name.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from trinch.model.config import GrokConfig
from trinch.model.grok1_checkpoint import CheckpointError, refuse_lfs_pointer
from trinch.model.hf_config import config_to_hf, read_config_json

_OURS_TO_HF = {
    "attn.": "self_attn.",
    "moe.router.": "block_sparse_moe.gate.",
}
_EXPERTS = {"gate": "w1", "up": "w3", "down": "w2"}

# Dimension along which tensor parallelism cuts a matrix stored [out, in].
_CUT = {"w1": 0, "w3": 0, "w2": 1, "gate_proj": 0, "up_proj": 0, "down_proj": 1, "q_proj": 0, "k_proj": 0}
_CUT |= {"v_proj": 0, "o_proj": 1, "embed_tokens": 0, "lm_head": 0}

_SCALES = ("weight_scale", "weight_scale_inv")
"""Names of a quantised weight's scales, which multiply it, in place of `weight` at the end of its name."""
_NOT_WEIGHTS = ("input_scale", "activation_scale", "rotary_emb.inv_freq")
"""Ends of names that no weight depends on: scales of quantised activations, which stay unquantised here, and rotary
frequencies, which follow from the config."""


def hf_names(name: str, num_experts: int) -> list[str]:
    """Their name or, for a stacked tensor, names in the order of the experts, of our parameter `name`."""
    if match := re.fullmatch(r"layers\.(\d+)\.moe\.experts\.(\w+)", name):
        layer, part = match.groups()
        at = f"model.layers.{layer}.block_sparse_moe.experts"
        return [f"{at}.{e}.{_EXPERTS[part]}.weight" for e in range(num_experts)]
    for ours, theirs in _OURS_TO_HF.items():
        name = name.replace(f".{ours}", f".{theirs}")
    return [name if name.startswith("lm_head") else f"model.{name}"]


def read_tensors(folder: Path, config: GrokConfig) -> Iterator[tuple[str, Tensor]]:
    """Every parameter under our name and in the stored dtype (bfloat16 where it was quantised), one at a time, cut
    ones joined, experts stacked.

    Memory holds one parameter and one of its pieces. Raises CheckpointError if a tensor is missing, is not used, or
    is not of the shape that `config` says (a lost shard), and for a quantisation that is not known.
    """
    files = _Files(folder)
    files.check_quantization()
    names = {ours: hf_names(ours, config.num_experts) for ours in config.parameter_shapes()}
    files.check_all_used({name for group in names.values() for name in group}, config)
    for ours, shape in config.parameter_shapes().items():
        if len(names[ours]) == 1:
            yield ours, files.read(names[ours][0], shape)
        else:
            yield ours, _stack(files, names[ours], shape)


def _stack(files: "_Files", names: list[str], shape: tuple[int, ...]) -> Tensor:
    """Experts, [out, in] each, as one tensor [experts, in, out]."""
    out: Tensor | None = None
    for i, name in enumerate(names):
        piece = files.read(name, shape[:0:-1])
        if out is None:
            out = torch.empty(shape, dtype=piece.dtype)
        out[i] = piece.T
    assert out is not None, "a model has experts"
    return out


class _Files:
    """The safetensors files of a folder, by the names of the tensors in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[str, list[Path]] = defaultdict(list)
        """Several files where a tensor is cut, in the order of the ranks."""
        for path in sorted(folder.glob("*.safetensors")):
            refuse_lfs_pointer(path)
            try:
                with safe_open(path, framework="pt") as file:
                    for name in file.keys():  # noqa: SIM118 - not a mapping
                        self.found[name].append(path)
            except SafetensorError as error:
                raise CheckpointError(f"{path}: not a safetensors file ({error})") from None

    def check_quantization(self) -> None:
        """Raise CheckpointError for a `quantization_config` other than FP8 with scales, which is applied."""
        quantized = read_config_json(self.folder / "config.json").get("quantization_config")
        if quantized and quantized.get("quant_method") != "fp8":
            raise CheckpointError(
                f"{self.folder}: quantization_config has quant_method {quantized.get('quant_method')!r}; only fp8 "
                "with weight scales is read: convert an unquantised checkpoint"
            )

    def check_all_used(self, used: set[str], config: GrokConfig) -> None:
        """Raise CheckpointError naming tensors that would not be used: the model in the files is another one."""
        scales = {name.removesuffix("weight") + scale for name in used for scale in _SCALES}
        unused = [
            name for name in self.found if name not in used | scales and not name.endswith(_NOT_WEIGHTS)
        ]
        if config.tie_embeddings and "lm_head.weight" in unused:
            unused.remove("lm_head.weight")
            if not torch.equal(self._joined("lm_head.weight"), self._joined("model.embed_tokens.weight")):
                raise CheckpointError(
                    f"{self.folder}: lm_head.weight differs from the embedding, but config.json ties them"
                )
        if unused:
            shown = ", ".join(unused[:5]) + (f" and {len(unused) - 5} more" if len(unused) > 5 else "")
            dense = "a" if config.intermediate_size else "no"
            raise CheckpointError(
                f"{self.folder}: tensors not used by the model that config.json describes ({config.num_layers} "
                f"layers, {config.num_experts} experts, {dense} dense mlp): {shown}"
            )

    def read(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """The whole tensor, dequantised. Raises CheckpointError if it is missing or of another shape."""
        if name not in self.found:
            raise CheckpointError(f"{self.folder}: no tensor called {name}")
        tensor = self._joined(name)
        if tuple(tensor.shape) != shape:
            files = len(self.found[name])
            count = f", joined from {files} files" if files > 1 else ""
            raise CheckpointError(f"{self.folder}: {name} is {tuple(tensor.shape)}{count}, should be {shape}")
        scale = next((s for end in _SCALES if (s := name.removesuffix("weight") + end) in self.found), None)
        if scale is not None:
            return self._scaled(tensor, self._joined(scale), scale)
        if tensor.dtype.itemsize < 2 or not tensor.is_floating_point():
            raise CheckpointError(f"{self.folder}: {name} is {tensor.dtype} without scales")
        return tensor

    def _joined(self, name: str) -> Tensor:
        """The tensor as stored, its pieces joined."""
        pieces: list[Tensor] = []
        for path in self.found[name]:
            with safe_open(path, framework="pt") as file:
                pieces.append(file.get_tensor(name))
        if len(pieces) == 1:
            return pieces[0]
        part = name.split(".")[-2]
        if part not in _CUT:
            raise CheckpointError(f"{self.folder}: {name} is in {len(pieces)} files and not known to be cut")
        joined: Tensor = torch.cat(pieces, dim=_CUT[part])
        return joined

    def _scaled(self, tensor: Tensor, scale: Tensor, name: str) -> Tensor:
        """tensor [out, in] times its scale: one, one a row, or one a block (128 × 128 by default)."""
        scale = scale.float()
        if scale.ndim == 2 and scale.shape[1] > 1:
            rows, columns = (-(-a // b) for a, b in zip(tensor.shape, scale.shape, strict=True))
            scale = scale.repeat_interleave(rows, 0)[: tensor.shape[0]]
            scale = scale.repeat_interleave(columns, 1)[:, : tensor.shape[1]]
        elif scale.ndim == 1 and scale.numel() > 1:
            scale = scale[:, None]
        if scale.numel() > 1 and scale.shape[0] != tensor.shape[0]:
            raise CheckpointError(f"{self.folder}: {name} does not fit its weight {tuple(tensor.shape)}")
        return (tensor.float() * scale).to(torch.bfloat16)


def write(
    tensors: Iterable[tuple[str, Tensor]],
    config: GrokConfig,
    folder: Path,
    *,
    dtype: torch.dtype = torch.bfloat16,
    file_bytes: int = 4 << 30,
) -> None:
    """Write parameters, as they come, to files of about `file_bytes` in `folder`, with index and `config.json`.

    Norms and routers stay in the dtype they come in. A tied table is written twice, since SGLang reads the head
    separately. The index, without which no engine loads the folder whole, comes last. Each tensor goes to its file at
    once: memory holds one parameter and a copy of one of its experts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_to_hf(config, dtype), indent=2) + "\n")
    with _Shards(folder, file_bytes) as shards:
        for ours, parameter in tensors:
            keep = parameter.ndim == 1 or ".router." in ours
            names = hf_names(ours, config.num_experts)
            for i, name in enumerate(names):
                tensor = parameter.detach() if len(names) == 1 else parameter.detach()[i].T
                shards.add(name, tensor if keep else tensor.to(dtype))
                if ours == "embed_tokens.weight" and config.tie_embeddings:
                    shards.add("lm_head.weight", tensor if keep else tensor.to(dtype))
            del parameter, tensor


_HEADER_BYTES = 1 << 19
"""Room for the header at the start of a file, which is known only at its end: 3,000 names of Grok's length."""
_DTYPE_NAMES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


class _Shards:
    """Safetensors files, each tensor appended as it comes, since the library's writer wants a whole file in memory.

    A file is the length of its header as 8 bytes, the header in JSON, padded with spaces, and the tensors' bytes
    (https://huggingface.co/docs/safetensors, "Format").
    """

    def __init__(self, folder: Path, file_bytes: int) -> None:
        self._folder, self._file_bytes = folder, file_bytes
        self._header: dict[str, Any] = {}
        self._weight_map: dict[str, str] = {}
        self._size = self._total = self._files = 0
        self._file: BinaryIO | None = None

    def __enter__(self) -> "_Shards":
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """Finish the last file; and write the index, unless an error ended the writing."""
        self._end_file()
        if failed is None:
            index = {"metadata": {"total_size": self._total}, "weight_map": self._weight_map}
            path = self._folder / "model.safetensors.index.json"
            path.write_text(json.dumps(index, indent=1) + "\n")

    def add(self, name: str, tensor: Tensor) -> None:
        """Append one tensor."""
        entry = len(json.dumps(name)) + 120
        if self._size and (
            self._size + tensor.nbytes > self._file_bytes or self._header_size + entry > _HEADER_BYTES
        ):
            self._end_file()
        if self._file is None:
            self._begin_file()
        assert self._file is not None
        self._file.write(tensor.contiguous().view(torch.uint8).flatten().numpy().data)
        offsets = [self._size, self._size + tensor.nbytes]
        self._header[name] = {
            "dtype": _DTYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": offsets,
        }
        self._header_size += entry
        self._weight_map[name] = self._name
        self._size += tensor.nbytes
        self._total += tensor.nbytes

    def _begin_file(self) -> None:
        self._files += 1
        self._name = f"model-{self._files:05d}.safetensors"
        self._file = (self._folder / self._name).open("wb")
        self._file.write(bytes(8 + _HEADER_BYTES))
        self._header, self._header_size, self._size = {"__metadata__": {"format": "pt"}}, 100, 0

    def _end_file(self) -> None:
        if self._file is not None:
            header = json.dumps(self._header, separators=(",", ":")).encode().ljust(_HEADER_BYTES)
            self._file.seek(0)
            self._file.write(len(header).to_bytes(8, "little") + header)
            self._file.close()
            self._file, self._size = None, 0
