"""Arguments of SGLang's server for one replica. Checked with the arguments of SGLang 0.5.23."""

from trinch.planner.perf.models import presets
from trinch.planner.perf.serving import Served
from trinch.planner.perf.serving_wide import experts_each
from trinch.planner.perf.workload import Workload


def sglang(
    served: Served,
    model: str,
    max_length: int,
    kv_bytes: float = 2.0,
    role: str = "",
    gpus_per_node: int = 8,
    draft: int = 0,
) -> list[str]:
    """Arguments of `python3 -m sglang.launch_server`; `max_length` in tokens, `kv_bytes` a cached value.

    `role` is prefill or decode where the two run apart. `draft` tokens are proposed before each step."""
    wide = served.ep > 1
    group = served.prefill_ep if role == "prefill" else served.ep
    args = [
        '--model-path "$MODEL"',
        f"--tp-size {group if wide else served.tp}",
        f"--pp-size {served.pp}",
        *([] if role == "prefill" else [f"--max-running-requests {served.batch * (group if wide else 1)}"]),
        f"--context-length {max_length}",
        "--mem-fraction-static 0.88",
        "--host 0.0.0.0",
        "--port 30000",
    ]
    if role:
        args.append(f"--disaggregation-mode {role}")
    if wide:
        args += _wide(group, role, presets().get(model), gpus_per_node)
    if served.precision == "fp8":
        args.append("--quantization fp8")
    if served.precision == "nvfp4":
        args.append("--quantization modelopt_fp4")
    if kv_bytes < 2:
        args.append("--kv-cache-dtype fp8_e4m3")
    if draft:
        args += _drafting(draft, presets().get(model))
    if model == "grok-2":  # the recipe of its model card
        args += ['--tokenizer-path "$MODEL/tokenizer.tok.json"', "--attention-backend triton"]
    return args


def _wide(group: int, role: str, model: Workload | None, gpus_per_node: int) -> list[str]:
    """Attention of its own on every GPU, experts over all of them by DeepEP, two batches overlapped."""
    args = [
        f"--attn-dp-size {group}",
        "--moe-a2a-backend deepep",
        f"--deepep-mode {'normal' if role == 'prefill' else 'low_latency'}",
        "--moe-dense-tp-size 1",
        "--enable-dp-lm-head",
        "--enable-two-batch-overlap",
        "--enable-eplb",
    ]
    redundant = experts_each(model, group)[1] if model else 0
    if redundant:
        args.append(f"--ep-num-redundant-experts {redundant}")
    if group > gpus_per_node:
        nodes = -(-group // gpus_per_node)
        args += [f"--nnodes {nodes}", '--node-rank "$RANK"', '--dist-init-addr "$HEAD"']
    return args


def _drafting(draft: int, model: Workload | None) -> list[str]:
    """Speculative decoding by the model's own multi-token-prediction layer where it has one, else a draft model."""
    own = model is not None and model.mtp_layers > 0
    return [
        f"--speculative-algorithm {'NEXTN' if own else 'EAGLE'}",
        *([] if own else ['--speculative-draft-model-path "$DRAFT"']),
        f"--speculative-num-steps {draft}",
        "--speculative-eagle-topk 1",
        f"--speculative-num-draft-tokens {draft + 1}",
    ]
