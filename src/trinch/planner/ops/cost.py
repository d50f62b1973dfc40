"""Cost: renting by provider, owning with depreciation, and electricity.

Inputs are GPU-hours and megawatt-hours. Results are in US dollars, low and high as the sources state.
"""

from dataclasses import dataclass

from trinch.planner.ops.tables import Fact, table
from trinch.planner.perf.hardware import PlanError, nearest

YEAR_HOURS = 8766.0


@dataclass(frozen=True, slots=True)
class Money:
    """One way to pay: what it costs for this run, low and high, and where the price is from."""

    how: str
    usd: float
    low: float
    high: float
    parts: dict[str, float]
    fact: Fact


def providers(gpu: str) -> list[str]:
    """Providers with a price for this GPU; `own` means buying it."""
    return [key.split(".")[0] for key in table("prices") if key.endswith(f".{gpu}")]


def price(provider: str, gpu: str) -> Fact:
    """The table's price. PlanError names what there is."""
    facts = table("prices")
    if f"{provider}.{gpu}" not in facts:
        known = sorted({key.split(".")[0] for key in facts})
        if provider not in known:
            raise PlanError(f"no provider {provider!r}: {nearest(provider, known)}")
        have = providers(gpu)
        hint = (
            f"known for it: {', '.join(have)}" if have else "none is known: give --price in USD per GPU-hour"
        )
        raise PlanError(f"no price of {provider} for {gpu}; {hint}")
    return facts[f"{provider}.{gpu}"]


def rent(provider: str, gpu: str, gpu_hours: float, usd_per_gpu_hour: float | None = None) -> Money:
    """Rent for `gpu_hours`, spares included by the caller; `usd_per_gpu_hour` overrides the table."""
    if usd_per_gpu_hour is not None:
        if not 0 < usd_per_gpu_hour < 1e6:
            raise PlanError(f"a price of {usd_per_gpu_hour:g} USD per GPU-hour is not one: give, say, 2.40")
        given = usd_per_gpu_hour
        fact = Fact(f"{provider}.{gpu}", given, given, given, "USD per GPU-hour", "given", "", "verified")
    else:
        fact = price(provider, gpu)
    usd = gpu_hours * fact.value
    return Money(f"rent, {provider}", usd, gpu_hours * fact.low, gpu_hours * fact.high, {"rent": usd}, fact)


def own(gpu: str, n_gpus: int, hours: float, mwh: float, usd_per_kwh: float | None = None) -> Money:
    """This run's share of owning `n_gpus` GPUs: depreciation and operations for `hours`, and `mwh`."""
    facts = table("ownership")
    buy = price("own", gpu)
    years = facts["depreciation_years"]
    operations = facts["operations_share"]
    power = facts["electricity_usd_per_kwh"]
    rates = (usd_per_kwh,) * 3 if usd_per_kwh is not None else (power.value, power.low, power.high)

    def total(capital: float, life: float, share: float, kwh: float) -> dict[str, float]:
        part = n_gpus * capital * hours / YEAR_HOURS
        return {
            "depreciation": part / life,
            "operations": part * share,
            "electricity": mwh * 1e3 * kwh,
        }

    parts = total(buy.value, years.value, operations.value, rates[0])
    low = total(buy.low, years.high, operations.low, rates[1])
    high = total(buy.high, years.low, operations.high, rates[2])
    usd = sum(parts.values())
    return Money("own", usd, sum(low.values()), sum(high.values()), parts, buy)


def purchase(gpu: str, n_gpus: int) -> Money:
    """Buying the cluster outright."""
    buy = price("own", gpu)
    usd = n_gpus * buy.value
    return Money("buy", usd, n_gpus * buy.low, n_gpus * buy.high, {"purchase": usd}, buy)
