"""Total cost of ownership: the cluster for several years, by provider and commitment, or owned, by region."""

from typing import Any

from trinch.planner.ops import cost
from trinch.planner.ops.power import SitePower, energy_mwh
from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import PlanError

YEARS = 4.0
"""Years that are compared: the life that GPU clouds give their servers."""


def ways_to_pay(
    gpu: str, gpus: int, site: SitePower, busy: float, years: float = YEARS
) -> list[dict[str, Any]]:
    """Every way to have `gpus` GPUs for `years` years, cheapest first: total, low, high, and USD per GPU-hour.

    `busy` is the share of hours at training power. Rent of a provider is taken at each commitment, owning at each
    region's electricity. Empty where no price is known. PlanError for years that are none."""
    if years <= 0:
        raise PlanError(f"{years:g} years: give a number above zero")
    hours = years * cost.YEAR_HOURS
    mwh = energy_mwh(site, hours, busy)
    rows = []
    for provider in cost.providers(gpu):
        if provider == "own":
            for region, tariff in table("tariffs").items():
                paid = cost.own(gpu, gpus, hours, mwh, tariff.value)
                ends = (usd / (gpus * hours) for usd in (paid.usd, paid.low, paid.high))
                rows.append(_row(f"own, {region}", gpus * hours, *ends))
        else:
            rows += _rents(provider, gpu, gpus * hours)
    return sorted(rows, key=lambda row: float(row["usd"]))


def _rents(provider: str, gpu: str, gpu_hours: float) -> list[dict[str, Any]]:
    """A provider's list price at each commitment, or its contract price."""
    price = cost.price(provider, gpu)
    if provider != "oci":
        return [_row(f"rent, {provider}, contract", gpu_hours, price.value, price.low, price.high)]
    return [
        _row(
            f"rent, {provider}, {name}",
            gpu_hours,
            *(price.value * part for part in (step.value, step.low, step.high)),
        )
        for name, step in table("commitments").items()
    ]


def _row(how: str, gpu_hours: float, value: float, low: float, high: float) -> dict[str, Any]:
    """One way to pay from USD per GPU-hour."""
    return {
        "how": how,
        "usd": value * gpu_hours,
        "low": low * gpu_hours,
        "high": high * gpu_hours,
        "usd_per_gpu_hour": value,
    }
