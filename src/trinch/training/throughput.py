"""Throughput: FLOPs per token, MFU, memory, and rows in the format of tables of published runs.

FLOPs are the model's (a recomputed block counts once); a multiply-add is two.
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch

from trinch.model.config import GrokConfig
from trinch.training.parallel import ProcessMesh
from trinch.training.runs_table import COLUMNS
from trinch.training.settings import Mesh, Settings

PEAK = {"A100": 312e12, "H100": 989e12, "H200": 989e12, "B200": 2250e12, "GB200": 2500e12}
"""Dense bf16 FLOP/s by the makers' data sheets (SXM versions)."""


def flops_per_token(config: GrokConfig, sequence: int) -> float:
    """FLOPs to train on one token: 6 per weight of a matrix it meets, and causal attention (half the
    square)."""
    matrices = config.num_active_parameters - (
        0 if config.tie_embeddings else config.vocab_size * config.hidden_size
    )
    matrices -= config.parameters_by_part()["norms"]
    attention = 6.0 * config.num_layers * sequence * config.num_heads * config.head_dim
    return 6.0 * matrices + attention


def peak_flops(settings: Settings, device: torch.device) -> float:
    """FLOP/s of one device: as set, from the table, or, on a CPU, of a matrix product timed now."""
    if settings.peak_flops:
        return settings.peak_flops
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return next((peak for key, peak in PEAK.items() if key in name), 0.0)
    a = torch.randn(768, 768, dtype=getattr(torch, settings.dtype))
    best = 1e9
    for _ in range(5):
        begin = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - begin)
    return float(2 * 768**3 / best)


class Utilization:
    """Model FLOPs utilization (MFU): the model's FLOP/s over the peak of all devices, never above 1.

    A peak that training exceeds is not a peak: a processor's is a product timed at the start, perhaps in a busy
    moment, and a setting can be wrong. The highest rate seen, by the product or by a step, then takes its place.
    """

    def __init__(self, settings: Settings, config: GrokConfig, world: ProcessMesh) -> None:
        self._peak = peak_flops(settings, world.device) * world.size
        self._flops = flops_per_token(config, settings.sequence)

    def of(self, tokens_per_second: float) -> float | None:
        """MFU at this speed of the whole run; None where the device's peak is unknown."""
        if not self._peak:
            return None
        achieved = tokens_per_second * self._flops
        self._peak = max(self._peak, achieved)
        return achieved / self._peak


def memory_gb(device: torch.device) -> float:
    """Most memory this process has held: of the GPU, or resident on a CPU; 0 where the system does not say (Windows)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    status = Path("/proc/self/status")
    if status.exists():  # Linux: ru_maxrss would count the process that started this one, too
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e9
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, else kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def run_row(
    settings: Settings,
    config: GrokConfig,
    shape: Mesh,
    processes: int,
    seconds: float,
    peak: float,
    notes: str,
) -> dict[str, Any]:
    """One row of a table of runs: what was run, and the seconds its step took."""
    tokens = settings.batch * settings.sequence / seconds / processes
    tflops = tokens * flops_per_token(config, settings.sequence) / 1e12
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {
        "id": f"{settings.config}-{processes}p-{settings.dtype}",
        "source": "trinch train --measure",
        "model": settings.config,
        "layers": config.num_layers,
        "hidden": config.hidden_size,
        "ffn": config.intermediate_size or config.moe_intermediate_size,
        "heads": config.num_heads,
        "kv_heads": config.num_kv_heads,
        "vocab": config.vocab_size,
        "seq_len": settings.sequence,
        "experts": config.num_experts,
        "top_k": config.num_experts_per_token,
        "shared_experts": 0,
        "moe_ffn": config.moe_intermediate_size,
        "gated": "yes",
        "params_b": config.num_parameters / 1e9,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "n_gpus": processes,
        "precision": {"bfloat16": "bf16", "float32": "fp32"}[settings.dtype],
        "TP": shape.tensor,
        "PP": shape.pipeline,
        "DP": shape.data_ways,
        "EP": shape.expert,
        "CP": 1,
        "ETP": shape.tensor,
        "zero_stage": 3 if shape.shard * shape.expert > 1 else 0,
        "recompute": "full" if settings.recompute else "none",
        "micro_batch": settings.micro_batch or settings.batch // shape.data_ways,
        "global_batch": settings.batch,
        "step_time_s": seconds,
        "tokens_per_s_per_gpu": tokens,
        "tflops_per_gpu": tflops,
        "mfu": 100 * tflops * 1e12 / max(peak, tflops * 1e12) if peak else "",
        "notes": notes,
        "date": time.strftime("%Y-%m"),
        "engine": f"trinch/torch {torch.__version__}",
    }
    return row
