"""Power, energy and carbon of a site, from measured node power rather than nameplate.

Inputs are a number of GPUs, hours, and the share of hours spent training.
"""

from dataclasses import dataclass

from trinch.planner.ops.tables import Fact, table
from trinch.planner.perf.hardware import PlanError, nearest


@dataclass(frozen=True, slots=True)
class Draw:
    """Watts of one GPU with its share of the node; mean, low and high are while training."""

    mean_w: float
    low_w: float
    high_w: float
    peak_w: float
    idle_w: float
    nameplate_w: float
    measured: bool


def draw(gpu: str) -> Draw:
    """What one GPU of this kind draws at the wall, its node included. Measured for H100; for others
    nameplate x the ratio measured there, and `measured` is False. PlanError for an unknown GPU."""
    facts = table("power")
    if f"{gpu}.nameplate_w" not in facts:
        known = [key.removesuffix(".nameplate_w") for key in facts if key.endswith(".nameplate_w")]
        raise PlanError(f"no power figure for {gpu}: {nearest(gpu, known)}")
    name = facts[f"{gpu}.nameplate_w"].value
    ratio, peak, idle = (facts[k] for k in ("mean_over_nameplate", "peak_over_mean", "idle_over_nameplate"))
    mean = facts.get(f"{gpu}.mean_w")
    if mean is not None:
        top = facts[f"{gpu}.peak_w"].value
        return Draw(mean.value, mean.low, mean.high, top, name * idle.value, name, True)
    guess = name * ratio.value
    return Draw(
        guess, name * ratio.low, name * ratio.high, guess * peak.value, name * idle.value, name, False
    )


@dataclass(frozen=True, slots=True)
class SitePower:
    """A site of `n_gpus` GPUs, megawatts. `swing_mw` is what the nodes shed
    within a second when the job stops."""

    it_mw: float
    site_mw: float
    site_low_mw: float
    site_high_mw: float
    peak_mw: float
    provision_mw: float
    idle_mw: float
    swing_mw: float
    limit_mw: float | None
    fits: bool
    gpus_within_limit: int | None


def site_power(
    gpu: str, n_gpus: int, pue: float | None = None, limit_mw: float | None = None, site: str = ""
) -> SitePower:
    """Power of the whole site while training. Against a limit, the peak counts (not the mean).

    The limit is `limit_mw`, or that of a known site, or none. PlanError for a PUE below 1."""
    facts = table("power")
    band = facts["pue"]
    if pue is not None:
        if pue < 1:
            raise PlanError(f"PUE {pue:g} is below 1: it is site power over IT power, for example 1.2")
        band = Fact("pue", pue, pue, pue, "ratio", "given", "", "verified")
    if limit_mw is not None and limit_mw <= 0:
        raise PlanError(f"a limit of {limit_mw:g} MW powers nothing: give megawatts, for example 150")
    one, extra = draw(gpu), facts["network_storage_share"]

    def mw(watts: float, share: float, factor: float) -> float:
        return watts * n_gpus * (1 + share) * factor / 1e6

    peak = mw(one.peak_w, extra.value, band.value)
    if limit_mw is None and site in table("sites_power"):
        limit_mw = table("sites_power")[site].value
    within = None if limit_mw is None else int(n_gpus * limit_mw / peak)
    return SitePower(
        it_mw=mw(one.mean_w, extra.value, 1),
        site_mw=mw(one.mean_w, extra.value, band.value),
        site_low_mw=mw(one.low_w, extra.low, band.low),
        site_high_mw=mw(one.high_w, extra.high, band.high),
        peak_mw=peak,
        provision_mw=mw(one.nameplate_w * facts["provision_over_nameplate"].value, extra.value, band.value),
        idle_mw=mw(one.idle_w, extra.value, band.value),
        swing_mw=(one.mean_w - one.idle_w) * n_gpus / 1e6,
        limit_mw=limit_mw,
        fits=limit_mw is None or peak <= limit_mw,
        gpus_within_limit=within,
    )


def energy_mwh(site: SitePower, hours: float, busy_share: float) -> float:
    """Energy of `hours` at the site: `busy_share` of them at training power, the rest idle."""
    return hours * (busy_share * site.site_mw + (1 - busy_share) * site.idle_mw)


def carbon(grid: str) -> Fact:
    """kg CO2 per kWh of a grid. PlanError names the known ones."""
    grids = table("carbon")
    if grid not in grids:
        raise PlanError(f"no carbon figure for grid {grid!r}: {nearest(grid, grids)}")
    return grids[grid]
