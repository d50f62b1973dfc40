"""What the engines understand of the launch files is what was planned, argument by argument.

Each test resolves the arguments with the engine's parser, defaults included, and translates the result back
into the terms of the plan.
"""

import math
import re
from typing import Any

import pytest
from cluster_plans import plan, plans
from engine_parsers import parsed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trinch.planner.launch import trainer_settings
from trinch.planner.launch.megatron import BALANCE_LOSS, connections, megatron, uneven_last
from trinch.planner.launch.saving import Saving, saving_of, support
from trinch.planner.launch.sglang import sglang
from trinch.planner.launch.torchtitan import SCHEDULE_NAMES, schedule_name, torchtitan
from trinch.planner.ops import reliability
from trinch.planner.ops.recovery import Options, pick
from trinch.planner.perf.hardware import gpu
from trinch.planner.perf.layout import Layout, Plan
from trinch.planner.perf.models import workload
from trinch.planner.perf.serving import Demand, options
from trinch.planner.perf.workload import Workload

MANY = settings(
    max_examples=1000, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Plan, Saving]:
    """A plan and a policy that its launch files provide."""
    made = draw(plans())
    kind = draw(st.sampled_from(support(made)))
    store = draw(st.integers(1, 500))
    return made, Saving(kind, store, draw(st.integers(1, 20)) if kind == "memory" else 0)


def megatron_model(args: dict[str, Any]) -> dict[str, Any]:
    """The model Megatron-LM would build, in the planner's terms."""
    mla, experts = args["multi_latent_attention"], args["num_experts"] or 0
    pattern = args["moe_layer_freq"]
    moe = sum(eval(pattern)) if pattern and "[" in pattern else args["num_layers"]
    bias = args["add_bias_linear"]
    rope = args["position_embedding_type"] == "rope"
    return {
        "layers": args["num_layers"],
        "hidden": args["hidden_size"],
        "heads": args["num_attention_heads"],
        "kv_heads": args["num_query_groups"]
        if args["group_query_attention"]
        else args["num_attention_heads"],
        "head_dim": None if mla else args["kv_channels"],
        "seq_len": args["seq_length"],
        "norm_bias": args["normalization"] == "LayerNorm",
        "gated": args["swiglu"],
        "activation": "silu" if args["swiglu"] else "relu2" if args["squared_relu"] else "gelu",
        "out_bias": bias,
        "mlp_bias": bias,
        "qkv_bias": bias or args["add_qkv_bias"],
        "tied": not args["untie_embeddings_and_output_weights"],
        "rope_theta": args["rotary_base"] if rope else None,
        "positions": 0 if rope else args["max_position_embeddings"],
        "vocab": args["vocab_size"],
        "experts": experts,
        "top_k": args["moe_router_topk"] if experts else 0,
        "moe_ffn": args["moe_ffn_hidden_size"] if experts else 0,
        "groups": (args["moe_router_num_groups"] or 0, args["moe_router_group_topk"] or 0),
        "beside": (args["moe_shared_expert_intermediate_size"] or 0) if experts else 0,
        "moe_layers": moe if experts else 0,
        "ffn": args["ffn_hidden_size"],
        "latent": (args["kv_lora_rank"], args["q_lora_rank"] or 0) if mla else (0, 0),
        "latent_heads": (args["qk_head_dim"], args["qk_pos_emb_head_dim"], args["v_head_dim"])
        if mla
        else None,
        "qk_norm": args["qk_layernorm"],
        "sinks": args["softmax_type"] == "learnable",
        "windows": windows(args),
        "dropout": (args["hidden_dropout"], args["attention_dropout"]),
        "balance": float(args["moe_aux_loss_coeff"][0]) if experts else None,
    }


def windows(args: dict[str, Any]) -> tuple[int, int]:
    """(window, layers that have it)."""
    if args["window_size"] is None:
        return 0, 0
    width, every = int(args["window_size"].split(",")[0]) + 1, args["window_attn_skip_freq"]
    if every is None:
        return width, args["num_layers"]
    if "[" in every:
        return width, sum(eval(every))
    return width, sum(layer % int(every) != 0 for layer in range(1, args["num_layers"] + 1))


def planned_model(model: Workload) -> dict[str, Any]:
    """The same facts of the plan's model. Grok's gated GELU is written as SwiGLU, and the script says so."""
    return {
        "layers": model.layers,
        "hidden": model.hidden,
        "heads": model.heads,
        "kv_heads": model.heads if model.mla else model.kv_heads,
        "head_dim": None if model.mla else model.head_dim,
        "seq_len": model.seq_len,
        "norm_bias": model.norm_bias,
        "gated": model.gated,
        "activation": "silu" if model.gated else model.activation,
        "out_bias": model.out_bias,
        "mlp_bias": model.mlp_bias,
        "qkv_bias": model.qkv_bias,
        "tied": model.tied,
        "rope_theta": None if model.positions else round(model.rope_theta),
        "positions": model.positions,
        "vocab": model.vocab,
        "experts": model.experts,
        "top_k": model.top_k,
        "moe_ffn": model.moe_ffn,
        "groups": (model.expert_groups, model.routed_groups),
        "beside": model.ffn if model.dense_residual else model.shared_ffn,
        "moe_layers": model.moe_layers,
        "ffn": model.ffn or model.moe_ffn,
        "latent": (model.kv_lora, model.q_lora),
        "latent_heads": (model.nope_dim, model.rope_dim, model.v_dim) if model.mla else None,
        "qk_norm": model.qk_norm or model.mla,
        "sinks": model.sinks,
        "windows": (model.window, model.window_layers) if model.window_layers else (0, 0),
        "dropout": (0.0, 0.0),
        "balance": BALANCE_LOSS if model.experts else None,
    }


def megatron_run(args: dict[str, Any], ranks: int) -> dict[str, Any]:
    """Layout, arithmetic and saving as Megatron-LM would run them on `ranks` GPUs."""
    tp, pp, cp = (args[f"{name}_parallel_size"] for name in ("tensor_model", "pipeline_model", "context"))
    level = {"optim": 1, "optim_grads": 2, "optim_grads_params": 3}
    sharded = level[args["data_parallel_sharding_strategy"]] if args["use_megatron_fsdp"] else 1
    recompute = {None: 0, "selective": 1, "full": 2}[args["recompute_granularity"]]
    precision = {"hybrid": "mxfp8" if args["fp8_recipe"] == "mxfp8" else "fp8"}.get(args["fp8"], "bf16")
    return {
        "tp": tp,
        "pp": pp,
        "cp": cp,
        "dp": ranks // (tp * pp * cp),
        "vpp": args["num_virtual_stages_per_pipeline_rank"] or 1,
        "ep": args["expert_model_parallel_size"],
        "etp": args["expert_tensor_parallel_size"] or tp,
        "micro_batch": args["micro_batch_size"],
        "global_batch": args["global_batch_size"],
        "zero": sharded if args["use_distributed_optimizer"] else 0,
        "sequence_parallel": args["sequence_parallel"],
        "recompute": recompute,
        "last_layers": args["decoder_last_pipeline_num_layers"] or 0,
        "offload": args["optimizer_cpu_offload"] and args["use_precision_aware_optimizer"],
        "precision": "nvfp4" if args["fp4"] else precision,
        "gradient_bytes": 2.0 if args["grad_reduce_in_bf16"] else 4.0,
        "samples": args["train_samples"],
        "evaluations": args["eval_iters"],
        "dispatcher": dispatcher(args),
        "tp_overlap": args["tp_comm_overlap"],
        "dp_overlap": args["overlap_grad_reduce"],
        "saving": megatron_saving(args),
    }


def dispatcher(args: dict[str, Any]) -> str | None:
    """The dispatcher of a model with experts."""
    if not args["num_experts"]:
        return None
    kind = args["moe_token_dispatcher_type"]
    return args["moe_flex_dispatcher_backend"] if kind == "flex" else kind


def megatron_saving(args: dict[str, Any]) -> tuple[str, int, int]:
    """Kind of checkpoint and its intervals. Without the persistent worker, --async-save is switched off."""
    background = args["async_save"] and args["use_persistent_ckpt_worker"]
    local = args["non_persistent_ckpt_type"] == "local" and args["replication"]
    kind = "memory" if local and background else "async" if background else "sync"
    return kind, args["save_interval"], args["non_persistent_save_interval"] or 0


def planned_run(made: Plan, saving: Saving) -> dict[str, Any]:
    cut, experts = made.layout, made.workload.experts
    return {
        "tp": cut.tp,
        "pp": cut.pp,
        "cp": cut.cp,
        "dp": cut.dp,
        "vpp": cut.vpp,
        "ep": cut.ep,
        "etp": cut.etp if experts else cut.tp,
        "micro_batch": cut.micro_batch,
        "global_batch": cut.global_batch,
        "zero": cut.zero,
        "sequence_parallel": bool(cut.sequence_parallel and cut.tp > 1),
        "recompute": cut.recompute,
        "last_layers": uneven_last(made),
        "offload": bool(cut.offload),
        "precision": made.precision,
        "gradient_bytes": made.gradient_bytes,
        "samples": math.ceil(made.tokens / made.tokens_per_step) * cut.global_batch,
        "evaluations": 0,
        "dispatcher": made.dispatcher if experts else None,
        "tp_overlap": made.tp_overlap and cut.tp > 1 and cut.zero <= 1,
        "dp_overlap": True,
        "saving": (saving.kind, saving.store_steps, saving.memory_steps),
    }


@pytest.mark.long
@MANY
@given(cases())
def test_a_thousand_plans_run_as_planned(case: tuple[Plan, Saving]) -> None:
    every_engine_agrees(*case)


@settings(MANY, max_examples=100)
@given(cases())
def test_every_engine_runs_what_was_planned(case: tuple[Plan, Saving]) -> None:
    every_engine_agrees(*case)


def every_engine_agrees(made: Plan, saving: Saving) -> None:
    megatron_agrees(made, saving)
    torchtitan_agrees(made, saving)
    our_trainer_agrees(made, saving)


def megatron_agrees(made: Plan, saving: Saving) -> None:
    args = parsed("megatron", megatron(made, saving))
    assert megatron_model(args) == planned_model(made.workload)
    assert megatron_run(args, made.n_gpus) == planned_run(made, saving)
    if made.workload.vocab % made.layout.tp == 0:
        multiple = args["make_vocab_size_divisible_by"] * made.layout.tp
        assert made.workload.vocab % multiple == 0, "Megatron-LM would add rows to the vocabulary"
    if saving.kind == "memory":
        assert args["replication_jump"] == made.machine.gpu.gpus_per_node
        assert made.n_gpus % (args["replication_jump"] * args["replication_factor"]) == 0
    assert args["distributed_timeout_minutes"] * 60 == 600, "the hang timeout of the tables"
    assert (connections(made) == 1) == (made.layout.zero < 2)


def test_fp32_gradients_are_launched_where_they_were_priced() -> None:
    from dataclasses import replace

    from cluster_plans import grok

    args = megatron(replace(grok(), gradient_bytes=4.0), Saving("async", 10))
    assert "--grad-reduce-in-bf16" not in args


def torchtitan_agrees(made: Plan, saving: Saving) -> None:
    cut = made.layout
    args = parsed("torchtitan", torchtitan(made, saving))
    degree = {name.split(".")[1]: value for name, value in args.items() if "degree" in name}
    ranks = math.prod(value for name, value in degree.items() if not name.startswith("expert"))
    assert ranks == made.n_gpus
    assert degree == {
        "data_parallel_shard_degree": cut.dp,
        "data_parallel_replicate_degree": 1,
        "tensor_parallel_degree": cut.tp,
        "context_parallel_degree": cut.cp,
        "expert_parallel_degree": cut.ep,
        "pipeline_parallel_degree": cut.pp,
    }
    assert args["training.global_batch_size"] == cut.global_batch
    assert args["training.seq_len"] == made.workload.seq_len
    assert args["training.steps"] == math.ceil(made.tokens / made.tokens_per_step)
    micro = args["parallelism.pipeline_parallel_microbatch_size"] if cut.pp > 1 else None
    assert (micro or args["training.local_batch_size"]) == cut.micro_batch
    if cut.pp > 1:
        assert args["parallelism.pipeline_parallel_schedule"] == schedule_name(cut)
    assert args["checkpoint.interval"] == saving.store_steps
    assert (args["checkpoint.async_mode"] != "disabled") == (saving.kind != "sync")


@pytest.mark.parametrize("name", [*SCHEDULE_NAMES.values(), "Interleaved1F1B"])
def test_the_schedules_of_torchtitan_are_known_to_torch(name: str) -> None:
    schedules = pytest.importorskip("torch.distributed.pipelining.schedules")
    assert schedules.get_schedule_class(name)


def test_the_last_of_uneven_stages_holds_what_is_left() -> None:
    model = workload("deepseek-v3")
    cut = Layout(pp=16, dp=8, ep=8, global_batch=256)
    args = parsed("megatron", megatron(plan(cut, "deepseek-v3"), Saving("async", 10)))
    last = args["decoder_last_pipeline_num_layers"]
    assert last == 1
    assert (model.layers - last) % (args["pipeline_model_parallel_size"] - 1) == 0


def our_trainer_agrees(made: Plan, saving: Saving) -> None:
    if not trainer_settings.runs(made):
        return
    run, cut = trainer_settings.settings(made, saving, 40.0, 400), made.layout
    mesh = run.mesh.filled(made.n_gpus)
    assert (mesh.pipeline, mesh.tensor, mesh.expert, mesh.data_ways) == (cut.pp, cut.tp, cut.ep, cut.dp)
    assert (run.batch, run.micro_batch, run.sequence) == (
        cut.global_batch,
        cut.micro_batch,
        made.workload.seq_len,
    )
    assert run.steps == math.ceil(made.tokens / made.tokens_per_step)
    assert run.recompute == (cut.recompute == 2)
    assert (run.checkpoint_every, run.asynchronous) == (saving.store_steps, saving.kind != "sync")
    assert run.launch.nodes * run.launch.processes == made.n_gpus


@pytest.mark.parametrize("model", ["grok-1", "grok-2", "llama-3-70b", "qwen3-30b-a3b", "gpt-oss-20b"])
@pytest.mark.parametrize("precision", ["bf16", "fp8"])
@pytest.mark.parametrize("kv_bytes", [1.0, 2.0])
def test_sglang_serves_what_was_planned(model: str, precision: str, kv_bytes: float) -> None:
    for served in options(workload(model), gpu("h200"), Demand(20, 1000, 300), precision, kv_bytes):
        args = parsed("sglang", sglang(served, model, 1300, kv_bytes))
        assert (args["tp_size"], args["pp_size"]) == (served.tp, served.pp)
        assert args["max_running_requests"] == served.batch
        assert args["context_length"] == 1300
        assert args["quantization"] == ("fp8" if precision == "fp8" else None)
        assert (args["kv_cache_dtype"] == "fp8_e4m3") == (kv_bytes == 1.0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(plans())
def test_no_plan_counts_on_what_its_files_do_not_provide(made: Plan) -> None:
    fleet = reliability.fleet("llama-3")
    way = pick(made, fleet, made.n_gpus, Options())
    assert not way.hot
    assert way.kind in support(made)
    sections = {
        "failures": {
            "checkpoint": {"kind": way.kind, "interval_steps": 7},
            "store_checkpoint": {"interval_s": 50 * made.step_time_s},
        }
    }
    saving = saving_of(made, sections)
    assert saving.kind == way.kind
    assert (saving.store_steps, saving.memory_steps) == ((50, 7) if way.kind == "memory" else (7, 0))
    assert re.search(r"--save-interval \d+", " ".join(megatron(made, saving)))
