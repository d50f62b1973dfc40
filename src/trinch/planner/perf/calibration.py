"""The result of a fit: coefficients and the widths of the bands; and how to price with them.

data/calibration.csv is the shipped fit (written by `trinch plan calibrate`). A band is conformal: half its
width, in logarithms, is the 80 % quantile of the errors on rows that the fit had not seen, by kind of model, GPU
generation and engine where eight rows exist, else by wider groups; one for models whose family the fit knew and
another for models it did not.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trinch.planner.perf.hardware import table
from trinch.planner.perf.layout import Array, Layouts
from trinch.planner.perf.model_inputs import Case, Cases
from trinch.planner.perf.step_time import SITE, step_parts
from trinch.planner.perf.workload import Workload

COVERAGE = 0.80
"""Share of outcomes the stated band is to hold."""
FALLBACK_BAND = 0.35
"""Half-width in logarithms where no row of the kind was ever measured."""
UNKNOWN_ENGINE = 0.12
"""80 % of the engines' own factors lie within this of one another."""
GUESSED_LAYOUT = 0.25
"""What not knowing the tensor and pipeline sizes adds: our judgement."""


@dataclass(frozen=True)
class Calibration:
    """A fitted model: coefficients by name, log half-widths by group, families it was fitted on."""

    coefficients: dict[str, float]
    bands: dict[str, float]
    families: frozenset[str]

    def price(self, cases: Sequence[Case], at: Layouts) -> dict[str, Array]:
        """Seconds of one step by cause for every (case, layout) pair, or for one case in many layouts."""
        return step_parts(Cases.of(cases), at, self.coefficients)

    def half_width(self, case: Case, guessed: bool = False) -> float:
        """Log half-width of the 80 % band of a case; wider for an engine that was not measured on such GPUs, a
        site other than those it was measured at, or a guessed layout."""
        seen = "seen" if family(case.workload) in self.families else "new"
        groups = band_groups(case)
        names = [f"{group}:{seen}" for group in groups] + [f"{group}:new" for group in groups]
        width = next((self.bands[name] for name in names if name in self.bands), FALLBACK_BAND)
        unknown = 0.0 if f"{groups[0]}:{seen}" in self.bands else UNKNOWN_ENGINE
        site = self.bands.get(SITE, 0.0) if case.elsewhere else 0.0
        return math.hypot(width, unknown, site, GUESSED_LAYOUT if guessed else 0.0)


def family(work: Workload) -> str:
    """Models with the same width, heads and experts are one family, whatever their depth or engine."""
    experts = f"e{work.experts}" if work.experts else ""
    return f"{work.hidden}x{work.heads}/{work.kv_heads}{experts}"


def band_groups(case: Case) -> list[str]:
    """The groups whose errors a band may come from, the nearest first: kind, GPU generation and engine; kind and
    generation; kind (dense or moe)."""
    kind = "moe" if case.workload.experts else "dense"
    near = f"{kind}:{case.machine.gpu.generation}"
    return [f"{near}:{case.engine.name}", near, kind]


@cache
def shipped() -> Calibration:
    """The fit in the package."""
    return _from_rows(table("calibration.csv"))


def load(path: Path) -> Calibration:
    """A fit from a file that `save` wrote."""
    with path.open(encoding="utf-8", newline="") as lines:
        return _from_rows(list(csv.DictReader(lines)))


def save(fit: Calibration, path: Path) -> None:
    """Write a fit as a table of kind, name, value."""
    rows = [("coefficient", name, f"{value:.6g}") for name, value in fit.coefficients.items()]
    rows += [("band", name, f"{value:.4f}") for name, value in sorted(fit.bands.items())]
    rows += [("family", name, "1") for name in sorted(fit.families)]
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(("kind", "name", "value"))
        writer.writerows(rows)


def _from_rows(rows: Sequence[dict[str, str]]) -> Calibration:
    def of(kind: str) -> dict[str, float]:
        return {row["name"]: float(row["value"]) for row in rows if row["kind"] == kind}

    return Calibration(of("coefficient"), of("band"), frozenset(of("family")))


def band(step_s: float, half_width: float) -> tuple[float, float]:
    """The step times that hold 80 % of outcomes."""
    return step_s * math.exp(-half_width), step_s * math.exp(half_width)
