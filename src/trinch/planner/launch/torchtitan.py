"""Arguments of torchtitan, and the module that describes a Grok to it.

Checked with the argument parser of torchtitan 0.3.0.
"""

import math

from trinch.model.config import CONFIGS
from trinch.planner.launch.saving import Saving
from trinch.planner.launch.shell import train_steps
from trinch.planner.perf.layout import SCHEDULES, Layout, Plan
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
"""Models torchtitan ships a configuration of, by our preset names; a Grok's is written beside the script."""


def torchtitan(plan: Plan, saving: Saving) -> list[str]:
    """Arguments of `torchtitan.train`. A model torchtitan does not ship is named by $MODULE and $CONFIG,
    which you register; that registry entry also sets recomputation."""
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
            f"--parallelism.pipeline_parallel_schedule {schedule_name(cut)}",
            f"--parallelism.pipeline_parallel_layers_per_stage {deep}",
        ]
    return [
        *args,
        "--checkpoint.enable",
        '--checkpoint.folder "$CHECKPOINTS"',
        f"--checkpoint.interval {saving.store_steps}",
        f"--checkpoint.async_mode {'async_with_pinned_mem' if saving.asynchronous else 'disabled'}",
    ]


SCHEDULE_NAMES = {"1f1b": "1F1B", "zbv": "ZBVZeroBubble", "dualpipe-v": "DualPipeV"}
"""Schedules that torchtitan starts, by the names of torch.distributed.pipelining."""


def schedule_name(cut: Layout) -> str:
    """torch's name of the layout's schedule."""
    return "Interleaved1F1B" if not cut.schedule and cut.vpp > 1 else SCHEDULE_NAMES[SCHEDULES[cut.schedule]]


def torchtitan_notes(saving: Saving) -> list[str]:
    """Sentences on what torchtitan does differently from the plan."""
    notes = ["The predicted step time and effective time are those of the Megatron-LM files."]
    if saving.kind == "memory":
        notes.append("torchtitan writes to the store only: a failure loses up to one of its intervals.")
    return notes


def torchtitan_model(plan: Plan) -> dict[str, str]:
    """File name -> text of the module that describes a Grok to torchtitan; the layout is in the arguments."""
    name = plan.workload.name
    if name not in CONFIGS:
        return {}
    run = Settings(config=name, sequence=plan.workload.seq_len, dtype="bfloat16")
    return {f"{MODULE}.py": torchtitan_module(CONFIGS[name], run, Mesh(shard=1, pipeline=plan.layout.pp))}
