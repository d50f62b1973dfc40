"""Read and write Grok in safetensors under the names of xAI's Grok-2 release, which SGLang loads.

The release holds most tensors whole, in
`…-TP-common.safetensors`, and the experts cut eight ways, **the same name in eight files** `…-TP-000` to
`…-TP-007`: a reader that takes one tensor a name gets an eighth of each without noticing. Files written
here hold whole tensors, one a name.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from trinch.model.config import CONFIGS, GrokConfig
from trinch.model.grok1_checkpoint import CheckpointError

_OURS_TO_HF = {
    "attn.": "self_attn.",
    "moe.router.": "block_sparse_moe.gate.",
}
_EXPERTS = {"gate": "w1", "up": "w3", "down": "w2"}

# Dimension along which tensor parallelism cuts a matrix stored [out, in].
_CUT = {"w1": 0, "w3": 0, "w2": 1, "gate_proj": 0, "up_proj": 0, "down_proj": 1, "q_proj": 0, "k_proj": 0}
_CUT |= {"v_proj": 0, "o_proj": 1, "embed_tokens": 0, "lm_head": 0}

_CONFIG_KEYS = {
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


def config_to_hf(config: GrokConfig, dtype: torch.dtype = torch.bfloat16) -> dict[str, Any]:
    """`config.json` for the engines; raises ValueError for a model they cannot express."""
    if abs(config.attention_scale - config.head_dim**-0.5) > 1e-9 * config.attention_scale:
        raise ValueError(
            f"the engines scale scores by head_dim ** -0.5; this model by {config.attention_scale}"
        )
    return {
        "architectures": ["Grok1ForCausalLM"],
        # As in the release: it satisfies transformers, which knows no Grok; engines read `architectures`.
        "model_type": "git",
        **{theirs: getattr(config, ours) for theirs, ours in _CONFIG_KEYS.items()},
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


def config_from_hf(values: dict[str, Any]) -> GrokConfig:
    """Configuration from a `config.json`; what it lacks is as in Grok-2. Raises CheckpointError if it is no
    Grok."""
    base = CONFIGS["grok-2"]
    needed = {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"}
    if lacking := needed - values.keys():
        raise CheckpointError(f"config.json has no {', '.join(sorted(lacking))}")
    known = {ours: values[theirs] for theirs, ours in _CONFIG_KEYS.items() if values.get(theirs) is not None}
    heads = values["hidden_size"] // values["num_attention_heads"]
    extra = {
        "head_dim": known.get("head_dim", heads),
        "moe_intermediate_size": known.get("moe_intermediate_size", values.get("intermediate_size")),
        "intermediate_size": values.get("intermediate_size", 0) if values.get("residual_moe") else 0,
        "attention_temperature_len": max(values.get("attn_temperature_len") or 0, 0),
        # "original" means plain frequencies to the reference engine, in spite of the YaRN keys beside it.
        "rope_type": "yarn" if str(values.get("rope_type", "")).startswith("yarn") else "plain",
        "attention_multiplier": 0.0,
    }
    try:
        return replace(base, **(known | extra))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"config.json: {error}") from None


def hf_names(name: str, num_experts: int) -> list[str]:
    """Their name or, for a stacked tensor, names in the order of the experts, of our parameter `name`."""
    if match := re.fullmatch(r"layers\.(\d+)\.moe\.experts\.(\w+)", name):
        layer, part = match.groups()
        at = f"model.layers.{layer}.block_sparse_moe.experts"
        return [f"{at}.{e}.{_EXPERTS[part]}.weight" for e in range(num_experts)]
    for ours, theirs in _OURS_TO_HF.items():
        name = name.replace(f".{ours}", f".{theirs}")
    return [name if name.startswith("lm_head") else f"model.{name}"]


def _find_tensors(folder: Path) -> dict[str, list[Path]]:
    """The files that hold each tensor, several if it is cut, in the order of the ranks."""
    found = defaultdict(list)
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    found[name].append(path)
        except SafetensorError as error:
            raise CheckpointError(f"{path}: not a safetensors file ({error})") from None
    return found


def read_tensors(folder: Path, config: GrokConfig) -> Iterator[tuple[str, Tensor]]:
    """Every parameter under our name and in the stored dtype, one at a time, cut ones joined, experts
    stacked.

    Memory holds one parameter and one of its pieces. Raises CheckpointError if a tensor is missing or not
    of the shape that `config` says, which is what a lost shard looks like.
    """
    found = _find_tensors(folder)

    def whole(name: str) -> Tensor:
        if name not in found:
            raise CheckpointError(f"{folder}: no tensor called {name}")
        pieces: list[Tensor] = []
        for path in found[name]:
            with safe_open(path, framework="pt") as file:
                pieces.append(file.get_tensor(name))
        if len(pieces) == 1:
            return pieces[0]
        part = name.split(".")[-2]
        if part not in _CUT:
            raise CheckpointError(f"{folder}: {name} is in {len(pieces)} files and not known to be cut")
        joined: Tensor = torch.cat(pieces, dim=_CUT[part])
        return joined

    for ours, shape in config.parameter_shapes().items():
        names = hf_names(ours, config.num_experts)
        tensor: Tensor | None = None
        for i, name in enumerate(names):
            piece = whole(name)
            # Theirs are [out, in] each; our stack is [experts, in, out].
            expected = shape if len(names) == 1 else shape[:0:-1]
            if tuple(piece.shape) != expected:
                count = f", joined from {len(found[name])} files" if len(found[name]) > 1 else ""
                raise CheckpointError(
                    f"{folder}: {name} is {tuple(piece.shape)}{count}, should be {expected}"
                )
            if len(names) == 1:
                tensor = piece
                break
            if tensor is None:
                tensor = torch.empty(shape, dtype=piece.dtype)
            tensor[i] = piece.T
        assert tensor is not None, "a parameter has at least one name"
        yield ours, tensor


def write(
    tensors: Iterable[tuple[str, Tensor]],
    config: GrokConfig,
    folder: Path,
    *,
    dtype: torch.dtype = torch.bfloat16,
    file_bytes: int = 4 << 30,
) -> None:
    """Write parameters, as they come, to files of about `file_bytes` in `folder`, with index and
    `config.json`.

    Norms and routers stay in the dtype they come in. A tied table is written twice, since SGLang wants its
    head. The index, without which no engine loads the folder whole, comes last. Memory holds one file and
    one parameter.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_to_hf(config, dtype), indent=2) + "\n")
    weight_map: dict[str, str] = {}
    pending: dict[str, Tensor] = {}
    size = total = 0

    def flush() -> None:
        nonlocal size
        name = f"model-{len(set(weight_map.values())) + 1:05d}.safetensors"
        save_file(pending, folder / name, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(pending, name))
        pending.clear()
        size = 0

    def add(name: str, tensor: Tensor) -> None:
        nonlocal size, total
        pending[name] = tensor.contiguous()
        size += tensor.nbytes
        total += tensor.nbytes
        if size >= file_bytes:
            flush()

    for ours, parameter in tensors:
        keep = parameter.ndim == 1 or ".router." in ours
        tensor = parameter.detach() if keep else parameter.detach().to(dtype)
        names = hf_names(ours, config.num_experts)
        for i, name in enumerate(names):
            add(name, tensor if len(names) == 1 else tensor[i].T)
        if ours == "embed_tokens.weight" and config.tie_embeddings:
            add("lm_head.weight", tensor.clone())
        del parameter, tensor
    if pending:
        flush()
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
