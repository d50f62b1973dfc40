"""How far a layout lies beyond what published runs have used: such layouts get a wider band.

data/proven.csv holds the largest value of each axis that somebody published a measured run of.
"""

from functools import cache

import numpy as np

from trinch.planner.perf.hardware import table
from trinch.planner.perf.layout import SCHEDULES, Array, Layouts

UNPROVEN = 0.10
"""What each axis beyond published runs adds to the log half-width of a band, in quadrature: our judgement."""


@cache
def _most(kind: str) -> dict[str, float]:
    return {row["axis"]: float(row["most"]) for row in table("proven.csv") if row["kind"] == kind}


def _axes(at: Layouts, experts: bool, domain: int) -> dict[str, Array]:
    """The quantities that data/proven.csv bounds, each of shape (n,)."""
    axes = {"vpp": at.vpp, "pp": at.pp, "cp": at.cp, "tp_cp": at.tp * at.cp}
    axes["schedule"] = np.where(at.schedule > 0, 2.0, 1.0)
    axes["offload"] = np.where(at.offload > 0, 2.0, 1.0)
    if experts:  # DeepSeek-V3 ran DualPipe
        axes["schedule"] = np.where(at.schedule == SCHEDULES.index("dualpipe"), 1.0, axes["schedule"])
    if not experts:
        return axes | {"zero_pp": np.where((at.zero >= 2) & (at.pp > 1), 2.0, 1.0)}
    far = (at.etp > 1) & (at.ep * at.etp > domain)
    return axes | {"ep": at.ep, "etp": at.etp, "far_etp": np.where(far, 2.0, 1.0), "zero": at.zero}


def unproven(at: Layouts, experts: bool, domain: int) -> Array:
    """How many axes of each layout lie beyond published runs, shape (n,)."""
    most = _most("moe" if experts else "dense")
    beyond = [value > most[axis] for axis, value in _axes(at, experts, domain).items()]
    return np.asarray(np.sum(beyond, axis=0), float)


def unproven_axes(at: Layouts, experts: bool, domain: int) -> list[str]:
    """What a single layout has that no published run had, for people."""
    most = _most("moe" if experts else "dense")
    words = {
        "zero_pp": "ZeRO-2 or 3 inside a pipeline",
        "far_etp": "experts cut across NVLink domains",
        "tp_cp": "tensor x context parallelism of {:g}",
        "zero": "ZeRO-{:g} with experts",
        "schedule": "this order of the pipeline",
        "offload": "offloading",
    }
    return [
        words.get(axis, axis.upper() + " {:g}").format(float(value[0]))
        for axis, value in _axes(at, experts, domain).items()
        if value[0] > most[axis]
    ]
