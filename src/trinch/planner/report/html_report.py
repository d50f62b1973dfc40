"""The report: one self-contained HTML file, light, dark or printed, results first.

Chooses charts and tables; sentences come from `report_text`, numbers from the plan and its `sections`,
drawings from `charts`. Everything is escaped by Jinja2 (in the `plan` extra) except the drawings, whose
labels matplotlib escapes.
"""

from dataclasses import replace
from datetime import date
from importlib.resources import files

from trinch import __version__
from trinch.planner.ops import reliability as rel
from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import Plan
from trinch.planner.report import charts
from trinch.planner.report.plan_text import INPUTS
from trinch.planner.report.report_text import WAYS, Data, duration, money, number, short, tone, words

CONTENTS = (
    ("layout", "Layout"),
    ("memory", "Memory"),
    ("failures", "Failures"),
    ("calendar", "Calendar"),
    ("power", "Power"),
    ("cost", "Cost"),
    ("whatif", "What if"),
    ("order", "Order and launch"),
    ("assumptions", "Assumptions"),
)
PARTS = {
    "productive": "training",
    "stall": "writing checkpoints",
    "lost": "work done twice",
    "down": "detecting and restarting",
    "waiting": "waiting for a spare",
    "shrunk": "running smaller",
}


def render(plan: Plan, sections: Data, search: Data) -> str:
    """The whole report as HTML. PlanError where Jinja2 or matplotlib is not installed."""
    try:
        from jinja2 import Environment
        from markupsafe import Markup
    except ImportError:
        raise PlanError("the report needs Jinja2 and matplotlib: pip install 'trinch[plan]'") from None
    text = (files("trinch.planner") / "templates" / "report.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True)
    environment.filters.update(num=number, short=short)
    drawn = {name: Markup(svg) for name, svg in _charts(plan, sections, search).items()}
    values = words(plan, sections) | {
        "plan": plan.as_dict(),
        "charts": drawn,
        "contents": CONTENTS,
        "failures": sections["failures"],
        "order": sections["order"],
        "what_if": [_what_if(row) for row in sections["tornado"]],
        "ownership": [_ownership(row) for row in sections["ownership"]],
        "assumptions": sections["assumptions"],
        "pareto": _pareto(search),
        "ways": list(WAYS.values()),
        "scales": _scales(sections["failures"]),
        "capacity_gb": plan.machine.gpu.memory_gb,
        "has_terraform": plan.machine.shape.startswith("BM.GPU"),
        "version": __version__,
        "seed": sections["options"]["seed"],
        "trials": sections["options"]["trials"],
    }
    return environment.from_string(text).render(values)


def _scales(fail: Data) -> list[Data]:
    found = []
    for row in fail["scales"]:
        shares = [(f"{row['ettr'][way]:.1%}", tone(row["ettr"][way])) for way in WAYS]
        found.append({"gpus": row["gpus"], "every": duration(row["mtbf_minutes"] / 1440), "shares": shares})
    return found


def _what_if(row: Data) -> Data:
    """A row of the tornado for people."""
    cost = f"{money(min(row['usd']))} to {money(max(row['usd']))}" if any(row["usd"]) else "-"
    days = f"{min(row['days']):,.1f} to {max(row['days']):,.1f}"
    ends = {name: short(row[name]) for name in ("low", "base", "high")}
    return {"name": INPUTS[row["input"]], "days": days, "cost": cost, **ends}


def _ownership(row: Data) -> Data:
    """A way to pay for people."""
    return {
        "how": row["how"],
        "usd": money(row["usd"]),
        "range": f"{money(row['low'])} to {money(row['high'])}",
        "hourly": f"${row['usd_per_gpu_hour']:.2f}",
    }


def _charts(plan: Plan, sections: Data, search: Data) -> dict[str, str]:
    fail, when, power, cost = (sections[key] for key in ("failures", "calendar", "power", "cost"))
    causes = sorted(fail["by_cause"].items(), key=lambda item: -item[1])
    shown = dict(causes[:9])
    if causes[9:]:
        shown[f"{len(causes) - 9} other causes"] = sum(count for _, count in causes[9:])
    wall = {PARTS[part]: 100 * share for part, share in fail["wall_share"].items()}
    ways = {way["how"]: way["usd"] / 1e6 for way in cost["ways"]}
    limits = {way["how"]: (way["low"] / 1e6, way["high"] / 1e6) for way in cost["ways"]}
    megawatts = {
        "idle": power["idle_mw"],
        "training, mean": power["site_mw"],
        "training, peak": power["peak_mw"],
        "to provision": power["provision_mw"],
    }
    band = {"training, mean": (power["site_low_mw"], power["site_high_mw"])}
    parts = sorted(plan.breakdown_s.items(), key=lambda item: -item[1])
    fall = {name.replace("_", " "): size for name, size in parts if size}
    kinds = {name.replace("_", " "): size for name, size in plan.memory_gb.items()}
    digits = 3 if plan.step_time_s < 20 else 2
    memory = plan.machine.gpu.memory_gb
    drawn = {
        "breakdown": charts.bars("Step time by part", fall, "s", digits=digits),
        "memory": charts.stacked("Memory by kind", kinds, "GB", memory),
        "wall": charts.stacked("Share of wall time, percent", wall, "%"),
        "causes": charts.bars("Interruptions by cause", shown, "", colour=3),
        "scale": _scale_chart(plan, fail),
        "power": charts.bars("Site power", megawatts, "MW", band, power["limit_mw"], colour=1),
        "calendar": _calendar_chart(when),
    }
    if ways:
        drawn["cost"] = charts.bars("Cost of this run", ways, "M USD", limits, colour=2)
    dots = _dots(search)
    if dots:
        drawn["pareto"] = charts.points(
            "Layouts not beaten on every count", dots, "step time, s", "memory, GB"
        )
    return drawn


def _scale_chart(plan: Plan, fail: Data) -> str:
    fleet = replace(rel.fleet(fail["fleet"]), per_gpu_day=24 / (fail["mtbf_hours"] * fail["gpus"]))
    counts = [1_000 * 200 ** (i / 40) for i in range(41)]
    size = fail["checkpoint"]["bytes"]
    series: dict[str, list[float]] = {}
    for name, (kind, hot) in {
        "async": ("async", False),
        "memory": ("memory", False),
        "async hot": ("async", True),
        "memory hot": ("memory", True),
    }.items():
        down = rel.recovery(hot).down_s(fleet)
        ys = []
        for count in counts:
            mtbf = fleet.mtbf_s(int(count))
            saved = rel.checkpoint(kind, size, int(count), mtbf, min(plan.step_time_s, 10.0))
            ys.append(rel.expected_ettr(saved.interval_s, saved.stall_s, saved.lag_s, down, mtbf))
        series[WAYS[name]] = ys
    mark = (float(plan.n_gpus), "this plan")
    return charts.lines(
        "Effective training time against GPUs", counts, series, "GPUs", "effective share", mark
    )


def _calendar_chart(when: Data) -> str:
    start = date.fromisoformat(when["start"])
    ramp = [
        (float((date.fromisoformat(step["on"]) - start).days), float(step["gpus"])) for step in when["ramp"]
    ]
    days = when["days"]
    marks = {"done (median)": days["p50"]}
    if when["deadline"] and when["deadline"] >= when["start"]:
        marks["deadline"] = float((date.fromisoformat(when["deadline"]) - start).days + 1)
    band = (days["p10"], days["p90"])
    return charts.steps("GPUs over time and the end of the run", ramp, band, marks, "GPUs")


def _dots(search: Data) -> dict[str, list[tuple[float, float]]]:
    rows = [row for row in search.get("pareto", []) if "step_time_s" in row and "memory_gb" in row]
    best = search.get("best") or {}
    groups = {"not beaten": [(float(row["step_time_s"]), float(row["memory_gb"])) for row in rows]}
    if "step_time_s" in best and "memory_gb" in best:
        groups["chosen"] = [(float(best["step_time_s"]), float(best["memory_gb"]))]
    return groups if rows else {}


COLUMNS = {
    "label": "layout",
    "n_gpus": "GPUs",
    "step_time_s": "step, s",
    "mfu": "MFU",
    "memory_gb": "memory, GB",
    "days": "days undisturbed",
}


def _pareto(search: Data) -> Data:
    rows = search.get("pareto", [])[:12]
    names = [name for name in COLUMNS if rows and name in rows[0]]
    table = [[_cell(name, row[name]) for name in names] for row in rows]
    scored = search.get("layouts_scored")
    line = f"{scored:,} layouts that fit were scored in {search.get('seconds', 0):.1f} s. " if scored else ""
    kinds = {"best": "fastest", "cheapest": "cheapest", "robust": "robust (spares and memory to spare)"}
    chosen = [(kind, search[key]) for key, kind in kinds.items() if search.get(key)]
    best_by = [[kind, *(_cell(name, row[name]) for name in names if name in row)] for kind, row in chosen]
    notes = [f"Why the runner-up lost: {why}." for why in search.get("why", [])]
    notes += [f"Published layout ({row['source']}): {row['reason']}." for row in search.get("published", [])]
    return {
        "rows": table,
        "columns": [COLUMNS[name] for name in names],
        "line": line + "No layout below is beaten on speed, cost and memory at once by another.",
        "best_by": best_by,
        "notes": notes,
    }


def _cell(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.1%}" if name == "mfu" else f"{value:,.0f}" if name == "n_gpus" else short(value)
