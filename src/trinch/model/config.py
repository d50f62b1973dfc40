"""Configuration of a Grok: the hyper-parameters of Grok-1, Grok-2 and two small models of the same shape.

Also the exact parameter counts that follow from them. Needs no torch: the planner and the command line read it.
"""

from dataclasses import dataclass
from math import prod
from typing import Literal


@dataclass(frozen=True, slots=True)
class GrokConfig:
    """Hyper-parameters of one Grok. The defaults are those both generations share.

    A cap, length or width of 0 switches its feature off: Grok-1 has no dense MLP beside the experts, no
    router cap, no final cap and no attention temperature.
    """

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    moe_intermediate_size: int
    """Width of one expert."""
    intermediate_size: int = 0
    """Width of the dense MLP whose output is averaged with the experts' (Grok-2's residual MoE); 0: none."""
    num_experts: int = 8
    num_experts_per_token: int = 2
    tie_embeddings: bool = False
    embedding_multiplier: float = 1.0
    output_multiplier: float = 1.0
    attention_multiplier: float = 0.0
    """Scale of query · key; 0 means head_dim ** -0.5."""
    attention_softcap: float = 30.0
    attention_temperature_len: int = 0
    """Queries at positions p beyond this have their scores multiplied by log2(p) / log2(this)."""
    router_softcap: float = 0.0
    final_softcap: float = 0.0
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    rope_type: Literal["plain", "yarn"] = "plain"
    """`plain` is what the reference engines run for Grok-2's `"original"`; `yarn` interpolates beyond
    `rope_original_length`, as llama.cpp does."""
    rope_scaling_factor: float = 16.0
    rope_original_length: int = 8192
    rope_beta_fast: float = 8.0
    rope_beta_slow: float = 1.0
    max_positions: int = 8192
    pad_token_id: int = 0
    bos_token_id: int = 1
    eos_token_id: int = 2

    def __post_init__(self) -> None:
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} is not a multiple of num_kv_heads {self.num_kv_heads}"
            )
        if self.head_dim % 2:
            raise ValueError(f"head_dim {self.head_dim} is odd; rotary embedding turns pairs")
        if not 1 <= self.num_experts_per_token <= self.num_experts:
            raise ValueError(
                f"num_experts_per_token {self.num_experts_per_token} is not in 1..{self.num_experts}"
            )

    @property
    def attention_scale(self) -> float:
        """What query · key is multiplied by, before the cap."""
        return self.attention_multiplier or self.head_dim**-0.5

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every parameter by its name in `trinch.model.grok.Grok`, in the order of the layers.

        Matrices are [out, in] as in torch; the experts are stacked, [experts, in, out].
        """
        d, e = self.hidden_size, self.num_experts
        query, key = self.num_heads * self.head_dim, self.num_kv_heads * self.head_dim
        layer: dict[str, tuple[int, ...]] = {
            "pre_attn_norm.weight": (d,),
            "attn.q_proj.weight": (query, d),
            "attn.k_proj.weight": (key, d),
            "attn.v_proj.weight": (key, d),
            "attn.o_proj.weight": (d, query),
            "post_attn_norm.weight": (d,),
            "pre_moe_norm.weight": (d,),
            "moe.router.weight": (e, d),
            "moe.experts.gate": (e, d, self.moe_intermediate_size),
            "moe.experts.up": (e, d, self.moe_intermediate_size),
            "moe.experts.down": (e, self.moe_intermediate_size, d),
            "post_moe_norm.weight": (d,),
        }
        if self.intermediate_size:
            layer |= {f"mlp.{part}_proj.weight": (self.intermediate_size, d) for part in ("gate", "up")}
            layer["mlp.down_proj.weight"] = (d, self.intermediate_size)
        shapes: dict[str, tuple[int, ...]] = {"embed_tokens.weight": (self.vocab_size, d)}
        for i in range(self.num_layers):
            shapes |= {f"layers.{i}.{name}": shape for name, shape in layer.items()}
        shapes["norm.weight"] = (d,)
        if not self.tie_embeddings:
            shapes["lm_head.weight"] = (self.vocab_size, d)
        return shapes

    def parameters_by_part(self) -> dict[str, int]:
        """Exact number of parameters of each part, over all layers."""
        parts = dict.fromkeys(
            ("embedding", "lm_head", "attention", "router", "experts", "dense_mlp", "norms"), 0
        )
        kinds = {".attn.": "attention", ".router.": "router", ".experts.": "experts", ".mlp.": "dense_mlp"}
        kinds |= {"embed_tokens": "embedding", "lm_head": "lm_head"}
        for name, shape in self.parameter_shapes().items():
            parts[next((part for key, part in kinds.items() if key in name), "norms")] += prod(shape)
        return parts

    @property
    def num_parameters(self) -> int:
        """Exact number of parameters; a tied table counts once."""
        return sum(self.parameters_by_part().values())

    @property
    def num_active_parameters(self) -> int:
        """Parameters that one token passes through: all but the experts it is not sent to."""
        experts = self.parameters_by_part()["experts"]
        return (
            self.num_parameters
            - experts * (self.num_experts - self.num_experts_per_token) // self.num_experts
        )

    @property
    def kv_cache_values_per_token(self) -> int:
        """Numbers (not bytes) that the key-value cache keeps for each token."""
        return 2 * self.num_layers * self.num_kv_heads * self.head_dim


CONFIGS: dict[str, GrokConfig] = {
    # xai-org/grok-1, run.py.
    "grok-1": GrokConfig(
        vocab_size=131_072,
        hidden_size=6144,
        num_layers=64,
        num_heads=48,
        num_kv_heads=8,
        head_dim=128,
        moe_intermediate_size=32_768,
        tie_embeddings=True,
        embedding_multiplier=78.38367176906169,
        output_multiplier=0.5773502691896257,
        attention_multiplier=0.08838834764831845,
    ),
    # xai-org/grok-2, config.json.
    "grok-2": GrokConfig(
        vocab_size=131_072,
        hidden_size=8192,
        num_layers=64,
        num_heads=64,
        num_kv_heads=8,
        head_dim=128,
        moe_intermediate_size=16_384,
        intermediate_size=32_768,
        embedding_multiplier=90.50966799187809,
        output_multiplier=0.5,
        attention_multiplier=0.08838834764831845,
        attention_temperature_len=1024,
        router_softcap=30.0,
        final_softcap=50.0,
        rope_theta=208_533_496.0,
        max_positions=131_072,
    ),
    # Grok-1's shape at a size that trains on a laptop's processor in minutes (3.9 M parameters).
    "tiny": GrokConfig(
        vocab_size=4096,
        hidden_size=128,
        num_layers=4,
        num_heads=4,
        num_kv_heads=2,
        head_dim=32,
        moe_intermediate_size=256,
        tie_embeddings=True,
        embedding_multiplier=128**0.5,
        output_multiplier=3**-0.5,
        max_positions=1024,
    ),
    # Grok-2's shape, with everything Grok-1 does not have (28.8 M parameters).
    "small": GrokConfig(
        vocab_size=8192,
        hidden_size=256,
        num_layers=6,
        num_heads=8,
        num_kv_heads=2,
        head_dim=32,
        moe_intermediate_size=512,
        intermediate_size=1024,
        embedding_multiplier=256**0.5,
        output_multiplier=0.5,
        attention_temperature_len=1024,
        router_softcap=30.0,
        final_softcap=50.0,
        max_positions=2048,
    ),
}
"""The models `trinch` knows by name."""


def get_config(name: str) -> GrokConfig:
    """The configuration called `name`; raises ValueError naming the known ones."""
    if name not in CONFIGS:
        raise ValueError(f"no model is called {name!r}; known: {', '.join(CONFIGS)}")
    return CONFIGS[name]
