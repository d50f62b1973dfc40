"""Export of a configuration and settings as a module for torchtitan 0.3.0's `--module`.

The model is torchtitan's Qwen3 without query and key norms: the same matrices and router order as a Grok, not the same
function. `not_expressed` lists what torchtitan's building blocks lack.
"""

from trinch.model.config import GrokConfig
from trinch.training.megatron_export import not_expressed as megatron_lacks
from trinch.training.settings import Mesh, Settings

MODULE, CONFIG = "grok_titan", "grok"
"""Names for torchtitan's `--module` and `--config`."""

_TEMPLATE = '''"""{name} for torchtitan 0.3.0: python -m torchtitan.train --module {module} --config {config}

Set the dataset, and hf_assets_path to a folder with tokenizer.json. Not expressed:
{lacking}
"""

from functools import partial

from torch import nn
from torchtitan.components.checkpoint import CheckpointManager
from torchtitan.components.loss import ChunkedLossWrapper, CrossEntropyLoss
from torchtitan.components.optimizer import (
    LRSchedulersContainer,
    default_adamw,
    register_moe_load_balancing_hook,
)
from torchtitan.config import DebugConfig, ParallelismConfig, TrainingConfig
from torchtitan.distributed.activation_checkpoint import FullAC, SelectiveAC
from torchtitan.distributed.pipeline_parallel import pipeline_llm
from torchtitan.hf_datasets.text_datasets import HuggingFaceTextDataLoader
from torchtitan.models.common import CosSinRoPE, Embedding, Linear
from torchtitan.models.common import config_utils as make
from torchtitan.models.common.nn_modules import RMSNorm
from torchtitan.models.common.param_init import skip_param_init
from torchtitan.models.qwen3.model import Qwen3Model, Qwen3TransformerBlock
from torchtitan.models.qwen3.parallelize import parallelize_qwen3
from torchtitan.protocols.model_spec import ModelSpec
from torchtitan.trainer import Trainer

VOCAB, DIM, LAYERS, HEADS, KV_HEADS, HEAD_DIM = {vocab}, {dim}, {layers}, {heads}, {kv_heads}, {head_dim}
EXPERTS, TOP_K, EXPERT_DIM, DENSE_DIM = {experts}, {top_k}, {expert_dim}, {dense_dim}
SEQUENCE, TIED = {sequence}, {tied}


def weight(width):
    return {{"weight": partial(nn.init.normal_, std=width**-0.5)}}


def norm():
    return RMSNorm.Config(normalized_shape=DIM, eps={eps}, param_init={{"weight": nn.init.ones_}})


def block():
    experts = {{"w1_EFD": DIM, "w2_EDF": EXPERT_DIM, "w3_EFD": DIM}}
    dense = make.make_ffn_config(
        dim=DIM, hidden_dim=DENSE_DIM, w1_param_init=weight(DIM), w2w3_param_init=weight(DIM)
    )
    return Qwen3TransformerBlock.Config(
        attention_norm=norm(),
        ffn_norm=norm(),
        attention=make.make_gqa_config(
            dim=DIM,
            n_heads=HEADS,
            n_kv_heads=KV_HEADS,
            head_dim=HEAD_DIM,
            wqkv_param_init=weight(DIM),
            wo_param_init=weight(HEADS * HEAD_DIM),
            inner_attention=make.get_attention_config("flex"),
            rope=CosSinRoPE.Config(dim=HEAD_DIM, max_seq_len=SEQUENCE, theta={theta}),
        ),
        moe=make.make_moe_config(
            num_experts=EXPERTS,
            router=make.make_router_config(
                dim=DIM,
                num_experts=EXPERTS,
                gate_param_init=weight(DIM),
                top_k=TOP_K,
                score_func="softmax",
                route_norm=False,
            ),
            routed_experts=make.make_routed_experts_config(
                dim=DIM,
                hidden_dim=EXPERT_DIM,
                num_experts=EXPERTS,
                top_k=TOP_K,
                param_init={{name: weight(width)["weight"] for name, width in experts.items()}},
                comm_backend="standard",
            ),
            shared_experts=dense if DENSE_DIM else None,
        ),
    )


def {config}():
    model = Qwen3Model.Config(
        vocab_size=VOCAB,
        dim=DIM,
        norm=norm(),
        enable_weight_tying=TIED,
        tok_embeddings=Embedding.Config(
            num_embeddings=VOCAB,
            embedding_dim=DIM,
            param_init={{"weight": skip_param_init}} if TIED else weight(DIM),
        ),
        lm_head=Linear.Config(in_features=DIM, out_features=VOCAB, param_init=weight(DIM)),
        layers=[block() for _ in range(LAYERS)],
    )
    return Trainer.Config(
        model_spec=ModelSpec(
            name="{name}",
            flavor="{config}",
            model=model,
            parallelize_fn=parallelize_qwen3,
            pipelining_fn=pipeline_llm,
            post_optimizer_build_fn=register_moe_load_balancing_hook,
            state_dict_adapter=None,
        ),
        loss=ChunkedLossWrapper.Config(loss_fn=CrossEntropyLoss.Config(global_vocab_size=VOCAB)),
        dataloader=HuggingFaceTextDataLoader.Config(dataset="c4"),
        optimizer=default_adamw(lr={lr}, betas=({beta1}, {beta2}), eps={adam_eps}, weight_decay={weight_decay}),
        lr_scheduler=LRSchedulersContainer.Config(
            warmup_steps={warmup}, decay_ratio={decay}, decay_type="linear", min_lr_factor={floor}
        ),
        training=TrainingConfig(
            local_batch_size={local},
            global_batch_size={batch},
            seq_len=SEQUENCE,
            steps={steps},
            max_norm={clip},
            mixed_precision_param="{dtype}",
            disable_cuda_graphs={eager},
        ),
        parallelism=ParallelismConfig(
            data_parallel_replicate_degree={replicate},
            data_parallel_shard_degree={shard},
            tensor_parallel_degree={tensor},
            pipeline_parallel_degree={pipeline},
            pipeline_parallel_microbatch_size={micro},
            expert_parallel_degree={expert},
        ),
        checkpoint=CheckpointManager.Config(enable={saving}, interval={save_every}),
        activation_checkpoint={recompute}.Config(),
        debug=DebugConfig(seed={seed}),
    )
'''


def torchtitan_module(config: GrokConfig, settings: Settings, shape: Mesh) -> str:
    """Text of `grok_titan.py` for this model, layout and schedule."""
    optimizer, rows = settings.optimizer, settings.batch // shape.data_ways
    piped = shape.pipeline > 1
    micro = settings.micro_batch or (max(1, rows // 4) if piped else rows)
    return _TEMPLATE.format(
        name=settings.config, module=MODULE, config=CONFIG,
        lacking="\n".join(f"- {part}" for part in not_expressed(config, settings, shape)),
        vocab=config.vocab_size, dim=config.hidden_size, layers=config.num_layers,
        heads=config.num_heads, kv_heads=config.num_kv_heads, head_dim=config.head_dim,
        experts=config.num_experts, top_k=config.num_experts_per_token,
        expert_dim=config.moe_intermediate_size, dense_dim=config.intermediate_size,
        sequence=settings.sequence, tied=config.tie_embeddings and not piped,
        eps=config.rms_norm_eps, theta=config.rope_theta,
        lr=optimizer.lr, beta1=optimizer.beta1, beta2=optimizer.beta2, adam_eps=optimizer.eps,
        weight_decay=optimizer.weight_decay, warmup=optimizer.warmup, decay=optimizer.decay,
        floor=optimizer.floor, clip=optimizer.clip or float("inf"),
        local=rows if piped else micro, batch=settings.batch, steps=settings.steps, dtype=settings.dtype,
        eager=piped or shape.expert > 1,
        replicate=shape.replicate, shard=shape.shard * shape.expert, tensor=shape.tensor,
        pipeline=shape.pipeline, micro=micro, expert=shape.expert,
        saving=settings.checkpoint_every > 0, save_every=settings.checkpoint_every or 500,
        recompute="FullAC" if settings.recompute else "SelectiveAC", seed=settings.seed,
    )  # fmt: skip


def not_expressed(config: GrokConfig, settings: Settings, shape: Mesh) -> list[str]:
    """What of this model and run torchtitan's building blocks have no word for."""
    more = {
        "a dense MLP averaged with the experts: it is added, as a shared expert": bool(
            config.intermediate_size
        ),
        "tied embeddings, which it refuses in a pipeline: they are untied": config.tie_embeddings
        and shape.pipeline > 1,
        "Muon: all matrices are updated by AdamW": settings.optimizer.name == "muon",
        "balance and z-losses: its router is balanced by a bias instead": True,
        "our packed data and what was erased meanwhile": True,
    }
    lacks = [part for part in megatron_lacks(config) if not part.startswith("a dense MLP")]
    return lacks + [part for part, there in more.items() if there]
