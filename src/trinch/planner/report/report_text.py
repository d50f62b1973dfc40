"""Sentences and formats of the report: numbers with units an operator uses, no number without its range.

Input is a plan and its `sections`; output is plain text.
"""

import math
from typing import Any

from trinch.planner.perf.layout import Plan

Data = dict[str, Any]

WAYS = {
    "sync": "sync, cold",
    "async": "async, cold",
    "memory": "in memory, cold",
    "async hot": "async, hot",
    "memory hot": "in memory, hot",
}
"""Ways to checkpoint and restart, as the report names them."""


def number(value: float, digits: int = 1) -> str:
    """1234.5 -> 1,234.5"""
    return f"{value:,.{digits}f}"


def short(value: float) -> str:
    """At most four significant digits, no exponents for everyday numbers."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e7):
        return f"{value:.3g}"
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def money(usd: float) -> str:
    """Dollars in the largest unit that keeps three digits."""
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if usd >= size:
            return f"${usd / size:,.3g} {name}"
    return f"${usd:,.0f}"


def duration(days: float) -> str:
    """Days, or hours or minutes where days would be a small fraction."""
    if days >= 2:
        return f"{days:,.1f} days"
    return f"{days * 24:,.1f} hours" if days * 24 >= 1 else f"{days * 1440:,.1f} minutes"


def tokens(count: float) -> str:
    """Tokens with T, G or M."""
    for size, name in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if count >= size:
            return f"{count / size:,.4g} {name}"
    return f"{count:,.0f}"


def words(plan: Plan, sections: Data) -> Data:
    """Every sentence and tile of the report by the name the template uses."""
    fail, when, power, cost = (sections[key] for key in ("failures", "calendar", "power", "cost"))
    chip, days, finish = plan.machine.gpu.name, when["days"], when["finish"]
    total = plan.n_gpus + plan.spare_gpus
    headline = (
        f"{plan.workload.name} on {total:,} {chip}: {duration(days['p50'])} for {tokens(plan.tokens)} tokens"
    )
    lead = (
        f"Started on {when['start']}, the run ends on {finish['p50']} "
        f"(80 % between {finish['p10']} and {finish['p90']}). "
        f"It is interrupted about {fail['interruptions']['p50']:,.0f} times and still trains "
        f"{fail['ettr']['p50']:.1%} of the time, at {power['site_mw']:,.0f} MW."
    )
    own = next((way for way in cost["ways"] if way["how"] == "own"), None)
    marks = [fact["mark"] for fact in sections["assumptions"]]
    weak = sum(mark in ("recalled", "second-hand", "assumed") for mark in marks)
    cut = plan.layout
    return {
        "title": headline,
        "headline": headline,
        "lead": lead,
        "tiles": _tiles(plan, sections),
        "layout_line": (
            f"{plan.nodes:,} nodes of {plan.machine.shape} in use, {plan.spare_nodes:,} spare; "
            f"{plan.precision}; {cut.global_batch:,} sequences of {plan.workload.seq_len:,} tokens a step; "
            f"{math.ceil(plan.steps):,} steps."
        ),
        "failures_line": _failures_line(fail),
        "checkpoint_line": _checkpoint_line(fail),
        "calendar_line": _calendar_line(when),
        "power_line": _power_line(power),
        "power_note": _power_note(power, chip),
        "cost_line": _cost_line(cost, own),
        "own_parts": [(name, money(usd)) for name, usd in own["parts"].items()] if own else [],
        "marks_line": (
            f"{len(marks)} table values; {weak} of them are recalled, second-hand or assumed: read those "
            "again before you order. Every one can be replaced by an option or in the tables."
        ),
    }


def _tiles(plan: Plan, sections: Data) -> list[dict[str, str]]:
    fail, when, power, cost = (sections[key] for key in ("failures", "calendar", "power", "cost"))
    days, ettr = when["days"], fail["ettr"]["p50"]
    tiles = [
        (duration(days["p50"]), f"{days['p10']:,.1f} to {days['p90']:,.1f} days (80 %)", ""),
        (f"{plan.step_time_s:.2f} s", f"a step of {tokens(plan.tokens_per_step)} tokens", ""),
        (f"{plan.mfu:.1%}", f"MFU, {plan.tflops_per_gpu:,.0f} TFLOP/s a GPU", ""),
        (f"{ettr:.1%}", "effective training time", tone(ettr)),
    ]
    for way in sorted(cost["ways"], key=lambda way: float(way["usd"]))[:2]:
        tiles.append(
            (money(way["usd"]), "owning, this run's share" if way["how"] == "own" else way["how"], "")
        )
    label = "at the site while training"
    if power["limit_mw"]:
        label = f"{'within' if power['fits'] else 'over'} the limit of {power['limit_mw']:,.0f} MW"
    tiles.append((f"{power['site_mw']:,.0f} MW", label, "" if power["fits"] else "bad"))
    chance = when["probability"]
    if chance is not None:
        tiles.append((f"{chance:.0%}", f"chance of being done by {when['deadline']}", tone(chance)))
    return [{"value": value, "label": label, "tone": colour} for value, label, colour in tiles]


def tone(share: float) -> str:
    """Colour class of a share that should be near one."""
    return "good" if share >= 0.9 else "bad" if share < 0.5 else ""


def _failures_line(fail: Data) -> str:
    cuts, ettr = fail["interruptions"], fail["ettr"]
    short_of = "and shrinks" if fail["elastic"] else "and waits for a repair"
    return (
        f"On {fail['gpus']:,} GPUs one interruption every {duration(fail['mtbf_hours'] / 24)}: "
        f"{cuts['p50']:,.0f} over the run "
        f"({cuts['p10']:,.0f} to {cuts['p90']:,.0f}). Effective training time {ettr['p50']:.1%} "
        f"({ettr['p10']:.1%} to {ettr['p90']:.1%}), planned maintenance included. "
        f"{fail['nodes_swapped']['p50']:,.0f} nodes are swapped. {fail['spare_nodes_needed']:,} spare nodes "
        f"would be enough at any moment with 95 % probability; the plan holds {fail['spare_nodes']:,} "
        f"{short_of} when they run out."
    ) + _gain(fail)


def _gain(fail: Data) -> str:
    """What the best way to checkpoint and restart would add at this size."""
    here = next(row for row in fail["scales"] if row["gpus"] == fail["gpus"])["ettr"]
    chosen = here[fail["way"]]
    best = max(here, key=lambda way: here[way])
    if here[best] - chosen < 0.005:
        return ""
    name = WAYS[best][0].upper() + WAYS[best][1:]
    return f" {name} restart would add {100 * (here[best] - chosen):.1f} points of it."


def _checkpoint_line(fail: Data) -> str:
    saved = fail["checkpoint"]
    kinds = {"sync": "while training waits", "async": "behind training", "memory": "to a peer node's memory"}
    steps = saved["interval_steps"]
    return (
        f"A checkpoint of {saved['bytes'] / 1e12:.2f} TB is written {kinds[saved['kind']]} every {steps:,} "
        f"step{'s' if steps > 1 else ''} ({saved['interval_s']:,.0f} s; the optimum is "
        f"{saved['optimum_s']:,.0f} s, Young's formula says {saved['young_s']:,.0f} s), stalls training "
        f"{saved['stall_s']:.2f} s and can be restored {saved['lag_s']:,.1f} s after it began. "
        f"Restart is {fail['restart']}: {fail['recovery']['restart_s']:,.0f} s."
    )


def _calendar_line(when: Data) -> str:
    ramp = "; ".join(f"{step['gpus']:,} GPUs from {step['on']}" for step in when["ramp"])
    finish = when["finish"]
    text = f"{ramp}. The run ends on {finish['p50']} ({finish['p10']} to {finish['p90']})."
    chance = when["probability"]
    if chance is not None:
        text += f" The deadline {when['deadline']} is met with {chance:.0%} probability"
        if chance < 0.9:
            text += f"; for 90 % the run, ramp included, would have to start by {when['latest_start']}"
        text += "."
    if len(when["ramp"]) > 1:
        text += (
            " Later deliveries slip by an exponential time; a larger cluster goes on at the same rate a GPU."
        )
    return text


def _power_line(power: Data) -> str:
    text = (
        f"{power['gpus']:,} GPUs draw {power['site_mw']:,.1f} MW at the site while training "
        f"({power['site_low_mw']:,.1f} to {power['site_high_mw']:,.1f}), {power['peak_mw']:,.1f} MW at the "
        f"peak; provision {power['provision_mw']:,.1f} MW. When the job stops, {power['swing_mw']:,.1f} MW "
        f"vanish within a second and come back with the next step. The run takes "
        f"{power['energy_mwh']:,.0f} MWh and emits {power['carbon_tonnes']:,.0f} t CO2 "
        f"({power['carbon_low']:,.0f} to {power['carbon_high']:,.0f}; grid {power['grid']})."
    )
    if not power["fits"]:
        text += (
            f" The peak exceeds the limit of {power['limit_mw']:,.0f} MW: "
            f"{power['gpus_within_limit']:,} GPUs would fit under it."
        )
    return text


def _power_note(power: Data, chip: str) -> str:
    draw = power["draw"]
    how = "measured at the wall" if draw["measured"] else "nameplate times the ratio measured on H100 nodes"
    return (
        f"{draw['mean_w']:,.0f} W a {chip} with its share of the node ({how}; nameplate "
        f"{draw['nameplate_w']:,.0f} W), plus network and storage, times a PUE of {power['pue']:g}."
    )


def _cost_line(cost: Data, own: Data | None) -> str:
    text = f"{cost['gpu_hours']:,.0f} GPU-hours, spares included."
    if cost["purchase"]:
        buy = cost["purchase"]
        text += f" Buying it costs {money(buy['usd'])} ({money(buy['low'])} to {money(buy['high'])})."
    if own:
        text += " Owning counts this run's share of:"
    return text if cost["ways"] else text + " No price is known for this GPU: give one in USD per GPU-hour."
