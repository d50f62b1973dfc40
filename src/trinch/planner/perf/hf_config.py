"""Read a Hugging Face config.json as a `Workload`: exactly, or refused with what the model is.

data/architectures.toml lists the model types, the keys that decide their shapes, and their class defaults.
An unknown type, or a key that adds layers this planner does not model, raises PlanError. The text part of a
multi-modal configuration is read alone.
"""

import json
import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from trinch.planner.perf.hardware import PlanError, nearest
from trinch.planner.perf.workload import Workload

Config = dict[str, Any]
LONGEST = 8192
"""Training length of a model whose configuration allows more, tokens."""
NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads", "n_head_kv", "kv_n_heads", "multi_query_group_num"),
    "ffn": ("intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim"),
    "vocab": ("vocab_size", "padded_vocab_size"),
    "positions": ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"),
    "experts": ("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts"),
    "top_k": ("num_experts_per_tok", "num_experts_per_token", "moe_k", "moe_top_k", "moe_topk"),
    "shared": ("n_shared_experts", "moe_num_shared_experts", "num_shared_experts"),
    "shared_ffn": ("shared_expert_intermediate_size", "shared_intermediate_size"),
    "every": (
        "decoder_sparse_step",
        "interleave_moe_layer_step",
        "moe_layer_interval",
        "moe_layer_frequency",
    ),
    "dense_first": ("first_k_dense_replace", "moe_layer_start_index"),
    "head_dim": ("head_dim", "kv_channels"),
    "window": ("sliding_window", "attention_chunk_size", "window_size"),
}
"""What a number is called in different configurations."""
TEXT_PARTS = ("text_config", "llm_config", "language_config")
"""Where multi-modal configurations keep their language model."""


@cache
def architectures() -> dict[str, Any]:
    """The table of model types."""
    text = files("trinch.planner").joinpath("data/architectures.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def from_config(path: Path) -> Workload:
    """Read a config.json, or that of a folder. Raises PlanError if it is missing, broken or not modelled."""
    return from_hf(_read(path), name=_file(path).resolve().parent.name or "model")


def is_grok(path: Path) -> bool:
    """Whether a file or folder is a Grok's configuration. Raises PlanError if it cannot be read."""
    config = _read(path)
    names = " ".join(str(one) for one in config.get("architectures") or [])
    return "grok" in f"{names} {config.get('model_type')}".lower()


def _file(path: Path) -> Path:
    return path / "config.json" if path.is_dir() else path


def _read(path: Path) -> Config:
    file = _file(path)
    try:
        config = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as err:
        raise PlanError(f"cannot read {file}: {err.strerror}") from None
    except ValueError as err:
        raise PlanError(f"{file} is not JSON: {err}") from None
    if not isinstance(config, dict):
        raise PlanError(f"{file} is not a model configuration: expected a JSON object")
    return config


def from_hf(config: Config, name: str = "model") -> Workload:
    """Translate a configuration. Raises PlanError for what is not modelled, missing or contradictory."""
    inner = next((config[key] for key in TEXT_PARTS if isinstance(config.get(key), dict)), None)
    if inner is not None:
        config = {**config, "model_type": None, "architectures": None, **inner}
    stated, config = set(config), {key: value for key, value in config.items() if value is not None}
    kind = model_type(config, name)
    rules: dict[str, Any] = architectures()["read"][kind]
    _refuse_shapes(config, rules, name, kind)
    try:
        for part in rules.get("nested", ()):
            config = {**(config.get(part) or {}), **config}
        # A key stated as null keeps its null: the class default replaces only an absent one.
        omitted = {key: value for key, value in rules.get("defaults", {}).items() if key not in stated}
        return _workload({**omitted, **config}, rules, name, kind)
    except PlanError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError) as err:
        raise PlanError(f"{name}: the configuration has a value of the wrong kind ({err})") from None


def model_type(config: Config, name: str) -> str:
    """The type in the table. Raises PlanError for one that is refused or unknown."""
    table = architectures()
    listed = config.get("architectures")
    names = [str(one) for one in listed] if isinstance(listed, list) else []
    kind = str(config.get("model_type") or _from_class(names))
    if any(one.startswith("Grok1") for one in names):  # Grok-2's file says "git", an image-captioning model
        kind = "grok"
    kind = table["alias"].get(kind.lower(), kind.lower())
    if kind in table["refused"]:
        raise PlanError(f"{name} ({kind}) is {table['refused'][kind]}, which this planner does not model")
    if not kind:
        missing = next((keys[0] for keys in NAMES.values() if not any(k in config for k in keys)), "")
        raise PlanError(f"{name}: the configuration has no model_type (and no {missing})")
    if kind not in table["read"]:
        raise PlanError(f"{name}: unknown model type {kind!r}: {nearest(kind, table['read'])}")
    return kind


def _from_class(names: list[str]) -> str:
    """LlamaForCausalLM -> llama, Qwen3MoeForCausalLM -> qwen3_moe."""
    stem = re.split(r"(?:LMHead)?(?:Model)?For|Model$", names[0])[0] if names else ""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower()


def _refuse_shapes(config: Config, rules: Config, name: str, kind: str) -> None:
    """Raise PlanError for keys that add what this planner does not model."""
    for pattern, what in architectures()["shape_keys"].items():
        found = [key for key, value in config.items() if re.search(pattern, key) and value]
        if found:
            raise PlanError(f"{name} ({kind}) has {what} ({found[0]}), which this planner does not model")
    for key in rules.get("refused_keys", ()):
        if config.get(key):
            raise PlanError(f"{name} ({kind}): {key} is not modelled")
    for key in rules.get("required_keys", ()):
        if not config.get(key, rules.get("defaults", {}).get(key)):
            raise PlanError(f"{name} ({kind}): without {key} the configuration is not modelled")
    kinds = config.get("layer_types")
    for one in kinds if isinstance(kinds, list) else ():
        if one not in ("full_attention", *WINDOWED):
            raise PlanError(
                f"{name} ({kind}) has layers of the type {one!r}, which this planner does not model"
            )


WINDOWED = ("sliding_attention", "chunked_attention", "local")
"""Types of layers whose attention has a window."""
MOST = 10**12
"""No count of a configuration is as large."""
MOST_PARTS = 10_000
"""No model has as many layers or experts."""


def _number(config: Config, what: str, name: str, default: int | None = None) -> int:
    """A whole number by any of its names. Raises PlanError if it is missing or no count."""
    for key in NAMES.get(what, (what,)):
        value = config.get(key)
        if value is None:
            continue
        most = MOST_PARTS if what in ("layers", "experts") else MOST
        whole = not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value < most
        if not whole or value != int(value):
            raise PlanError(f"{name}: {key} is {value!r}, and one whole number is needed for all layers")
        return int(value)
    if default is None:
        key = NAMES.get(what, (what,))[0]
        raise PlanError(f"{name}: the configuration has no {key}")
    return default


def _flag(config: Config, rules: Config, what: str) -> bool:
    """A rule's own value, or that of the key it names."""
    rule = rules.get(what, False)
    return bool(config.get(rule, False)) if isinstance(rule, str) else bool(rule)


def _workload(config: Config, rules: Config, name: str, kind: str) -> Workload:
    layers, hidden = _number(config, "layers", name), _number(config, "hidden", name)
    heads = _number(config, "heads", name)
    if not layers or not hidden or not heads:
        raise PlanError(f"{name}: layers, width and heads must be positive")
    kv_heads = _kv_heads(config, rules, name, heads, kind)
    if heads % kv_heads:
        raise PlanError(f"{name}: {heads} heads are no multiple of {kv_heads} key-value heads")
    head_dim = _number(config, "head_dim", name, 0)
    if not head_dim and hidden % heads and not rules.get("latent"):
        raise PlanError(
            f"{name}: hidden_size {hidden} is no multiple of {heads} heads, and head_dim is missing"
        )
    head_dim = head_dim or hidden // heads
    if rules.get("square_out") and heads * head_dim != hidden:
        raise PlanError(f"{name} ({kind}): {heads} heads of {head_dim} are not as wide as the model")
    width = _number(config, rules["same_width"], name, hidden) if "same_width" in rules else hidden
    if width != hidden:
        raise PlanError(f"{name} ({kind}): {rules['same_width']} {width} differs from hidden_size {hidden}")
    experts = _expert_fields(config, rules, name, kind, layers)
    window, windowed = _windows(config, rules, layers)
    norm_bias = bool(rules.get("norm_bias", False))
    made = Workload(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocab=_number(config, "vocab", name),
        seq_len=min(_number(config, "positions", name, LONGEST) or LONGEST, LONGEST),
        gated=bool(rules.get("gated", True)),
        tied=bool(config.get("tie_word_embeddings", False)),
        window=window,
        window_layers=windowed,
        norms=_norms(config, rules, kind),
        norm_bias=norm_bias,
        qk_norm=_flag(config, rules, "qk_norm"),
        qkv_bias=_flag(config, rules, "qkv_bias"),
        out_bias=_flag(config, rules, "out_bias"),
        mlp_bias=_flag(config, rules, "mlp_bias"),
        router_bias=_flag(config, rules, "router_bias"),
        sinks=bool(rules.get("sinks", False)),
        positions=_positions(config, rules, name),
        mtp_layers=_number(config, "num_nextn_predict_layers", name, 0),
        activation=str(rules.get("activation", "silu")),
        rope_theta=_rope_theta(config),
        **experts,
        **_latent(config, rules, name),
    )
    return made.with_extra(_extra(made, config, rules))


def _rope_theta(config: Config) -> float:
    nested = config.get("rope_parameters")
    inner = nested.get("rope_theta") if isinstance(nested, dict) else None
    return float(config.get("rope_theta") or config.get("rotary_emb_base") or inner or 10_000.0)


def _kv_heads(config: Config, rules: Config, name: str, heads: int, kind: str) -> int:
    if kind == "falcon" and config.get("new_decoder_architecture"):
        return _number(config, "kv_heads", name, heads)
    if "grouped" in rules and not _flag(config, rules, "grouped"):
        return heads
    if "one_kv_head" in rules:
        return 1 if _flag(config, rules, "one_kv_head") else heads
    return _number(config, "kv_heads", name, heads) or heads


def _norms(config: Config, rules: Config, kind: str) -> int:
    """Norms of a layer."""
    if kind == "falcon":
        new = bool(config.get("new_decoder_architecture"))
        both = config.get("num_ln_in_parallel_attn", 2) == 2
        return 2 if (new and both) or not config.get("parallel_attn") else 1
    if _flag(config, rules, "one_norm"):
        return 1
    if _flag(config, rules, "four_norms"):
        return 4
    return int(rules.get("norms", 3 if _flag(config, rules, "beside_norm") else 2))


def _positions(config: Config, rules: Config, name: str) -> int:
    """Rows of a learned table of positions."""
    if not rules.get("learned"):
        return 0
    return _number(config, "positions", name) + int(rules.get("extra_positions", 0))


def _ffn(config: Config, rules: Config, name: str) -> int:
    """Width of the dense MLP; a multiple of the model's width where the class says so."""
    times = int(rules.get("ffn_times", 0))
    if times and "expansion_ratio" in config:
        times = int(config["expansion_ratio"])
    default = times * _number(config, "hidden", name) if times else None
    return _number(config, "ffn", name, default) // (2 if rules.get("half_ffn") else 1)


def _expert_fields(config: Config, rules: Config, name: str, kind: str, layers: int) -> dict[str, Any]:
    """Fields of the MLPs: dense, routed, shared, and the dense one beside the experts."""
    experts = _number(config, "experts", name, 0)
    if not experts:
        ffn = _ffn(config, rules, name)
        if not ffn:
            raise PlanError(f"{name}: intermediate_size is 0: no feed-forward layer")
        return {"ffn": ffn}
    moe_layers = _moe_layers(config, name, layers)
    ffn = _number(config, "ffn", name, 0 if "moe_intermediate_size" in config else None)
    moe_ffn = _number(config, "moe_intermediate_size", name, ffn)
    shared = _number(config, "shared", name, 0) * moe_ffn
    shared = _number(config, "shared_ffn", name, shared)
    if rules.get("expert_is_ffn"):
        moe_ffn, shared, ffn = ffn, ffn, _number(config, "intermediate_size_mlp", name, ffn)
    beside = bool(config.get("residual_moe"))
    if kind == "arctic":
        beside = bool(config.get("parallel_attn_mlp_res"))
        ffn = _number(config, "hidden", name) if beside else ffn
    return {
        "ffn": ffn if beside or moe_layers < layers else 0,
        "experts": experts,
        "top_k": _number(config, "top_k", name, 2 if kind == "grok" else None),
        "moe_ffn": moe_ffn,
        "shared_ffn": shared,
        "moe_layers": moe_layers,
        "dense_residual": beside,
        **_groups(config, name),
    }


def _groups(config: Config, name: str) -> dict[str, int]:
    """Groups of experts that limit routing, where there are several and not all may be used."""
    groups, used = (_number(config, key, name, 0) for key in ("n_group", "topk_group"))
    return {"expert_groups": groups, "routed_groups": used} if 0 < used < groups else {}


def _moe_layers(config: Config, name: str, layers: int) -> int:
    """Layers with experts: every n-th from the first expert layer on, or a list of zeros and ones."""
    pattern = config.get("moe_layer_freq")
    if isinstance(pattern, list):
        if len(pattern) != layers:
            raise PlanError(f"{name}: moe_layer_freq has {len(pattern)} entries for {layers} layers")
        return sum(bool(one) for one in pattern)
    kinds = config.get("mlp_layer_types")
    if isinstance(kinds, list):
        if len(kinds) != layers:
            raise PlanError(f"{name}: mlp_layer_types has {len(kinds)} entries for {layers} layers")
        return sum(kind == "sparse" for kind in kinds)
    listed = config.get("moe_layers")
    if isinstance(listed, list) and listed:
        return len(listed)
    every = max(1, _number(config, "every", name, int(pattern or 1)))
    first = _number(config, "dense_first", name, 0)
    dense = set(config.get("mlp_only_layers") or [])
    last = int(config.get("moe_layer_end_index", -1))
    last = last if 0 <= last < layers else layers - 1
    return sum(
        first <= layer <= last and (layer + 1) % every == 0 and layer not in dense for layer in range(layers)
    )


def _latent(config: Config, rules: Config, name: str) -> dict[str, Any]:
    """Fields of latent attention."""
    if not rules.get("latent"):
        return {}
    return {
        "q_lora": _number(config, "q_lora_rank", name, 0),
        "kv_lora": _number(config, "kv_lora_rank", name),
        "nope_dim": _number(config, "qk_nope_head_dim", name),
        "rope_dim": _number(config, "qk_rope_head_dim", name),
        "v_dim": _number(config, "v_head_dim", name),
    }


def _windows(config: Config, rules: Config, layers: int) -> tuple[int, int]:
    """(positions of the window, layers that have it)."""
    window = next((int(config[key]) for key in NAMES["window"] if config.get(key)), 0)
    if window <= 0 or ("window_key" in rules and not _flag(config, rules, "window_key")):
        return 0, 0
    kinds = config.get("layer_types") or config.get("attention_layers")
    repeated = config.get("attention_types")  # GPT-Neo: [[["global", "local"], 12]]
    if not kinds and isinstance(repeated, list):
        kinds = [kind for some, times in repeated for kind in some * int(times)]
    if isinstance(kinds, list) and kinds:
        count = sum(kind in WINDOWED for kind in kinds)
    elif rules.get("listed_windows"):
        count = 0
    elif "window_every" in rules:
        every = config.get("sliding_window_pattern") or rules["window_every"]
        count = layers - layers // (every if isinstance(every, int) else int(rules["window_every"]))
    elif "window_key" in rules:
        count = max(0, layers - int(config.get("max_window_layers", layers)))
    else:
        count = layers
    return (window, count) if count else (0, 0)


def _extra(made: Workload, config: Config, rules: Config) -> int:
    """Vectors that `Workload` does not count itself: wide query-key norms, gates, biases, embedding norms."""
    norm = made.hidden * (2 if made.norm_bias else 1)
    wide = made.heads * made.head_dim
    counts = (
        (True, made.layers * int(rules.get("layer_extra", 0))),
        (not rules.get("final_norm", True), -norm),
        (rules.get("moe_norm"), made.moe_layers * norm),
        (rules.get("sub_norms"), made.layers * (wide + made.ffn)),
        (made.qk_norm and rules.get("qk_norm_bias"), made.layers * 2 * made.head_dim),
        # biases of the low-rank projections
        (made.mla and made.out_bias, made.layers * (made.q_lora + made.kv_lora + made.rope_dim)),
        (_flag(config, rules, "qk_norm_heads"), made.layers * (wide + made.kv_heads * made.head_dim)),
        (rules.get("expert_gate"), made.moe_layers * made.hidden),
        (_flag(config, rules, "head_bias"), made.vocab),
        (rules.get("embedding_norm"), norm),
        (made.mlp_bias and made.shared_ffn, made.moe_layers * made.mlp_bias_of(made.shared_ffn)),
    )
    return sum(count for holds, count in counts if holds)
