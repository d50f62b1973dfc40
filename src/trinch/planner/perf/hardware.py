"""GPUs, nodes and sites: what the hardware can do, from the tables in data/.

Reads `gpus.csv` (one value a line, with source and date) and `sites.csv`. Nominal rates only: efficiencies are
in `kernels.csv`.
"""

import csv
import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from trinch.errors import TrinchError


class PlanError(TrinchError, ValueError):
    """Input that cannot be planned: one sentence that says what is wrong and what would work."""


@dataclass(frozen=True)
class Gpu:
    """One accelerator and the node it sits in. Rates are nominal peaks, dense, one direction."""

    name: str
    bf16_tflops: float
    fp8_tflops: float
    fp4_tflops: float
    memory_gb: float
    hbm_gbs: float
    nvlink_gbs: float
    nvlink_domain: int
    gpus_per_node: int
    nic_gbits: float
    tdp_w: float
    host_link_gbs: float
    """GB/s to host memory, one direction."""
    host_memory_gbs: float
    """GB/s of host memory, this GPU's share of its node's."""

    @property
    def generation(self) -> str:
        """`ampere`, `hopper` or `blackwell`: what kernel efficiencies are tabulated by."""
        if self.fp8_tflops == 0:
            return "ampere"
        return "blackwell" if self.fp4_tflops else "hopper"

    def peak_tflops(self, precision: str) -> float:
        """Peak of the matrix units in TFLOP/s; PlanError if this GPU has no such units."""
        field = {"bf16": "bf16", "fp16": "bf16", "fp8": "fp8", "mxfp8": "fp8", "nvfp4": "fp4"}.get(precision)
        if field is None:
            raise PlanError(f"unknown precision {precision!r}: use bf16, fp16, fp8, mxfp8 or nvfp4")
        peak: float = getattr(self, f"{field}_tflops")
        if not peak:
            raise PlanError(f"{self.name} has no {precision} units: use bf16")
        return peak


@dataclass(frozen=True)
class Machine:
    """GPUs on a network: what a layout is placed on.

    `pod_gpus` GPUs share full bisection; beyond them bandwidth is divided by `oversubscription`.
    """

    gpu: Gpu
    site: str
    shape: str
    max_gpus: int
    fabric: str
    nic_gbits: float
    pod_gpus: int
    oversubscription: float
    source: str


ALIASES = {
    "a100": "A100-80GB",
    "a100-40gb": "A100-40GB",
    "h100": "H100-SXM-80GB",
    "h100-sxm": "H100-SXM-80GB",
    "h100-80gb": "H100-SXM-80GB",
}


def table(name: str) -> list[dict[str, str]]:
    """Rows of data/NAME as written."""
    text = files("trinch.planner").joinpath(f"data/{name}").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def gpus() -> dict[str, Gpu]:
    """Every known GPU by its name."""
    found: dict[str, dict[str, float]] = {}
    for row in table("gpus.csv"):
        found.setdefault(row["gpu"], {})[row["quantity"]] = float(row["value"])
    return {name: _gpu(name, values) for name, values in found.items()}


def _gpu(name: str, values: dict[str, float]) -> Gpu:
    counts = {key: int(values.pop(key)) for key in ("nvlink_domain", "gpus_per_node")}
    return Gpu(name=name, **counts, **values)  # type: ignore[arg-type]  # the table's columns are the fields


def gpu(name: str) -> Gpu:
    """The GPU called `name` (any case, short names such as h100); PlanError names the nearest."""
    key = name.strip().lower()
    known = {k.lower(): k for k in gpus()}
    full = ALIASES.get(key) or known.get(key) or _variant(key)
    if full is None:
        raise PlanError(f"unknown GPU {name!r}: {nearest(key, [*ALIASES, *known])}")
    return gpus()[full]


def _variant(key: str) -> str | None:
    """Longer spellings of the SXM parts, such as H200-SXM-141GB; PCIe and NVL cards are others, not known."""
    match = re.match(r"(?:nvidia[ -])?(a100|h100|h200|h800|b200|b300|gb200|gb300)(?![0-9a-z])", key)
    if match is None or re.search("pcie|nvl", key):
        return None
    if match[1] == "a100" and "40" in key:
        return "A100-40GB"
    return ALIASES.get(match[1], match[1].upper())


@cache
def sites() -> dict[tuple[str, str], Machine]:
    """Every (site, GPU name) the tables know."""
    return {
        (row["site"], row["gpu"]): Machine(
            gpu=gpus()[row["gpu"]],
            site=row["site"],
            shape=row["shape"],
            max_gpus=int(row["max_gpus"]),
            fabric=row["fabric"],
            nic_gbits=float(row["nic_gbits"]),
            pod_gpus=int(row["pod_gpus"]),
            oversubscription=float(row["oversubscription"]),
            source=f"{row['source']}, {row['date']}",
        )
        for row in table("sites.csv")
    }


def machine(gpu_name: str = "h100", site: str | None = None) -> Machine:
    """GPUs of one kind at a site; without a site, the maker's own reference network, of any size.

    PlanError if either is unknown, or the site does not have that GPU.
    """
    chip = gpu(gpu_name)
    if site is None:
        return Machine(
            gpu=chip,
            site="generic",
            shape=f"{chip.gpus_per_node} x {chip.name}",
            max_gpus=1_000_000,
            fabric="infiniband",
            nic_gbits=chip.nic_gbits,
            pod_gpus=1_000_000,
            oversubscription=1.0,
            source="NVIDIA reference node",
        )
    names = sorted({name for name, _ in sites()})
    if site not in names:
        raise PlanError(f"unknown site {site!r}: {nearest(site, names)}")
    found = sites().get((site, chip.name))
    if found is None:
        there = ", ".join(gpu_ for name, gpu_ in sites() if name == site)
        raise PlanError(f"site {site} has no {chip.name} in our tables: it has {there}")
    return found


def with_nic(on: Machine, nic_gbits: float) -> Machine:
    """The same machine with another network rate per GPU, in Gb/s."""
    return replace(on, nic_gbits=nic_gbits)


def at_rate(on: Machine, nic_gbits: float | None) -> Machine:
    """`with_nic` for a rate that switches are made for. Raises PlanError for another."""
    if nic_gbits is None:
        return on
    rates = sorted(float(row["nic_gbits"]) for row in table("switches.csv") if row["fabric"] == on.fabric)
    if nic_gbits not in rates:
        known = ", ".join(f"{rate:g}" for rate in rates)
        raise PlanError(f"--nic-gbits {nic_gbits:g}: there are switches of {known} Gb/s ({on.fabric})")
    return with_nic(on, nic_gbits)


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean X?` when something is close, the list of what is known otherwise."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"
