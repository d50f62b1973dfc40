"""Models as a planner sees them: shapes, exact parameter counts, FLOPs, bytes of cache.

Dense and mixture-of-experts decoders; multi-head, grouped-query and latent (MLA) attention; gated or
plain MLP; shared experts; Grok-2's dense residual. Presets are in data/models.toml; Grok's come from `model`.
"""

import json
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from trinch.model.config import CONFIGS, GrokConfig
from trinch.planner.perf.hardware import PlanError, nearest


@dataclass(frozen=True)
class Workload:
    """One decoder-only model trained at `seq_len`. Counts are exact; 0 means "has none".

    `ffn` is the width of the dense MLP (of the dense layers, and of the residual one if `dense_residual`),
    `moe_ffn` of one expert, `shared_ffn` of all always-on experts together. `kv_lora` > 0 selects latent
    attention with `q_lora` (0: full query projection), `nope_dim`, `rope_dim`, `v_dim` per head.
    `window_layers` of the layers see only the last `window` positions.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    seq_len: int
    ffn: int = 0
    gated: bool = True
    tied: bool = False
    experts: int = 0
    top_k: int = 0
    moe_ffn: int = 0
    shared_ffn: int = 0
    moe_layers: int = 0
    dense_residual: bool = False
    q_lora: int = 0
    kv_lora: int = 0
    nope_dim: int = 0
    rope_dim: int = 0
    v_dim: int = 0
    window: int = 0
    window_layers: int = 0
    norms: int = 2
    norm_bias: bool = False
    qk_norm: bool = False
    qkv_bias: bool = False
    out_bias: bool = False
    mlp_bias: bool = False
    router_bias: bool = False
    sinks: bool = False
    positions: int = 0
    mtp_layers: int = 0

    @property
    def mla(self) -> bool:
        """Latent attention?"""
        return self.kv_lora > 0

    @property
    def score_dim(self) -> int:
        """Width per head of the query-key product."""
        return self.nope_dim + self.rope_dim if self.mla else self.head_dim

    @property
    def value_dim(self) -> int:
        """Width per head of the values."""
        return self.v_dim if self.mla else self.head_dim

    def attention_weights(self) -> int:
        """Matrix parameters of one layer's attention."""
        out = self.heads * self.value_dim * self.hidden
        if not self.mla:
            return self.hidden * (self.heads + 2 * self.kv_heads) * self.head_dim + out
        width = self.heads * self.score_dim
        query = self.hidden * self.q_lora + self.q_lora * width if self.q_lora else self.hidden * width
        latent = self.hidden * (self.kv_lora + self.rope_dim)
        return query + latent + self.kv_lora * self.heads * (self.nope_dim + self.v_dim) + out

    def mlp_weights(self, width: int) -> int:
        """Matrix parameters of an MLP of that width: three matrices when gated, else two."""
        return (3 if self.gated else 2) * self.hidden * width

    def expert_weights(self) -> int:
        """Matrix parameters of one routed expert."""
        return self.mlp_weights(self.moe_ffn)

    @property
    def dense_mlp_layers(self) -> int:
        """Layers that run the dense MLP."""
        return self.layers if self.dense_residual else self.layers - self.moe_layers

    def _vectors(self) -> int:
        """Norm scales and biases of all layers, and the final norm."""
        norm = self.hidden * (2 if self.norm_bias else 1)
        layer = self.norms * norm
        if self.mla:
            layer += self.q_lora + self.kv_lora
        elif self.qk_norm:
            layer += 2 * self.head_dim
        if self.qkv_bias:
            layer += (self.heads + 2 * self.kv_heads) * self.head_dim
        layer += self.hidden if self.out_bias else 0
        layer += self.heads if self.sinks else 0
        total = self.layers * layer + norm
        total += self.moe_layers * (self.experts if self.router_bias else 0)
        if self.mlp_bias:
            total += self.dense_mlp_layers * self._mlp_bias(self.ffn)
            total += self.moe_layers * self.experts * self._mlp_bias(self.moe_ffn)
        return total

    def _mlp_bias(self, width: int) -> int:
        return width * (2 if self.gated else 1) + self.hidden

    def parameters(self) -> int:
        """All stored parameters, without multi-token-prediction layers."""
        matrices = self.layers * self.attention_weights()
        matrices += self.dense_mlp_layers * self.mlp_weights(self.ffn)
        matrices += self.moe_layers * (
            self.experts * self.expert_weights()
            + self.mlp_weights(self.shared_ffn)
            + self.hidden * self.experts
        )
        tables = self.hidden * (self.vocab * (1 if self.tied else 2) + self.positions)
        return matrices + tables + self._vectors()

    def active_parameters(self) -> int:
        """Parameters one token touches: all but the experts it is not routed to."""
        idle = self.moe_layers * (self.experts - self.top_k)
        bias = self._mlp_bias(self.moe_ffn) if self.mlp_bias else 0
        return self.parameters() - idle * (self.expert_weights() + bias)

    def matmul_parameters(self) -> int:
        """Active matrix parameters with the output head, without the input table: what 6 N multiplies."""
        matrices = self.layers * self.attention_weights()
        matrices += self.dense_mlp_layers * self.mlp_weights(self.ffn)
        matrices += self.moe_layers * (
            self.top_k * self.expert_weights()
            + self.mlp_weights(self.shared_ffn)
            + self.hidden * self.experts
        )
        return matrices + self.hidden * self.vocab

    def attention_span(self) -> float:
        """Positions a query sees on average, times layers: causal, and cut by a window where there is one."""
        full = (self.layers - self.window_layers) * self.seq_len / 2
        if not self.window_layers:
            return full
        window = min(self.window, self.seq_len)
        return full + self.window_layers * window * (1 - window / (2 * self.seq_len))

    def training_flops_per_token(self) -> float:
        """6 N of the active matrices plus causal attention; no recomputation. grok.md's convention."""
        attention = 6 * self.attention_span() * self.heads * (self.score_dim + self.value_dim)
        return 6 * self.matmul_parameters() + attention

    def inference_flops_per_token(self, context: int = 0) -> float:
        """Forward FLOPs of one new token that attends to `context` earlier ones."""
        full = self.layers - self.window_layers
        span = full * context + self.window_layers * min(self.window, context)
        return 2 * self.matmul_parameters() + 2 * span * self.heads * (self.score_dim + self.value_dim)

    def kv_bytes_per_token(self, bytes_each: float = 2.0) -> float:
        """Cache of one position over all layers (the latent vector with latent attention)."""
        width = self.kv_lora + self.rope_dim if self.mla else 2 * self.kv_heads * self.head_dim
        return self.layers * width * bytes_each

    def at(self, seq_len: int) -> "Workload":
        """The same model trained at another sequence length."""
        return replace(self, seq_len=seq_len)


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
    )


def workload(name: str, seq_len: int | None = None) -> Workload:
    """A preset by name, or the path of a Hugging Face config.json; PlanError names the nearest preset."""
    if name.endswith(".json") or Path(name).is_file():
        found = from_config(Path(name))
    else:
        key = name.strip().lower().replace("_", "-").replace("llama-3.1", "llama-3")
        if key not in presets():
            raise PlanError(f"unknown model {name!r}: {nearest(key, presets())}, or give a config.json")
        found = presets()[key]
    if seq_len is not None and seq_len <= 0:
        raise PlanError(f"sequence length {seq_len} is not positive")
    return found if seq_len is None else found.at(seq_len)


def from_config(path: Path) -> Workload:
    """Read a Hugging Face config.json. PlanError if the file is missing, broken or no such decoder."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise PlanError(f"cannot read {path}: {err.strerror}") from None
    except ValueError as err:
        raise PlanError(f"{path} is not JSON: {err}") from None
    if not isinstance(config, dict):
        raise PlanError(f"{path} is not a model configuration: expected a JSON object")
    return from_hf(config, name=path.parent.name or "model")


def from_hf(config: dict[str, Any], name: str = "model") -> Workload:
    """Translate a Hugging Face configuration (Llama, Qwen, Mixtral, DeepSeek, gpt-oss, Grok, GPT styles)."""
    config = {**config, **config.get("text_config", {})}
    if any(key.startswith(("mamba", "ssm")) for key in config):
        raise PlanError(f"{name} mixes attention with state-space layers, which this planner does not model")

    def get(*keys: str, default: Any = None) -> Any:
        for key in keys:
            if config.get(key) is not None:
                return config[key]
        if default is None:
            raise PlanError(f"{name}: the configuration has no {keys[0]}")
        return default

    try:
        return _translate(config, get, name)
    except (TypeError, ValueError) as err:
        if isinstance(err, PlanError):
            raise
        raise PlanError(f"{name}: the configuration has a value of the wrong kind ({err})") from None


def _translate(config: dict[str, Any], get: Any, name: str) -> Workload:
    kind = str(config.get("model_type", "")).lower()
    architecture = " ".join(config.get("architectures") or [])
    grok = "Grok" in architecture or "grok" in kind
    layers = int(get("num_hidden_layers", "n_layer", "n_layers"))
    hidden = int(get("hidden_size", "n_embd", "d_model"))
    heads = int(get("num_attention_heads", "n_head", "n_heads"))
    plain = kind in {"gpt2", "gpt_neox", "bloom", "mpt", "opt", "gptj"}
    experts = int(get("n_routed_experts", "num_local_experts", "num_experts", default=0))
    ffn = int(get("intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim", default=4 * hidden))
    moe_ffn = int(get("moe_intermediate_size", default=ffn)) if experts else 0
    residual = bool(get("residual_moe", default=False))
    dense_first = int(get("first_k_dense_replace", default=0))
    every = int(get("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq", default=1))
    moe_layers = (layers - dense_first) // max(every, 1) if experts else 0
    shared = int(get("n_shared_experts", default=0)) * moe_ffn
    shared = int(get("shared_expert_intermediate_size", default=shared))
    if kind == "llama4_text":
        moe_ffn, shared, ffn = ffn, ffn, int(get("intermediate_size_mlp", default=ffn))
    window = int(get("sliding_window", default=0)) if get("use_sliding_window", default=True) else 0
    kinds = config.get("layer_types") or []
    if window < 0 or kind == "grok":
        window = 0
    windowed = sum(kind_ == "sliding_attention" for kind_ in kinds) if kinds else (layers if window else 0)
    return Workload(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=int(get("num_key_value_heads", "num_kv_heads", default=heads)),
        head_dim=int(get("head_dim", default=hidden // heads)),
        vocab=int(get("vocab_size")),
        seq_len=min(int(get("max_position_embeddings", "max_seq_len", "n_positions", default=8192)), 8192),
        ffn=ffn if residual or moe_layers < layers else 0,
        gated=not plain,
        tied=bool(get("tie_word_embeddings", default=plain)),
        experts=experts,
        top_k=int(get("num_experts_per_tok", "moe_topk", default=2)) if experts else 0,
        moe_ffn=moe_ffn,
        shared_ffn=shared,
        moe_layers=moe_layers,
        dense_residual=residual,
        q_lora=int(config.get("q_lora_rank") or 0),
        kv_lora=int(config.get("kv_lora_rank") or 0),
        nope_dim=int(get("qk_nope_head_dim", default=0)),
        rope_dim=int(get("qk_rope_head_dim", default=0)),
        v_dim=int(get("v_head_dim", default=0)),
        window=window,
        window_layers=windowed,
        norms=4 if grok or kind in {"gemma2", "gemma3_text"} else 2,
        norm_bias=plain,
        qk_norm=kind.startswith("qwen3"),
        qkv_bias=plain or kind.startswith("qwen2") or bool(get("attention_bias", default=False)),
        out_bias=plain or bool(get("attention_bias", default=False)),
        mlp_bias=plain or kind == "gpt_oss",
        router_bias=kind == "gpt_oss",
        sinks=kind == "gpt_oss",
        positions=int(get("n_positions", "max_position_embeddings")) if kind in {"gpt2", "opt"} else 0,
    )
