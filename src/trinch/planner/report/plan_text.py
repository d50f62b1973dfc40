"""A plan in sentences for a terminal: one line a subject, with units."""

from typing import Any

from trinch.planner.perf.layout import Plan
from trinch.planner.perf.layout_search import Search
from trinch.planner.perf.workload import Workload
from trinch.planner.report.report_text import duration, money, tokens

Sections = dict[str, Any]
SHOWN = 5
"""Layouts of the plateau that are printed; JSON has more."""
MUCH_WAITING = 0.02
"""Share of the time lost to missing nodes from which it is reported."""
LEAST_SHARE = 0.01
"""Parts of a step below this share are not listed."""


def plan_text(plan: Plan, found: Search, sections: Sections) -> str:
    """Every line of `trinch plan train`."""
    lines = [
        (
            "",
            f"{plan.workload.name} on {plan.n_gpus:,} of {plan.n_gpus + plan.spare_gpus:,} {plan.machine.gpu.name}",
        ),
        ("model", parameters_line(plan.workload)),
        ("tokens", f"{tokens(plan.tokens)}, {tokens(plan.tokens_per_step)} a step"),
        ("layout", f"{plan.layout.label()}, {plan.layout.global_batch} sequences a step"),
        ("step", _step(plan)),
        ("time", _breakdown(plan)),
        ("run", _stepping(plan)),
        ("memory", f"{plan.memory_total_gb:.0f} of {plan.machine.gpu.memory_gb:.0f} GB"),
        *_comparisons(found),
        *(("note", note) for note in found.notes),
        *summary(sections),
        *_order(sections),
        ("what if", _what_if(sections)),
        ("search", f"{found.scored:,} layouts priced in {found.seconds:.1f} s"),
    ]
    return "\n".join(f"  {name:<10} {text}" if name else text for name, text in lines)


def _step(plan: Plan) -> str:
    low, high = plan.band_s
    return (
        f"{plan.step_time_s:.3g} s ({low:.3g} to {high:.3g} in 80 % of cases), MFU {plan.mfu:.1%}, "
        f"{plan.tokens_per_s_per_gpu:,.0f} tokens/s a GPU, as {plan.engine} runs it"
    )


def _breakdown(plan: Plan) -> str:
    shares = sorted(
        ((value / plan.step_time_s, name) for name, value in plan.breakdown_s.items()), reverse=True
    )
    return ", ".join(
        f"{name.replace('_', ' ')} {share:.0%}" for share, name in shares if share >= LEAST_SHARE
    )


def _stepping(plan: Plan) -> str:
    low, high = (seconds * plan.steps / 86_400 for seconds in plan.band_s)
    return f"{duration(plan.days)} of stepping ({low:,.1f} to {high:,.1f}), failures not counted"


def _comparisons(found: Search) -> list[tuple[str, str]]:
    """The layout that was given against the best, or the best against its neighbours."""
    lines = []
    if found.asked:
        lines.append(("asked", f"against the best, {found.asked_lost}"))
        lines.append(("best", f"{found.best.layout.label()}, MFU {found.best.mfu:.1%}"))
    elif found.fastest.layout != found.best.layout:
        gain = found.best.tokens_per_s_per_gpu * found.best.n_gpus
        share = found.fastest.tokens_per_s_per_gpu * found.fastest.n_gpus / gain - 1
        lines.append(
            (
                "fastest",
                f"{found.fastest.layout.label()} is {share:.1%} faster if the prediction holds; its band is wider",
            )
        )
    lines.append(("runner-up", found.runner_up_lost))
    lines.append(
        (
            "plateau",
            f"{found.plateau_size} shapes are within the band of the fastest, those with published runs first:",
        )
    )
    lines += [
        ("", f"             MFU {plan.mfu:.1%}  {plan.layout.label()}") for plan in found.plateau[:SHOWN]
    ]
    lines += [
        ("published", f"{source}: MFU {published.mfu:.1%}; {why}")
        for published, source, why in found.published
    ]
    return lines


INPUTS = {
    "step_time_s": "step time",
    "failures_per_gpu_day": "failure rate",
    "restart_s": "restart time",
    "detect_hang_s": "time to notice a hang",
    "store_gbps_per_gpu": "checkpoint store",
    "planned_per_day": "planned interruptions",
    "watts_per_gpu": "power of a GPU",
    "pue": "PUE",
    "usd_per_kwh": "electricity price",
    "usd_per_gpu": "price of a GPU",
    "depreciation_years": "years of depreciation",
    "operations_share": "cost of operations",
}
"""The inputs of the tornado, for people."""


def _order(sections: Sections) -> list[tuple[str, str]]:
    """The order in one line, and what having the cluster for four years costs at best."""
    count = {item["what"]: item["count"] for item in sections["order"]}
    switches = sum(
        n for what, n in count.items() if what.endswith("switches") and not what.startswith("spare")
    )
    cables = sum(n for what, n in count.items() if what.startswith("cables"))
    text = (
        f"{count['nodes']:,.0f} nodes, {count['racks']:,.0f} racks, {switches:,.0f} switches, {cables:,.0f} cables, "
        f"{count['power']:,.1f} MW provisioned, {count['storage']:,.0f} TB of storage (all items in --json and the report)"
    )
    ways = sections["ownership"]
    if not ways:
        return [("order", text)]
    rent = next((way for way in ways if way["how"].startswith("rent")), None)
    four = f"{ways[0]['how']}: {money(ways[0]['usd'])}"
    four += f"; {rent['how']}: {money(rent['usd'])}" if rent and rent is not ways[0] else ""
    return [("order", text), ("4 years", four)]


def _what_if(sections: Sections) -> str:
    """The three inputs that move the result most, each over its range."""
    parts = []
    for row in sections["tornado"][:3]:
        ends, write = (row["usd"], money) if any(row["usd"]) else (row["days"], duration)
        parts.append(
            f"{INPUTS[row['input']]} {row['low']:.3g} to {row['high']:.3g}: {write(min(ends))} to {write(max(ends))}"
        )
    return "; ".join(parts)


def parameters_line(work: Workload) -> str:
    """Counts of a model: 15.52 B parameters, 49,152 bytes of cache a token."""
    total, active = work.parameters(), work.active_parameters()
    some = f", {active / 1e9:,.2f} B active" if active < total else ""
    windows = (
        f", {work.window_layers} of {work.layers} layers see {work.window:,} tokens" if work.window else ""
    )
    return f"{total / 1e9:,.2f} B parameters{some}, {work.kv_bytes_per_token():,.0f} bytes of cache a token{windows}"


def summary(sections: Sections) -> list[tuple[str, str]]:
    """(name, sentence) lines: failures, calendar, power, cost."""
    fail, when, power, cost = (sections[name] for name in ("failures", "calendar", "power", "cost"))
    ettr, cuts, days, finish = fail["ettr"], fail["interruptions"], when["days"], when["finish"]
    lines = [
        (
            "failures",
            f"{cuts['p50']:,.0f} interruptions ({cuts['p10']:,.0f} to {cuts['p90']:,.0f}), effective time "
            f"{ettr['p50']:.1%} ({ettr['p10']:.1%} to {ettr['p90']:.1%}), checkpoint "
            f"{fail['checkpoint']['kind']} every {fail['checkpoint']['interval_s']:,.0f} s, "
            f"restart {fail['restart']}",
        ),
        (
            "calendar",
            f"{duration(days['p50'])} ({days['p10']:,.1f} to {days['p90']:,.1f}): {when['start']} to "
            f"{finish['p50']} ({finish['p10']} to {finish['p90']})",
        ),
        (
            "power",
            f"{power['site_mw']:,.1f} MW ({power['site_low_mw']:,.1f} to {power['site_high_mw']:,.1f}), "
            f"{power['energy_mwh']:,.0f} MWh, {power['carbon_tonnes']:,.0f} t CO2",
        ),
    ]
    short = fail["wall_share"]["waiting"] + fail["wall_share"]["shrunk"]
    if short > MUCH_WAITING:
        lines.insert(
            1,
            (
                "spares",
                f"{short:.0%} of the time is lost to missing nodes: the plan leaves {fail['spare_nodes']:,} spare nodes, "
                f"{fail['spare_nodes_needed']:,} would be enough",
            ),
        )
    if when["probability"] is not None:
        late = "" if when["probability"] >= 0.9 else f"; for 90 % start by {when['latest_start']}"
        lines.insert(-1, ("deadline", f"{when['deadline']}: met with {when['probability']:.0%}{late}"))
    if not power["fits"]:
        lines.append(
            ("limit", f"{power['limit_mw']:,.0f} MW holds {power['gpus_within_limit']:,} GPUs at their peak")
        )
    for way in cost["ways"]:
        lines.append(
            ("cost", f"{way['how']}: {money(way['usd'])} ({money(way['low'])} to {money(way['high'])})")
        )
    return lines
