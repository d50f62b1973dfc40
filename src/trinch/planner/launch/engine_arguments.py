"""Arguments that make existing engines run what was planned: Megatron-LM and torchtitan; SGLang and vLLM.

Owns the translation of a layout into each engine's own names, and nothing of schedulers or containers. What a
plan does not know (data, tokenizer, learning rate) is left to the environment as shell variables.
Names were checked with the argument parsers of Megatron-LM core 0.20.0, torchtitan 0.3.0 and SGLang 0.5.23,
and against the source of vLLM's arg_utils.py (commit 001999d).
"""

import math
import re

from trinch.model.config import CONFIGS
from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import Plan
from trinch.planner.perf.serving import Served
from trinch.training.settings import Mesh, Settings
from trinch.training.torchtitan_export import CONFIG, MODULE, torchtitan_module

TORCHTITAN = {
    "llama-3-8b": ("llama3", "llama3_8b"),
    "llama-3-70b": ("llama3", "llama3_70b"),
    "llama-3-405b": ("llama3", "llama3_405b"),
    "deepseek-v3": ("deepseek_v3", "deepseek_v3_671b"),
    "qwen3-30b-a3b": ("qwen3", "qwen3_30b_a3b"),
    "qwen3-32b": ("qwen3", "qwen3_32b"),
    "grok-1": (MODULE, CONFIG),
    "grok-2": (MODULE, CONFIG),
}
"""Models torchtitan ships a configuration of, by our preset names; a Grok's lies beside the script."""


def safe(name: str) -> str:
    """A model's name for comments and labels of scripts: a folder may be called anything."""
    return re.sub(r"[^\w.+-]+", "-", name, flags=re.ASCII)[:60]


def train_steps(plan: Plan) -> int:
    """Optimizer steps for the token budget, the last one whole."""
    return math.ceil(plan.steps)


def megatron(plan: Plan, save_interval: int, asynchronous: bool = True) -> list[str]:
    """Arguments of Megatron-LM's pretrain_gpt.py. `save_interval` in steps."""
    model, cut = plan.workload, plan.layout
    args = [
        f"--num-layers {model.layers}",
        f"--hidden-size {model.hidden}",
        f"--num-attention-heads {model.heads}",
        f"--seq-length {model.seq_len}",
        f"--max-position-embeddings {model.seq_len}",
        f"--position-embedding-type {'learned_absolute' if model.positions else 'rope'}",
        f"--normalization {'LayerNorm' if model.norm_bias else 'RMSNorm'}",
        f"--ffn-hidden-size {model.ffn or model.moe_ffn}",
        "--tokenizer-type SentencePieceTokenizer",
        '--tokenizer-model "$TOKENIZER"',
        '--data-path "$DATA"',
        f"--vocab-size {model.vocab}",
        '--lr "$LR"',
        "--attention-backend auto",
    ]
    if model.gated:
        args.append("--swiglu")
    if not (model.qkv_bias or model.out_bias or model.mlp_bias):
        args.append("--disable-bias-linear")
    if not model.tied:
        args.append("--untie-embeddings-and-output-weights")
    if model.mla:
        args += [
            "--multi-latent-attention",
            f"--kv-lora-rank {model.kv_lora}",
            f"--qk-head-dim {model.nope_dim}",
            f"--qk-pos-emb-head-dim {model.rope_dim}",
            f"--v-head-dim {model.v_dim}",
        ]
        args += [f"--q-lora-rank {model.q_lora}"] if model.q_lora else []
    else:
        args.append(f"--kv-channels {model.head_dim}")
        if model.kv_heads < model.heads:
            args += ["--group-query-attention", f"--num-query-groups {model.kv_heads}"]
    if model.experts:
        args += [
            f"--num-experts {model.experts}",
            f"--moe-router-topk {model.top_k}",
            f"--moe-ffn-hidden-size {model.moe_ffn}",
            "--moe-grouped-gemm",
            "--moe-token-dispatcher-type alltoall",
            "--moe-router-load-balancing-type aux_loss",
        ]
        beside = model.ffn if model.dense_residual else model.shared_ffn
        args += [f"--moe-shared-expert-intermediate-size {beside}"] if beside else []
        dense = model.layers - model.moe_layers
        args += [f'--moe-layer-freq "([0]*{dense}+[1]*{model.moe_layers})"'] if dense else []
    args += _megatron_layout(plan)
    args += [
        f"--train-iters {train_steps(plan)}",
        '--save "$CHECKPOINTS"',
        '--load "$CHECKPOINTS"',
        f"--save-interval {save_interval}",
        f"--ckpt-format {'fsdp_dtensor' if cut.zero >= 2 else 'torch_dist'}",
    ]
    return [*args, "--async-save"] if asynchronous and cut.zero < 2 else args


def _megatron_layout(plan: Plan) -> list[str]:
    cut = plan.layout
    args = [
        f"--tensor-model-parallel-size {cut.tp}",
        f"--pipeline-model-parallel-size {cut.pp}",
        f"--context-parallel-size {cut.cp}",
        f"--micro-batch-size {cut.micro_batch}",
        f"--global-batch-size {cut.global_batch}",
        "--bf16",
    ]
    if cut.vpp > 1:
        args.append(f"--num-virtual-stages-per-pipeline-rank {cut.vpp}")
    if plan.workload.layers % (cut.pp * cut.vpp):  # embedding and loss take the place of a layer each
        args += ["--account-for-embedding-in-pipeline-split", "--account-for-loss-in-pipeline-split"]
    if cut.sequence_parallel and cut.tp > 1:
        args.append("--sequence-parallel")
    if plan.workload.experts:
        args += [f"--expert-model-parallel-size {cut.ep}", f"--expert-tensor-parallel-size {cut.etp}"]
    if cut.zero >= 1:
        args += ["--use-distributed-optimizer", "--overlap-grad-reduce", "--overlap-param-gather"]
    if cut.zero >= 2:
        shard = "optim_grads_params" if cut.zero == 3 else "optim_grads"
        args += ["--use-megatron-fsdp", f"--data-parallel-sharding-strategy {shard}"]
    if cut.recompute == 1:
        args.append("--recompute-granularity selective")
    if cut.recompute == 2:
        args += ["--recompute-granularity full", "--recompute-method uniform", "--recompute-num-layers 1"]
    if plan.precision in ("fp8", "mxfp8"):
        args += ["--fp8-format hybrid", f"--fp8-recipe {'mxfp8' if plan.precision == 'mxfp8' else 'delayed'}"]
    if plan.precision == "nvfp4":
        args.append("--fp4-format e2m1")
    return args


def megatron_notes(plan: Plan) -> list[str]:
    """What Megatron-LM cannot say exactly of this model: sentences for the head of the file."""
    notes = []
    if plan.workload.name.startswith("grok"):
        notes.append(
            "Grok gates with GELU and caps logits; --swiglu has the same shapes and cost, not its function."
        )
    if plan.workload.dense_residual:
        notes.append("The dense residual MLP is written as a shared expert: same matrices, same cost.")
    return notes


def torchtitan(plan: Plan, save_interval: int, asynchronous: bool = True) -> list[str]:
    """Arguments of `torchtitan.train`. A model torchtitan does not ship is named by $MODULE and $CONFIG,
    which you register; recompute is chosen in that registry entry, not on the command line."""
    cut = plan.layout
    module, config = TORCHTITAN.get(plan.workload.name, ("$MODULE", "$CONFIG"))
    local = cut.global_batch // cut.dp if cut.pp > 1 else cut.micro_batch
    deep = math.ceil(plan.workload.layers / cut.pp / cut.vpp)
    args = [
        f'--module "{module}"',
        f'--config "{config}"',
        f"--training.seq_len {plan.workload.seq_len}",
        f"--training.steps {train_steps(plan)}",
        f"--training.local_batch_size {local}",
        f"--training.global_batch_size {cut.global_batch}",
        f"--parallelism.data_parallel_shard_degree {cut.dp}",
        "--parallelism.data_parallel_replicate_degree 1",
        f"--parallelism.fsdp_reshard_after_forward {'always' if cut.zero == 3 else 'never'}",
        f"--parallelism.tensor_parallel_degree {cut.tp}",
        f"--parallelism.context_parallel_degree {cut.cp}",
        f"--parallelism.expert_parallel_degree {cut.ep}",
        f"--parallelism.pipeline_parallel_degree {cut.pp}",
    ]
    if cut.pp > 1:
        args += [
            "--training.disable_cuda_graphs",  # it refuses them with pipelines
            f"--parallelism.pipeline_parallel_microbatch_size {cut.micro_batch}",
            f"--parallelism.pipeline_parallel_schedule {'Interleaved1F1B' if cut.vpp > 1 else '1F1B'}",
            f"--parallelism.pipeline_parallel_layers_per_stage {deep}",
        ]
    return [
        *args,
        "--checkpoint.enable",
        '--checkpoint.folder "$CHECKPOINTS"',
        f"--checkpoint.interval {save_interval}",
        f"--checkpoint.async_mode {'async' if asynchronous else 'disabled'}",
    ]


def torchtitan_model(plan: Plan) -> dict[str, str]:
    """File name -> text of the module that describes a Grok to torchtitan; the layout is in the arguments."""
    name = plan.workload.name
    if name not in CONFIGS:
        return {}
    run = Settings(config=name, sequence=plan.workload.seq_len, dtype="bfloat16")
    return {f"{MODULE}.py": torchtitan_module(CONFIGS[name], run, Mesh(shard=1, pipeline=plan.layout.pp))}


def sglang(served: Served, model: str, max_length: int) -> list[str]:
    """Arguments of `python3 -m sglang.launch_server` for one replica."""
    args = [
        '--model-path "$MODEL"',
        f"--tp-size {served.tp}",
        f"--pp-size {served.pp}",
        f"--max-running-requests {served.batch}",
        f"--context-length {max_length}",
        "--mem-fraction-static 0.88",
        "--host 0.0.0.0",
        "--port 30000",
    ]
    if served.precision == "fp8":
        args.append("--quantization fp8")
    if model == "grok-2":  # the recipe of its model card
        args += ['--tokenizer-path "$MODEL/tokenizer.tok.json"', "--attention-backend triton"]
    return args


def vllm(served: Served, max_length: int) -> list[str]:
    """Arguments of `vllm serve MODEL` for one replica."""
    args = [
        f"--tensor-parallel-size {served.tp}",
        f"--pipeline-parallel-size {served.pp}",
        f"--max-num-seqs {served.batch}",
        f"--max-model-len {max_length}",
        "--gpu-memory-utilization 0.90",
        "--host 0.0.0.0",
        "--port 30000",
    ]
    return [*args, "--quantization fp8"] if served.precision == "fp8" else args


def wrapped(command: str, args: list[str]) -> str:
    """A command with one argument a line, ready for a shell script."""
    if any("\n" in arg for arg in args):
        raise PlanError("an argument contains a line break")
    return " \\\n    ".join([command, *args])
