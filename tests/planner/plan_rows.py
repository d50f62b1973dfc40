"""Made-up runs in the columns of the published ones."""

import csv
from pathlib import Path

from trinch.training.runs_table import COLUMNS

Row = dict[str, str]


def run_row(**cells: object) -> Row:
    """A dense Llama-like row of 64 H100; `cells` replace or add."""
    base = {
        "id": "a1",
        "model": "Llama-3.1-70B",
        "layers": 80,
        "hidden": 8192,
        "ffn": 28672,
        "heads": 64,
        "kv_heads": 8,
        "vocab": 128256,
        "seq_len": 8192,
        "gated": "yes",
        "gpu": "H100-SXM-80GB",
        "n_gpus": 64,
        "precision": "bf16",
        "TP": 4,
        "PP": 4,
        "VPP": 5,
        "DP": 2,
        "CP": 2,
        "micro_batch": 1,
        "global_batch": 128,
        "date": "25.04",
        "engine": "NeMo/Megatron-Core",
    }
    whole = dict.fromkeys(COLUMNS, "") | {name: str(value) for name, value in base.items()}
    return whole | {name: str(value) for name, value in cells.items()}


def write_table(path: Path, *rows: Row) -> Path:
    """Writes rows as a CSV file and returns its path."""
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path
