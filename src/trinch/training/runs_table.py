"""Table of measured runs: one CSV row per run, in the columns of tables of published runs.

docs/planner.md describes the columns. Needs no torch.
"""

import csv
from pathlib import Path
from typing import Any

COLUMNS = [
    "id",
    "source",
    "model",
    "layers",
    "hidden",
    "ffn",
    "heads",
    "kv_heads",
    "vocab",
    "seq_len",
    "experts",
    "top_k",
    "shared_experts",
    "moe_ffn",
    "gated",
    "params_b",
    "gpu",
    "n_gpus",
    "precision",
    "TP",
    "PP",
    "VPP",
    "DP",
    "EP",
    "CP",
    "ETP",
    "sequence_parallel",
    "zero_stage",
    "recompute",
    "micro_batch",
    "global_batch",
    "step_time_s",
    "tokens_per_s_per_gpu",
    "tflops_per_gpu",
    "mfu",
    "notes",
    "tier",
    "date",
    "engine",
    "tflops_norm",
    "quality",
    "dup_group",
]
"""In order."""


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Append rows to a CSV table, which gets its header when it is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with open(path, "a", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerows(rows)
