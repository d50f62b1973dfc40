"""Arguments of Megatron-LM's pretrain_gpt.py, every one derived from the plan and its model.

What a plan does not contain (data, tokenizer, learning rate) stays a shell variable. Names and defaults were
checked with the argument parser and `validate_args` of Megatron-LM commit d98e8a6 (2026-08-22).
"""

import math

from trinch.planner.launch.saving import Saving
from trinch.planner.launch.shell import train_steps
from trinch.planner.ops.tables import table
from trinch.planner.perf.layout import Plan, last_stage_layers
from trinch.planner.perf.workload import Workload

BALANCE_LOSS = 1e-2
"""Coefficient of the load-balancing loss, arXiv 2101.03961 section 2.2."""
LOCAL_FOLDER = "/dev/shm/checkpoints"
"""Where a node keeps checkpoints in memory: its own and its peer's."""


def megatron(plan: Plan, saving: Saving) -> list[str]:
    """Arguments of pretrain_gpt.py."""
    model = plan.workload
    args = _model(model, plan.layout.tp) + _attention(model)
    if model.experts:
        args += _experts(model) + _dispatcher(plan.dispatcher)
    return args + _layout(plan) + _arithmetic(plan) + _run(plan) + _saving(plan, saving)


def _model(model: Workload, tp: int) -> list[str]:
    args = [
        f"--num-layers {model.layers}",
        f"--hidden-size {model.hidden}",
        f"--num-attention-heads {model.heads}",
        f"--seq-length {model.seq_len}",
        f"--max-position-embeddings {max(model.seq_len, model.positions)}",
        f"--normalization {'LayerNorm' if model.norm_bias else 'RMSNorm'}",
        f"--ffn-hidden-size {model.ffn or model.moe_ffn}",
        f"--vocab-size {model.vocab}",
        f"--make-vocab-size-divisible-by {vocabulary_multiple(model.vocab, tp)}",
        "--hidden-dropout 0",
        "--attention-dropout 0",
    ]
    if model.positions:
        args.append("--position-embedding-type learned_absolute")
    else:
        args += ["--position-embedding-type rope", f"--rotary-base {model.rope_theta:.0f}"]
    if model.gated:
        args.append("--swiglu")
    elif model.activation == "relu2":
        args.append("--squared-relu")
    if not (model.out_bias or model.mlp_bias):
        args.append("--disable-bias-linear")
        args += ["--add-qkv-bias"] if model.qkv_bias else []
    if not model.tied:
        args.append("--untie-embeddings-and-output-weights")
    if model.mtp_layers:
        args.append(f"--mtp-num-layers {model.mtp_layers}")
    return args


def vocabulary_multiple(vocab: int, tp: int) -> int:
    """The largest power of two up to 128 that adds no row to the vocabulary; 1 where tensor parallelism must
    pad anyway."""
    return math.gcd(128, vocab // tp) if vocab % tp == 0 else 1


def _attention(model: Workload) -> list[str]:
    if model.mla:
        args = [
            "--multi-latent-attention",
            f"--kv-lora-rank {model.kv_lora}",
            f"--qk-head-dim {model.nope_dim}",
            f"--qk-pos-emb-head-dim {model.rope_dim}",
            f"--v-head-dim {model.v_dim}",
            "--qk-layernorm",
        ]
        return [*args, f"--q-lora-rank {model.q_lora}"] if model.q_lora else args
    args = [f"--kv-channels {model.head_dim}"]
    if model.kv_heads < model.heads:
        args += ["--group-query-attention", f"--num-query-groups {model.kv_heads}"]
    args += ["--qk-layernorm"] if model.qk_norm else []
    args += ["--softmax-type learnable"] if model.sinks else []
    return args + _window(model)


def _window(model: Workload) -> list[str]:
    """Sliding windows: on all layers, on all but every n-th, or on the first ones, as the counts allow."""
    if not model.window_layers:
        return []
    args = [f'--window-size "{model.window - 1},0"']
    full = model.layers - model.window_layers
    if not full:
        return args
    every = model.layers // full
    if model.layers // every == full:
        return [*args, f"--window-attn-skip-freq {every}"]
    return [*args, f'--window-attn-skip-freq "([1]*{model.window_layers}+[0]*{full})"']


def _experts(model: Workload) -> list[str]:
    args = [
        f"--num-experts {model.experts}",
        f"--moe-router-topk {model.top_k}",
        f"--moe-ffn-hidden-size {model.moe_ffn}",
        "--moe-grouped-gemm",
        "--moe-permute-fusion",
        "--moe-router-dtype fp32",
        "--moe-router-load-balancing-type aux_loss",
        f"--moe-aux-loss-coeff {BALANCE_LOSS}",
    ]
    if model.mla and model.router_bias:
        args += ["--moe-router-score-function sigmoid", "--moe-router-enable-expert-bias"]
    if model.expert_groups:
        args += [
            f"--moe-router-num-groups {model.expert_groups}",
            f"--moe-router-group-topk {model.routed_groups}",
        ]
    beside = model.ffn if model.dense_residual else model.shared_ffn
    args += [f"--moe-shared-expert-intermediate-size {beside}"] if beside else []
    dense = model.layers - model.moe_layers
    return [*args, f'--moe-layer-freq "([0]*{dense}+[1]*{model.moe_layers})"'] if dense else args


def _dispatcher(name: str) -> list[str]:
    """All-to-all, or the fused kernels of DeepEP, as the plan was priced."""
    if name == "deepep":
        return ["--moe-token-dispatcher-type flex", "--moe-flex-dispatcher-backend deepep"]
    return ["--moe-token-dispatcher-type alltoall"]


def _layout(plan: Plan) -> list[str]:
    cut = plan.layout
    args = [
        f"--tensor-model-parallel-size {cut.tp}",
        f"--pipeline-model-parallel-size {cut.pp}",
        f"--context-parallel-size {cut.cp}",
        f"--micro-batch-size {cut.micro_batch}",
        f'--global-batch-size "${{GLOBAL_BATCH:-{cut.global_batch}}}"',
        "--overlap-grad-reduce",
    ]
    if cut.vpp > 1:
        args.append(f"--num-virtual-stages-per-pipeline-rank {cut.vpp}")
    last = uneven_last(plan)
    if last:
        args.append(f"--decoder-last-pipeline-num-layers {last}")
    elif plan.workload.layers % (cut.pp * cut.vpp):  # embedding and loss take the place of a layer each
        args += ["--account-for-embedding-in-pipeline-split", "--account-for-loss-in-pipeline-split"]
    if cut.sequence_parallel and cut.tp > 1:
        args.append("--sequence-parallel")
        args += ["--tp-comm-overlap"] if plan.tp_overlap and cut.zero <= 1 else []
    if plan.workload.experts:
        args += [f"--expert-model-parallel-size {cut.ep}", f"--expert-tensor-parallel-size {cut.etp}"]
    if cut.offload:
        args += [
            "--optimizer-cpu-offload",
            "--overlap-cpu-optimizer-d2h-h2d",
            "--use-precision-aware-optimizer",
        ]
    if cut.zero >= 1:
        args += ["--use-distributed-optimizer", "--overlap-param-gather"]
    if cut.zero >= 2:
        shard = "optim_grads_params" if cut.zero == 3 else "optim_grads"
        args += ["--use-megatron-fsdp", f"--data-parallel-sharding-strategy {shard}"]
    recompute: dict[int, list[str]] = {
        0: [],
        1: ["--recompute-granularity selective", "--recompute-modules core_attn"],
        2: ["--recompute-granularity full", "--recompute-method uniform", "--recompute-num-layers 1"],
    }
    return args + recompute[cut.recompute]


def uneven_last(plan: Plan) -> int:
    """Layers of a last stage that holds fewer than the others; 0 where all hold the same, embedding and head counted."""
    cut, layers = plan.layout, plan.workload.layers
    even = layers % (cut.pp * cut.vpp) == 0 or (layers + 2) % (cut.pp * cut.vpp) == 0
    return 0 if even or cut.vpp > 1 else max(last_stage_layers(layers, cut.pp), 0)


def _arithmetic(plan: Plan) -> list[str]:
    """Precision of products, of gradients (the plan counts their bytes) and of the loss."""
    args = ["--bf16", "--attention-backend auto", "--cross-entropy-loss-fusion"]
    short = plan.gradient_bytes <= 2
    args += ["--grad-reduce-in-bf16"] if short else []
    if plan.layout.zero >= 2:
        kind = "bf16" if short else "fp32"
        args += [f"--megatron-fsdp-main-grads-dtype {kind}", f"--megatron-fsdp-grad-comm-dtype {kind}"]
    if plan.precision in ("fp8", "mxfp8"):
        args += ["--fp8-format hybrid", f"--fp8-recipe {'mxfp8' if plan.precision == 'mxfp8' else 'delayed'}"]
    if plan.precision == "nvfp4":
        args.append("--fp4-format e2m1")
    return args


def _run(plan: Plan) -> list[str]:
    """The token budget in samples (exact even where a step shrinks), and the hang timeout of the tables."""
    minutes = max(1, round(table("operations")["detect_hang_s"].value / 60))
    return [
        f"--train-samples {train_steps(plan) * plan.layout.global_batch}",
        "--eval-iters 0",
        "--tokenizer-type SentencePieceTokenizer",
        '--tokenizer-model "$TOKENIZER"',
        '--data-path "$DATA"',
        '--lr "$LR"',
        f"--distributed-timeout-minutes {minutes}",
        "--exit-signal-handler",
    ]


def _saving(plan: Plan, saving: Saving) -> list[str]:
    args = [
        '--save "$CHECKPOINTS"',
        '--load "$CHECKPOINTS"',
        f"--save-interval {saving.store_steps}",
        f"--ckpt-format {'fsdp_dtensor' if plan.layout.zero >= 2 else 'torch_dist'}",
    ]
    if saving.asynchronous:  # without the persistent worker Megatron-LM turns --async-save off
        args += ["--async-save", "--use-persistent-ckpt-worker"]
    if saving.kind == "memory":
        args += [
            f"--non-persistent-save-interval {saving.memory_steps}",
            "--non-persistent-ckpt-type local",
            f"--non-persistent-local-ckpt-dir {LOCAL_FOLDER}",
            "--replication",
            f"--replication-jump {plan.machine.gpu.gpus_per_node}",
            "--replication-factor 2",
        ]
    return args


def connections(plan: Plan) -> int:
    """CUDA_DEVICE_MAX_CONNECTIONS: Megatron-LM requires 1, except for its FSDP, which refuses 1."""
    return 32 if plan.layout.zero >= 2 else 1


def megatron_notes(plan: Plan, saving: Saving) -> list[str]:
    """Sentences for the head of the file: what Megatron-LM cannot express exactly, and what it needs."""
    model = plan.workload
    notes = {
        "Grok gates with GELU and caps logits; --swiglu has the same shapes and cost, not its function.": (
            model.name.startswith("grok")
        ),
        f"Megatron-LM has no {model.activation}: its GELU has the same shapes and nearly the same cost.": (
            model.activation in ("relu", "xielu")
        ),
        "The dense residual MLP is written as a shared expert: same matrices, same cost.": (
            model.dense_residual
        ),
        "Experts in other nodes are reached by DeepEP: it must be installed.": plan.dispatcher == "deepep",
        "Copies in a peer's memory need the package nvidia-resiliency-ext.": saving.kind == "memory",
    }
    return [sentence for sentence, true in notes.items() if true]
