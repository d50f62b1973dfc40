"""Every table value that a plan depends on, with source, date and mark: the report's last page."""

import csv
from importlib.resources import files

from trinch.planner.ops.tables import Fact, table
from trinch.planner.perf.layout import Plan


def assumptions(plan: Plan, fleet: str, grid: str) -> list[Fact]:
    """Facts in the order of the report: hardware, failures, operations, power, money."""
    gpu = plan.machine.gpu.name
    found = _hardware(gpu)
    found.append(table("fleets")[fleet])
    found += table("operations").values()
    for key, fact in table("power").items():
        if key.startswith(f"{gpu}.") or "." not in key:
            found.append(fact)
    found.append(table("carbon")[grid])
    if plan.machine.site in table("sites_power"):
        found.append(table("sites_power")[plan.machine.site])
    found += [fact for key, fact in table("prices").items() if key.endswith(f".{gpu}")]
    found += table("ownership").values()
    return found


def _hardware(gpu: str) -> list[Fact]:
    text = (files("trinch.planner") / "data" / "gpus.csv").read_text(encoding="utf-8")
    found = []
    for row in csv.DictReader(text.splitlines()):
        if row["gpu"] == gpu:
            value = float(row["value"])
            key = f"{gpu}.{row['quantity']}"
            # Datasheet values were not read again for this table.
            found.append(Fact(key, value, value, value, "", row["source"], row["date"], "recalled"))
    return found
