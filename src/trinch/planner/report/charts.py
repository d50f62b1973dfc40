"""Charts as inline SVG that follow the page's light and dark colours; the same numbers give the same bytes.

Drawing needs matplotlib (the `plan` extra). Colours are CSS variables, so the page sets them; text stays text.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from trinch.planner.perf.hardware import PlanError

# Stand-ins matplotlib can draw with, replaced by the page's variables afterwards.
COLOURS = {
    "#010203": "var(--ink)",
    "#010204": "var(--faint)",
    "#020301": "var(--c1)",
    "#020302": "var(--c2)",
    "#020303": "var(--c3)",
    "#020304": "var(--c4)",
    "#020305": "var(--c5)",
    "#020306": "var(--c6)",
}
INK, FAINT, *SERIES = COLOURS
WIDTH = 7.6


def _figure(height: float) -> tuple[Any, Any]:
    try:
        import matplotlib
    except ImportError:
        raise PlanError("the report's charts need matplotlib: pip install 'trinch[plan]'") from None
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "trinch",
            "font.family": "sans-serif",
            "font.size": 9.5,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": FAINT,
            "xtick.color": INK,
            "ytick.color": INK,
            "grid.color": FAINT,
            "text.parse_math": False,
        }
    )
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    figure.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Any, title: str) -> str:
    """The drawing as an `<svg>` element with a title for those who cannot see it."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    for stand_in, variable in COLOURS.items():
        text = text.replace(stand_in, variable)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    # Identifiers must differ between the charts of one page.
    mark = re.sub(r"[^a-z]", "", title.lower())
    text = re.sub(r'\bid="', f'id="{mark}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\1{mark}-", text)
    text = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    # Inherit the page's font.
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)


def bars(
    title: str,
    values: Mapping[str, float],
    unit: str,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    limit: float | None = None,
    digits: int = 1,
    colour: int = 0,
) -> str:
    """Horizontal bars, the first on top, each with its number; `ranges` draw low to high, `limit` a line."""
    names = list(values)
    figure, axes = _figure(0.7 + 0.3 * len(names))
    sizes = [values[name] for name in names]
    places = range(len(names))[::-1]
    axes.barh(places, sizes, color=SERIES[colour], height=0.62)
    for place, name, size in zip(places, names, sizes, strict=True):
        low, high = (ranges or {}).get(name, (size, size))
        if high > low:
            axes.plot([low, high], [place, place], color=INK, linewidth=1.1, marker="|", markersize=6)
        text = f"{size:,.{digits}f} {unit}" + (
            f"  ({low:,.{digits}f}-{high:,.{digits}f})" if high > low else ""
        )
        axes.annotate(
            text, (max(size, high), place), (6, 0), textcoords="offset points", va="center", fontsize=9
        )
    top = max([*sizes, *(high for _, high in (ranges or {}).values()), limit or 0.0, 1e-12])
    if limit is not None:
        axes.axvline(limit, color=SERIES[3], linewidth=1.6, linestyle="--")
        axes.text(
            limit, len(names) - 0.45, f"limit {limit:,.0f} {unit}", ha="center", va="bottom", fontsize=9
        )
    axes.set_xlim(1.1 * min([0.0, *sizes]), top * 1.32)
    axes.set_yticks(list(places), names)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(unit)
    return _svg(figure, title)


def stacked(title: str, parts: Mapping[str, float], unit: str, limit: float | None = None) -> str:
    """One bar of parts that add up, with a legend; `limit` a line."""
    figure, axes = _figure(1.35)
    left = 0.0
    shown = {name: size for name, size in parts.items() if size > 0}
    for index, (name, size) in enumerate(shown.items()):
        repeat = "/" if index >= len(SERIES) else None
        axes.barh(
            0,
            size,
            left=left,
            color=SERIES[index % len(SERIES)],
            height=0.6,
            hatch=repeat,
            label=f"{name} {size:,.3g}",
        )
        left += size
    if limit is not None:
        axes.axvline(limit, color=INK, linewidth=1.6, linestyle="--")
        axes.text(limit, 0.42, f" {limit:,.4g} {unit} there", fontsize=9, va="bottom", ha="right")
    axes.set_xlim(0, max(left, limit or 0) * 1.02)
    axes.set_ylim(-0.4, 0.75 if limit else 0.4)
    axes.set_yticks([])
    axes.set_xlabel(unit)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return _svg(figure, title)


def lines(
    title: str,
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    mark: tuple[float, str] | None = None,
) -> str:
    """Lines over a logarithmic x; `mark` is a vertical line with its name."""
    figure, axes = _figure(2.7)
    styles = ("-", "--", "-.", ":")
    for index, (name, y) in enumerate(series.items()):
        axes.plot(
            x, y, color=SERIES[index % len(SERIES)], linestyle=styles[index % 4], linewidth=2, label=name
        )
    axes.set_xscale("log")
    axes.set_xticks([1_000, 10_000, 100_000, 200_000], ["1,000", "10,000", "100,000", "200,000"])
    axes.minorticks_off()
    axes.grid(axis="y", linewidth=0.5, alpha=0.6)
    if mark:
        axes.axvline(mark[0], color=INK, linewidth=1, linestyle=":")
        axes.annotate(mark[1], (mark[0], 0.03), (5, 0), textcoords="offset points", fontsize=9)
    axes.set_ylim(0, 1)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    return _svg(figure, title)


def points(title: str, groups: Mapping[str, Sequence[tuple[float, float]]], xlabel: str, ylabel: str) -> str:
    """Scatter of named groups; later groups are drawn over earlier ones."""
    figure, axes = _figure(2.8)
    shapes = ("o", "D", "s", "^")
    for index, (name, dots) in enumerate(groups.items()):
        xs, ys = [dot[0] for dot in dots], [dot[1] for dot in dots]
        axes.scatter(xs, ys, s=38, color=SERIES[index % len(SERIES)], marker=shapes[index % 4], label=name)
    axes.grid(axis="y", linewidth=0.5, alpha=0.6)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.legend(frameon=False, fontsize=9)
    return _svg(figure, title)


def steps(
    title: str,
    ramp: Sequence[tuple[float, float]],
    band: tuple[float, float],
    marks: Mapping[str, float],
    ylabel: str,
) -> str:
    """A staircase of (day, height) with a shaded band of days and named vertical marks (days)."""
    figure, axes = _figure(2.2)
    end = 1.08 * max([*marks.values(), band[1], ramp[-1][0], 0.01])
    days = [day for day, _ in ramp] + [end]
    heights = [height for _, height in ramp] + [ramp[-1][1]]
    axes.step(days, heights, where="post", color=SERIES[0], linewidth=2)
    axes.fill_between(days, heights, step="post", color=SERIES[0], alpha=0.18, linewidth=0)
    axes.axvspan(*band, color=SERIES[2], alpha=0.3, linewidth=0)
    top = max(heights)
    for index, (name, day) in enumerate(marks.items()):
        axes.axvline(day, color=INK, linewidth=1.1, linestyle="--")
        axes.text(day, top * (1.06 + 0.16 * (index % 2)), name, fontsize=9, ha="center", va="bottom")
    axes.set_ylim(0, top * 1.45)
    axes.set_xlim(0, end)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("days from the start")
    axes.set_ylabel(ylabel)
    return _svg(figure, title)
