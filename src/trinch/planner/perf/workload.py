"""Models as a planner sees them: shapes, exact parameter counts, FLOPs, bytes of cache.

Dense and mixture-of-experts decoders; multi-head, grouped-query and latent (MLA) attention; gated or
plain MLP; shared experts; Grok-2's dense residual.
"""

from dataclasses import dataclass, replace


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
    activation: str = "silu"
    rope_theta: float = 10_000.0
    expert_groups: int = 0
    routed_groups: int = 0
    """A token may use experts of `routed_groups` of `expert_groups` groups (DeepSeek-V3: 4 of 8); 0: no limit."""
    extra: int = 0
    """Parameters in vectors that no other field describes; see `hf_config`."""

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
            total += self.dense_mlp_layers * self.mlp_bias_of(self.ffn)
            total += self.moe_layers * self.experts * self.mlp_bias_of(self.moe_ffn)
        return total

    def mlp_bias_of(self, width: int) -> int:
        """Biases of one MLP of that width."""
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
        return matrices + tables + self._vectors() + self.extra

    def active_parameters(self) -> int:
        """Parameters one token touches: all but the experts it is not routed to."""
        idle = self.moe_layers * (self.experts - self.top_k)
        bias = self.mlp_bias_of(self.moe_ffn) if self.mlp_bias else 0
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

    def facts(self) -> dict[str, int | str]:
        """What a reader checks first: exact counts, windows, and bytes of cache a token (bf16)."""
        return {
            "model": self.name,
            "total_parameters": self.parameters(),
            "active_parameters": self.active_parameters(),
            "layers": self.layers,
            "hidden_size": self.hidden,
            "heads": self.heads,
            "kv_heads": self.heads if self.mla else self.kv_heads,
            "experts": self.experts,
            "experts_per_token": self.top_k,
            "window": self.window,
            "window_layers": self.window_layers,
            "cache_bytes_per_token": int(self.kv_bytes_per_token()),
        }

    def with_extra(self, extra: int) -> "Workload":
        """The same model with that many parameters more."""
        return replace(self, extra=extra)

    def at(self, seq_len: int) -> "Workload":
        """The same model trained at another sequence length."""
        return replace(self, seq_len=seq_len)
