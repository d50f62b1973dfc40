"""From a row of a table of runs to a case and a layout; blank cells are inferred, and listed as inferred.

The table has the columns of docs/planner.md (model shape, GPU, layout, engine, date, measurement).
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from trinch.planner.perf import hardware
from trinch.planner.perf.calibration import Calibration, band, family
from trinch.planner.perf.hardware import Machine, PlanError
from trinch.planner.perf.layout import RECOMPUTE, Layout, Layouts, total
from trinch.planner.perf.memory import memory_bytes
from trinch.planner.perf.model_inputs import DEFAULT_DATE, DISPATCHERS, Case, Cases, Engine, engine
from trinch.planner.perf.models import presets
from trinch.planner.perf.workload import Workload

Row = Mapping[str, str]
REQUIRED = ("gpu", "n_gpus", "global_batch", "seq_len")


@dataclass
class Run:
    """One row, understood: what runs where, which columns had to be inferred, and what was measured."""

    id: str
    case: Case
    layout: Layout
    inferred: list[str] = field(default_factory=list)
    measured_s: float | None = None
    row: Row = field(default_factory=dict)


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file; PlanError if it cannot be read or lacks the columns without which nothing goes."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            rows = [{k: (v or "").strip() for k, v in row.items() if k} for row in reader]
    except OSError as err:
        raise PlanError(f"cannot read {path}: {err.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as err:
        raise PlanError(f"{path} is not a CSV table: {err}") from None
    lacking = [name for name in ("id", "model", *REQUIRED) if name not in (reader.fieldnames or [])]
    if lacking:
        raise PlanError(f"{path} has no column {', '.join(lacking)}: see docs/planner.md for the columns")
    return rows


def understand(row: Row) -> Run:
    """The run a row describes; PlanError with the reason if it cannot be predicted."""
    inferred: list[str] = []
    for name in REQUIRED:
        if not row.get(name):
            raise PlanError(f"{name} is blank")
    machine = _machine(row)
    work = _workload(row, inferred)
    date = _date(row, inferred)
    software = engine(row.get("engine", ""), date)
    if "asynctp" in row.get("notes", "").lower():
        software = replace(software, tp_overlap=1.0)
    if software.name == "other":
        inferred.append("engine")
    precision = row.get("precision", "").lower()
    if not precision:
        precision = "bf16"
        inferred.append("precision")
    machine.gpu.peak_tflops(precision)
    layout = _layout(row, machine, work, software, inferred)
    frozen = "lora" in row.get("model", "").lower()
    dropping = "tokendrop" in row.get("notes", "").lower()
    sends = _dispatcher(row) or _recipe_dispatcher(work, machine, software, date)
    away = software.nvidia_sites and site_of(row) not in ("", NVIDIA)
    case = Case(
        work, machine, precision, software, date, frozen, dropping=dropping, dispatcher=sends, elsewhere=away
    )
    if not row.get("recompute"):
        layout = _least_recompute(case, layout, software)
        inferred.append("recompute")
    return Run(row.get("id", ""), case, layout, inferred, _measured(row, work), row)


def _number(row: Row, name: str) -> float | None:
    text = row.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise PlanError(f"{name} is {text!r}, not a number") from None
    if not 0 <= value < 1e18:
        raise PlanError(f"{name} is {text}, out of range")
    return value


def _count(row: Row, name: str, default: int | None = None, inferred: list[str] | None = None) -> int:
    text = row.get(name, "")
    if name == "VPP":
        text = re.split(r"\s", text)[0] if text else ""
    value = _number({name: text}, name)
    if value is None:
        if default is None:
            raise PlanError(f"{name} is blank and cannot be inferred")
        if inferred is not None:
            inferred.append(name)
        return default
    if value < 1 or value != int(value):
        raise PlanError(f"{name} is {text}, not a positive whole number")
    return int(value)


def _machine(row: Row) -> Machine:
    machine = hardware.machine(row["gpu"])
    node = re.search(r"(\d+) Gb/s per node|node-node (\d+) Gb/s", row.get("notes", ""))
    if node:
        total = float(node[1] or node[2])
        machine = hardware.with_nic(machine, total / machine.gpu.gpus_per_node)
    return machine


def _dispatcher(row: Row) -> str:
    """The dispatcher of the column of that name, or as the notes say; empty for the engine's own."""
    given = row.get("dispatcher", "").lower()
    if given and given not in DISPATCHERS:
        raise PlanError(f"dispatcher is {given!r}: use {', '.join(DISPATCHERS)}")
    fused = re.search(r"deep-?ep|hybrid-?ep", row.get("notes", ""), re.IGNORECASE)
    return given or ("deepep" if fused else "")


NVIDIA = "nvidia"
_NVIDIA_SOURCE = re.compile(r"nvidia|\S+ nvidia/|nemotron", re.IGNORECASE)


def site_of(row: Row) -> str:
    """Whose cluster a row was measured on: its `site`, or the submitter, repository or paper of its `source`."""
    given, source = row.get("site", "").lower(), row.get("source", "")
    if given or not source:
        return given
    return NVIDIA if _NVIDIA_SOURCE.match(source) else re.split(r"/results| Table", source)[0].lower()


@cache
def _recipes() -> list[dict[str, str]]:
    return hardware.table("recipes.csv")


def _recipe_dispatcher(work: Workload, machine: Machine, software: Engine, date: float) -> str:
    """What the engine's published recipe for this model and GPU used, where it is not the engine's own default."""
    for row in _recipes():
        if (row["engine"], row["gpu"]) != (software.name, machine.gpu.name):
            continue
        if family(presets()[row["model"]]) == family(work) and date < float(row["until"] or "inf"):
            return row["dispatcher"]
    return ""


def software_date(text: str) -> float | None:
    """Software date in years: 25.04 is a release, 2024-12 a month, 2022-2024 a span; None for anything else."""
    years = [int(y) for y in re.findall(r"\b(20\d\d)\b", text)]
    release = re.match(r"(\d\d)\.(\d\d)", text)
    month = re.match(r"(20\d\d)-(0[1-9]|1[0-2])\b", text)
    if release:
        return 2000 + int(release[1]) + (int(release[2]) - 0.5) / 12
    if month:
        return int(month[1]) + (int(month[2]) - 0.5) / 12
    return sum(years) / len(years) + 0.5 if years else None


def _date(row: Row, inferred: list[str]) -> float:
    found = software_date(row.get("date", ""))
    if found is None:
        inferred.append("date")
        return DEFAULT_DATE
    return found


def _workload(row: Row, inferred: list[str]) -> Workload:
    """The model of a row: its own shape, with what columns cannot say taken from the preset of that shape."""
    name = row.get("model", "")
    if re.search(r"mamba|hybrid|nemotron[-_ ]?(h|3)|deepseek[-_ ]?v4", name, re.IGNORECASE):
        raise PlanError(
            f"{name} is not a plain attention decoder: hybrid and sparse attention are not modelled"
        )
    seq = _count(row, "seq_len")
    if not (row.get("layers") and row.get("hidden")):
        known = _named(name)
        if known is None:
            raise PlanError(f"{name or 'the model'} has no shape in the row and is no preset")
        inferred.extend(["layers", "hidden", "heads", "ffn", "vocab"])
        return known.at(seq)
    like = _shaped(row)
    layers, hidden = _count(row, "layers"), _count(row, "hidden")
    heads = _count(row, "heads", max(hidden // 128, 1), inferred)
    experts = int(_number(row, "experts") or 0)
    vocab = _count(row, "vocab", like.vocab if like else 51200, inferred)
    if like is not None:
        dense = like.layers - like.moe_layers if like.experts and not like.dense_residual else 0
        moe_layers = max(layers - dense, 0) if like.experts else 0
        if like.experts and like.moe_layers * 2 == like.layers:
            moe_layers = layers // 2
        window = layers * like.window_layers // like.layers
        mtp = like.mtp_layers if "w/ MTP" in row.get("notes", "") else 0
        return replace(
            like,
            name=name or like.name,
            layers=layers,
            vocab=vocab,
            seq_len=seq,
            moe_layers=moe_layers,
            window_layers=window,
            mtp_layers=mtp,
        )
    gated = row.get("gated", "").lower()
    if not gated:
        inferred.append("gated")
    ffn = _count(row, "ffn", 4 * hidden, inferred)
    moe_ffn = _count(row, "moe_ffn", ffn, inferred) if experts else 0
    shared = int(_number(row, "shared_experts") or 0) if experts else 0
    return Workload(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=_count(row, "kv_heads", heads, inferred),
        head_dim=max(hidden // heads, 1),
        vocab=vocab,
        seq_len=seq,
        ffn=0 if experts else ffn,
        gated=gated != "no",
        tied=gated == "no",
        experts=experts,
        top_k=_count(row, "top_k", 2, inferred) if experts else 0,
        moe_ffn=moe_ffn,
        shared_ffn=shared * moe_ffn,
        moe_layers=layers if experts else 0,
    )


def _shaped(row: Row) -> Workload | None:
    """The preset with the same width, heads and experts: it knows head width, latent attention."""

    def same(known: Workload) -> bool:
        shape = {"hidden": known.hidden, "heads": known.heads, "kv_heads": known.kv_heads}
        shape |= {"experts": known.experts, "top_k": known.top_k, "moe_ffn": known.moe_ffn}
        if not known.experts:
            shape["ffn"] = known.ffn
        if bool(_number(row, "experts")) != bool(known.experts):
            return False
        return all(_number(row, name) in (None, value) for name, value in shape.items())

    if not row.get("heads"):
        return None
    return next((known for known in presets().values() if same(known)), None)


def _named(name: str) -> Workload | None:
    """The preset whose name the text contains, after spelling is levelled."""

    def level(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", text.lower().replace("3.1", "3"))

    found = [known for known in presets().values() if level(known.name) in level(name)]
    return max(found, key=lambda known: len(known.name), default=None)


def _layout(row: Row, machine: Machine, work: Workload, software: Engine, inferred: list[str]) -> Layout:
    gpus, batch = _count(row, "n_gpus"), _count(row, "global_batch")
    cp = _count(row, "CP", 1)
    tp, pp = _sizes(row, machine, work, gpus, inferred)
    if gpus % (tp * pp * cp):
        raise PlanError(f"{gpus} GPUs do not divide into TP {tp} x PP {pp} x CP {cp}")
    dp = gpus // (tp * pp * cp)
    micro = _count(row, "micro_batch", _micro_batch(work, batch // dp, pp, software), inferred)
    ep = _count(row, "EP", 1) if work.experts else 1
    etp = _count(row, "ETP", 1) if work.experts else 1
    zero = re.search(r"(\d)", row.get("zero_stage", "").replace("FSDP2", ""))
    level = 3 if row.get("zero_stage", "").upper().startswith("FSDP") else software.zero
    if zero and "FSDP64" not in row["zero_stage"] and "FSDP8" not in row["zero_stage"]:
        level = int(zero[1])
    if not row.get("zero_stage"):
        inferred.append("zero_stage")
    parallel = row.get("sequence_parallel", "").lower()
    if not parallel:
        inferred.append("sequence_parallel")
    recompute = row.get("recompute", "").lower()
    if recompute and recompute not in RECOMPUTE:
        raise PlanError(f"recompute is {recompute!r}: use none, selective or full")
    return Layout(
        tp=tp,
        pp=pp,
        vpp=_interleaving(row, work, pp, max(1, batch // (dp * micro)), software, inferred),
        dp=dp,
        cp=cp,
        ep=ep,
        etp=etp,
        micro_batch=min(micro, max(batch // dp, 1)),
        global_batch=batch,
        zero=level,
        sequence_parallel=int(parallel == "yes" or (not parallel and tp > 1 and software.zero > 0)),
        recompute=RECOMPUTE.index(recompute) if recompute else software.recompute,
    )


def _interleaving(
    row: Row, work: Workload, pp: int, count: int, software: Engine, inferred: list[str]
) -> int:
    """Chunks a stage. Blank is none, but for a bubble nobody would run with: under 4 micro-batches a stage.

    Then as many as divide the layers, up to 8, where the engine can.
    """
    if pp == 1 or row.get("VPP"):
        return _count(row, "VPP", 1) if pp > 1 else 1
    if "interleaved" in row.get("notes", "").lower():
        inferred.append("VPP")
        return 2
    if count >= 4 * pp or count % pp or software.attention == "eager" or software.name == "torchtitan":
        return 1
    divides = [v for v in range(2, 9) if work.layers % (pp * v) == 0 or (work.layers + 2) % (pp * v) == 0]
    if divides:
        inferred.append("VPP")
    return max(divides, default=1)


def _micro_batch(work: Workload, share: int, pp: int, software: Engine) -> int:
    """Sequences at a time when the row is silent: one in a pipeline, else up to 16k tokens of the share.

    torchtitan cuts the share into as many micro-batches as it has stages unless set otherwise.
    """
    if pp > 1 and software.name == "torchtitan":
        return max(1, share // pp)
    micro = 1
    while pp == 1 and share % (2 * micro) == 0 and 2 * micro * work.seq_len <= 16384 and micro < 4:
        micro *= 2
    return micro


def _sizes(row: Row, machine: Machine, work: Workload, gpus: int, inferred: list[str]) -> tuple[int, int]:
    """TP and PP; when blank, the least that holds the model's states with sharded optimizer."""
    tp, pp = _number(row, "TP"), _number(row, "PP")
    if tp is not None and pp is not None:
        return _count(row, "TP"), _count(row, "PP")
    inferred.extend(name for name, value in (("TP", tp), ("PP", pp)) if value is None)
    room = machine.gpu.memory_gb * 0.5e9
    need = max(1, work.parameters() * 6 / room)
    if tp is None:
        tp = min(machine.gpu.gpus_per_node, 2 ** max(0, int(need - 1).bit_length()), gpus)
    if pp is None:
        pp = 1.0
        while pp * tp < need and pp * tp * 2 <= gpus:
            pp *= 2
    return int(tp), int(pp)


def _least_recompute(case: Case, layout: Layout, software: Engine) -> Layout:
    """The engine's default, or as much more as memory requires.

    A tuned recipe is believed to get by with less than our count says, by the engine's `memory_slack`.
    """
    on = Cases.of([case])
    for level in range(software.recompute, 3):
        tried = replace(layout, recompute=level)
        if memory_bytes(on, Layouts.of([tried]))[0] <= on.memory[0] * software.memory_slack:
            return tried
    return replace(layout, recompute=2)


def _measured(row: Row, work: Workload) -> float | None:
    """Seconds of a step, from the step time or from tokens/s per GPU."""
    step, rate = _number(row, "step_time_s"), _number(row, "tokens_per_s_per_gpu")
    if step:
        return step
    if rate:
        return float(_count(row, "global_batch")) * work.seq_len / (rate * _count(row, "n_gpus"))
    return None


def understand_all(rows: Sequence[Row]) -> tuple[dict[int, Run], dict[int, dict[str, str]]]:
    """By place in the table: runs of the rows that can be predicted, and `{id, reason}` of the others."""
    runs, refused = {}, {}
    for place, row in enumerate(rows):
        name = row.get("id") or f"row {place + 1}"
        try:
            runs[place] = understand(row)
        except PlanError as err:
            refused[place] = {"id": name, "reason": str(err)}
    return runs, refused


def predict_table(rows: Sequence[Row], fit: Calibration) -> list[dict[str, Any]]:
    """A record for every row, in order: a prediction, or `{id, reason}`."""
    runs, refused = understand_all(rows)
    found = dict(zip(runs, predict(list(runs.values()), fit), strict=True))
    return [found.get(place) or refused[place] for place in range(len(rows))]


def predict(runs: Sequence[Run], fit: Calibration) -> list[dict[str, Any]]:
    """One record a run, ready for JSON: see docs/planner.md for its fields."""
    if not runs:
        return []
    cases, at = [run.case for run in runs], Layouts.of([run.layout for run in runs])
    steps = total(fit.price(cases, at))
    memory = memory_bytes(Cases.of(cases), at) / 1e9
    return [
        _record(run, fit, float(step), float(gb)) for run, step, gb in zip(runs, steps, memory, strict=True)
    ]


def _record(run: Run, fit: Calibration, step: float, memory: float) -> dict[str, Any]:
    work, layout = run.case.workload, run.layout
    rate = layout.global_batch * work.seq_len / step / layout.gpus
    guessed = bool({"TP", "PP"} & set(run.inferred))
    found: dict[str, Any] = {
        "id": run.id,
        "step_time_s": step,
        "tokens_per_s_per_gpu": rate,
        "tflops_per_gpu": rate * work.training_flops_per_token() / 1e12,
        "memory_gb": memory,
        "band": list(band(step, fit.half_width(run.case, guessed))),
        "inferred": run.inferred,
    }
    if run.measured_s:
        found["error"] = step / run.measured_s - 1
    return found
