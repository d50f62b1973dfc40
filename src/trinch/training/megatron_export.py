"""Export of a configuration and settings as Megatron-LM arguments (Megatron-Bridge takes the same fields).

Names are those of Megatron-LM's command line in 2026. `not_expressed` lists what they cannot say.
"""

from trinch.model.config import GrokConfig
from trinch.training.settings import Mesh, Settings


def megatron_arguments(config: GrokConfig, settings: Settings, shape: Mesh) -> list[str]:
    """Arguments of Megatron-LM's `pretrain_gpt.py` for this model, layout and schedule."""
    optimizer = settings.optimizer
    values: dict[str, object] = {
        "num-layers": config.num_layers,
        "hidden-size": config.hidden_size,
        "ffn-hidden-size": config.intermediate_size or config.moe_intermediate_size,
        "num-attention-heads": config.num_heads,
        "num-query-groups": config.num_kv_heads,
        "kv-channels": config.head_dim,
        "seq-length": settings.sequence,
        "max-position-embeddings": max(config.max_positions, settings.sequence),
        "position-embedding-type": "rope",
        "rotary-base": round(config.rope_theta),
        "normalization": "RMSNorm",
        "norm-epsilon": config.rms_norm_eps,
        "num-experts": config.num_experts,
        "moe-router-topk": config.num_experts_per_token,
        "moe-ffn-hidden-size": config.moe_intermediate_size,
        "moe-router-load-balancing-type": "seq_aux_loss",
        "moe-aux-loss-coeff": settings.balance,
        "moe-z-loss-coeff": settings.router_z_loss,
        "tensor-model-parallel-size": shape.tensor,
        "pipeline-model-parallel-size": shape.pipeline,
        "expert-model-parallel-size": shape.expert,
        "expert-tensor-parallel-size": shape.tensor,
        "global-batch-size": settings.batch,
        "micro-batch-size": settings.micro_batch or 1,
        "train-iters": settings.steps,
        "optimizer": {"adamw": "adam", "muon": "muon"}[optimizer.name],
        "lr": optimizer.lr,
        "min-lr": optimizer.lr * optimizer.floor,
        "lr-decay-style": "WSD",
        "lr-warmup-iters": optimizer.warmup,
        "lr-wsd-decay-style": "linear",
        "lr-wsd-decay-iters": round(optimizer.decay * settings.steps),
        "weight-decay": optimizer.weight_decay,
        "adam-beta1": optimizer.beta1,
        "adam-beta2": optimizer.beta2,
        "clip-grad": optimizer.clip,
        "seed": settings.seed,
        "save-interval": settings.checkpoint_every,
    }
    # Grok's gates are a softmax over all experts, then the top ones, not renormalised: Megatron's
    # "pre-softmax".
    flags = ["group-query-attention", "disable-bias-linear", "moe-router-pre-softmax", "moe-grouped-gemm"]
    flags += ["use-distributed-optimizer"] if shape.shard * shape.expert > 1 else []
    flags += ["untie-embeddings-and-output-weights"] if not config.tie_embeddings else []
    flags += ["bf16"] if settings.dtype == "bfloat16" else []
    out = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    if settings.recompute:
        out += [
            "--recompute-granularity",
            "full",
            "--recompute-method",
            "uniform",
            "--recompute-num-layers",
            "1",
        ]
    return out + [f"--{flag}" for flag in flags]


def not_expressed(config: GrokConfig) -> list[str]:
    """What of this model Megatron-LM's arguments have no word for; it needs a layer specification of its
    own."""
    parts = {
        "a norm after attention and after the experts (four norms a block)": True,
        "gated GELU (tanh) in the experts": True,
        f"attention softcap {config.attention_softcap}": bool(config.attention_softcap),
        f"router softcap {config.router_softcap}": bool(config.router_softcap),
        f"final softcap {config.final_softcap}": bool(config.final_softcap),
        f"attention temperature beyond {config.attention_temperature_len}": bool(
            config.attention_temperature_len
        ),
        f"embedding x {config.embedding_multiplier:.4g}": config.embedding_multiplier != 1,
        f"logits x {config.output_multiplier:.4g}": config.output_multiplier != 1,
        "a dense MLP averaged with the experts": bool(config.intermediate_size),
    }
    return [part for part, there in parts.items() if there]
