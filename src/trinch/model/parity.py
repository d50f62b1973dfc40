"""Parity check: compare Grok-1 with logits that the original JAX code wrote.

A parity file is a NumPy archive of `tokens`, `logits`, `meta` (a Python literal of hyper-parameters) and
`param:<haiku name>` arrays, `[in, out]`. The translation of Haiku's names is shared with the importer of the original
checkpoint.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trinch.errors import TrinchError
from trinch.model.config import GrokConfig
from trinch.model.grok import Grok, attention_mask

TOLERANCE = {"float32": 2e-5, "bfloat16": 5e-2}
"""Largest |Δlogit| that counts as the same, by the precision the reference logits were written in."""
MIN_ARGMAX_AGREEMENT = 0.99

_NORMS = {
    "rms_norm": "pre_attn",
    "rms_norm_1": "post_attn",
    "rms_norm_2": "pre_moe",
    "rms_norm_3": "post_moe",
}
_PROJECTIONS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "linear": "o_proj"}
_EXPERTS = {"linear": "gate", "linear_v": "up", "linear_1": "down"}


class ParityFileError(TrinchError, ValueError):
    """The file is not a parity file; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class ParityResult:
    """How far our logits are from the reference."""

    max_abs_diff: float
    argmax_agreement: float
    """Share of positions at which both prefer the same token."""
    reference_dtype: str
    """Precision of the reference, `float32` or `bfloat16`, seen from its values."""

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance of the reference's precision."""
        close = self.max_abs_diff <= TOLERANCE[self.reference_dtype]
        return close and self.argmax_agreement >= MIN_ARGMAX_AGREEMENT


def translate_haiku(name: str) -> tuple[str, bool]:
    """Our name of a Haiku parameter, and whether its matrix must be transposed; ValueError if unknown.

    >>> translate_haiku("transformer/decoder_layer_3/multi_head_attention/key/w")
    ('layers.3.attn.k_proj.weight', True)
    """
    if name == "language_model/in_out_embed/embeddings":
        return "embed_tokens.weight", False
    if name == "language_model/rms_norm/scale":
        return "norm.weight", False
    if match := re.fullmatch(r"transformer/decoder_layer_(\d+)/(\w+)(?:/(\w+))?/(?:w|scale)", name):
        layer, module, part = match.groups()
        if module in _NORMS and part is None:
            return f"layers.{layer}.{_NORMS[module]}_norm.weight", False
        if module == "multi_head_attention" and part in _PROJECTIONS:
            return f"layers.{layer}.attn.{_PROJECTIONS[part]}.weight", True
        if module == "moe" and part in _EXPERTS:
            return f"layers.{layer}.moe.experts.{_EXPERTS[part]}", False
        if module == "router" and part is None:
            return f"layers.{layer}.moe.router.weight", True
    raise ValueError(f"no parameter of Grok-1 is called {name!r}")


def config_from_meta(meta: dict[str, Any]) -> GrokConfig:
    """Configuration of a parity file; raises ParityFileError naming a missing key."""
    try:
        if meta.get("max_attn_val", 30.0) <= 0:
            raise ParityFileError(f"meta: max_attn_val {meta['max_attn_val']} is not a cap")
        return GrokConfig(
            vocab_size=meta["vocab"],
            hidden_size=meta["D"],
            num_layers=meta["num_layers"],
            num_heads=meta["num_q_heads"],
            num_kv_heads=meta["num_kv_heads"],
            head_dim=meta["key_size"],
            moe_intermediate_size=meta["ffn"],
            num_experts=meta.get("num_experts", 8),
            num_experts_per_token=meta.get("top_k", 2),
            tie_embeddings=True,
            embedding_multiplier=meta["embedding_multiplier_scale"],
            output_multiplier=meta["output_multiplier_scale"],
            attention_multiplier=meta["attn_output_multiplier"],
            attention_softcap=meta.get("max_attn_val", 30.0),
            rms_norm_eps=meta.get("rms_eps", 1e-5),
            rope_theta=float(meta.get("rope_base", 10_000)),
        )
    except KeyError as missing:
        raise ParityFileError(f"meta has no {missing}; it has {', '.join(meta)}") from None


@dataclass(frozen=True, slots=True)
class ParityFile:
    """A model with the file's weights, its input and what the original code made of it."""

    model: Grok
    tokens: Tensor
    """[B, T] integer; 0 is padding."""
    logits: np.ndarray[Any, np.dtype[np.float32]]
    """[B, T, V], the reference."""

    def run(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Our logits [B, T, V] in fp32, computed in `dtype` (see `trinch.model.grok`)."""
        self.model.dtype = dtype
        mask = attention_mask(self.tokens.shape[1], seen=self.tokens > self.model.config.pad_token_id)
        with torch.inference_mode():
            logits = self.model(self.tokens, mask=mask)
        return torch.as_tensor(logits).float()


def read_parity_file(path: Path) -> ParityFile:
    """Load one file; raises ParityFileError if it is not of the format, OSError if it cannot be read."""
    try:
        archive = np.load(path, allow_pickle=False)
        arrays = {key: archive[key] for key in archive.files}
    except (ValueError, EOFError, AttributeError) as error:
        raise ParityFileError(f"{path}: not a NumPy archive without pickles ({error})") from None
    if lacking := [key for key in ("tokens", "logits", "meta") if key not in arrays]:
        raise ParityFileError(f"{path}: no {', '.join(lacking)}")
    try:
        meta = ast.literal_eval(str(arrays["meta"]))
    except (ValueError, SyntaxError) as error:
        raise ParityFileError(f"{path}: meta is not a Python literal ({error})") from None
    if not isinstance(meta, dict):
        raise ParityFileError(f"{path}: meta is not a dictionary")
    try:
        state = {}
        for key, array in arrays.items():
            if key.startswith("param:"):
                name, transpose = translate_haiku(key.removeprefix("param:"))
                tensor = torch.from_numpy(array.astype(np.float32))
                state[name] = tensor.T.contiguous() if transpose else tensor
        model = Grok(config_from_meta(meta))
        model.load_state_dict(state)
    except (RuntimeError, ValueError) as error:
        raise ParityFileError(f"{path}: {error}") from None
    logits = arrays["logits"].astype(np.float32)
    return ParityFile(model, torch.from_numpy(arrays["tokens"].astype(np.int64)), logits)


def check_parity(path: Path, dtype: torch.dtype = torch.float32) -> ParityResult:
    """Run the file's input through our model and compare logits. Errors as `read_parity_file`."""
    file = read_parity_file(path)
    ours = file.run(dtype).numpy()
    if ours.shape != file.logits.shape:
        raise ParityFileError(f"{path}: logits are {file.logits.shape}, the model gives {ours.shape}")
    # bfloat16 is the upper half of a float32.
    is_bf16 = not (np.ascontiguousarray(file.logits).view(np.uint32) & 0xFFFF).any()
    return ParityResult(
        max_abs_diff=float(np.abs(ours - file.logits).max()),
        argmax_agreement=float((ours.argmax(-1) == file.logits.argmax(-1)).mean()),
        reference_dtype="bfloat16" if is_bf16 else "float32",
    )
