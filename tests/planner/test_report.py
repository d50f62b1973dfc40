"""From a plan to its output folder: sections, report, and the same bytes from the same seed."""

import json
import sys
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from cluster_plans import grok

from trinch.cli.plan import plan as verbs
from trinch.cli.plan_options import run_options
from trinch.planner.launch import trainer_settings
from trinch.planner.launch.saving import Saving
from trinch.planner.ops.recovery import Options
from trinch.planner.perf.hardware import PlanError, machine
from trinch.planner.perf.layout import Layout, Plan
from trinch.planner.pipeline import Sections, complete, write_out
from trinch.planner.report.html_report import render
from trinch.planner.report.plan_text import summary
from trinch.planner.report.report_text import duration, money, short
from trinch.planner.training_plan import run_options as read_options

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("yaml")

START = date(2025, 6, 1)
FIXED = Options(start=START, by=date(2025, 8, 31), trials=100)
SEARCH = {"layouts_scored": 81_234, "seconds": 2.5, "why": ["TP4 takes +3 % a token"]}
VOID = {"meta", "link", "br", "img", "input", "hr", "path", "use", "rect"}


@pytest.fixture(scope="module")
def sections() -> Sections:
    return complete(grok(), FIXED)


@pytest.fixture(scope="module")
def html(sections: Sections) -> str:
    best = grok().as_dict()
    found = SEARCH | {"best": best, "pareto": [best, best | {"label": "TP4 PP16", "memory_gb": 50.0}]}
    return render(grok(), sections, found)


class Page(HTMLParser):
    """Tags in balance, the resources a page requests, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.asked: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.scripts += tag == "script"
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "action"):
                self.asked.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        before = list(self.open)
        self.handle_starttag(tag, attrs)
        self.open = before

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


def test_the_page_stands_alone(html: str) -> None:
    page = read(html)
    assert page.open == []
    assert page.scripts == 0
    assert all(link.startswith("#") for link in page.asked)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.asked} <= set(page.ids)
    assert "url(http" not in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert len(html) < 600_000


def test_the_answer_comes_first_and_everything_is_there(html: str, sections: Sections) -> None:
    text = read(html).text
    days = duration(sections["calendar"]["days"]["p50"])
    assert text.index(days) < text.index("The layout and its step")
    headings = [
        "Memory of",
        "Failures",
        "Calendar",
        "Power and",
        "Cost of",
        "What to order",
        "Assumptions and",
    ]
    after = text.index("The layout and its step")
    places = [text.index(heading, after) for heading in headings]
    assert places == sorted(places)
    for part in (
        "faulty GPU",
        "81,234 layouts",
        "TP4 takes +3 % a token",
        "16,384",
        "100,000",
        "arXiv 2407.21783",
    ):
        assert part in text
    assert html.count("<svg") == 9
    for fact in sections["assumptions"]:
        assert fact["key"] in text


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_out(grok(), complete(grok(), FIXED), tmp_path / name, SEARCH)
    one, two = (
        sorted(path for path in (tmp_path / name).rglob("*") if path.is_file()) for name in ("one", "two")
    )
    assert [path.name for path in one] == [path.name for path in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_names_cannot_inject_markup(sections: Sections) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x>"
    shape = replace(grok().workload, name=evil)
    made = replace(grok(), workload=shape, breakdown_s={evil: 12.0}, memory_gb={evil: 60.0})
    pareto = [made.as_dict() | {"label": evil}]
    page = read(render(made, sections, {"pareto": pareto, "why": [evil], "layouts_scored": 1}))
    assert page.scripts == 0
    assert all(link.startswith("#") for link in page.asked)
    assert evil in page.text


def test_what_is_written_and_what_json_holds(tmp_path: Path, sections: Sections) -> None:
    written = write_out(grok(), sections, tmp_path, SEARCH)
    names = {str(path.relative_to(tmp_path)) for path in written}
    kinds = (
        "megatron.sbatch",
        "launch-megatron.sh",
        "torchtitan.sbatch",
        "launch-torchtitan.sh",
        "megatron.args",
    )
    more = ("torchtitan.args", "jobset.yaml", "trainjob.yaml", "raycluster.yaml", "main.tf")
    more += (
        "grok_titan.py",
        *(f"trinch/{name}" for name in trainer_settings.files(grok(), Saving("async", 25), 1, 1)),
    )
    assert names == {"plan.json", "report.html", *(f"manifests/{name}" for name in (*kinds, *more))}
    data = json.loads((tmp_path / "plan.json").read_text())
    assert data["plan"]["n_gpus"] == grok().n_gpus
    assert data["search"]["layouts_scored"] == 81_234
    assert {"failures", "calendar", "power", "cost", "order", "assumptions", "options"} <= set(data)
    steps = data["failures"]["checkpoint"]["interval_steps"]
    assert f"--save-interval {steps}" in (tmp_path / "manifests/megatron.args").read_text().splitlines()


def test_the_sections_agree_with_each_other(sections: Sections) -> None:
    fail, when, power, cost = (sections[name] for name in ("failures", "calendar", "power", "cost"))
    assert sum(fail["wall_share"].values()) == pytest.approx(1.0)
    total = grok().n_gpus + grok().spare_gpus
    assert power["gpus"] == total
    assert when["gpu_hours"] == pytest.approx(total * 24 * when["days"]["p50"], rel=0.1)
    assert when["days"]["p10"] < when["days"]["p50"] < when["days"]["p90"]
    assert grok().days / when["days"]["p50"] == pytest.approx(fail["ettr"]["p50"], rel=0.03)
    rent = next(way for way in cost["ways"] if way["how"] == "rent, oci")
    assert rent["usd"] == pytest.approx(10 * cost["gpu_hours"])
    assert {row["gpus"] for row in fail["scales"]} == {16_384, grok().n_gpus, 100_000}
    assert 0 <= when["probability"] <= 1


def test_a_hundred_thousand_gpus_choose_memory_checkpoints_and_count_no_hot_restarts() -> None:
    cut = Layout(tp=8, pp=8, vpp=4, dp=1560, ep=4, etp=1, global_batch=12_480, zero=1, recompute=1)
    big = replace(grok(), layout=cut, n_gpus=cut.gpus, spare_gpus=160, machine=machine("h100", "colossus"))
    fail = complete(big, Options(start=START, trials=60))["failures"]
    assert (fail["way"], fail["restart"]) == ("memory", "cold")
    assert 0.6 < fail["ettr"]["p50"] < 0.75
    row = next(row for row in fail["scales"] if row["gpus"] == 100_000)
    assert row["ettr"]["async"] < row["ettr"]["memory"] < 0.75 < row["ettr"]["memory hot"]


def test_a_very_long_run_counts_all_its_interruptions() -> None:
    long = replace(grok(), tokens=3e15)  # 12,000 days of 16,128 GPUs
    fail = complete(long, Options(start=START, trials=20))["failures"]
    days = grok().days * 300
    ettr = fail["ettr"]["p50"]
    assert fail["interruptions"]["p50"] == pytest.approx(days / ettr * 24 / fail["mtbf_hours"], rel=0.3)
    assert sum(fail["by_cause"].values()) > 4_000


def test_a_ramp_finishes_sooner_and_a_larger_site_draws_more() -> None:
    slow = complete(grok(), Options(start=START, trials=60))
    ramp = complete(grok(), Options(start=START, trials=60, ramp="16192@now;80k@2025-06-20"))
    assert ramp["calendar"]["days"]["p50"] < slow["calendar"]["days"]["p50"]
    assert ramp["power"]["site_mw"] > 4 * slow["power"]["site_mw"]


def test_options_change_what_they_name() -> None:
    base = complete(grok(), Options(start=START, trials=60))
    green = complete(
        grok(), Options(start=START, trials=60, grid="norway", pue=1.1, limit_mw=1.0, checkpoint="sync")
    )
    assert green["power"]["carbon_tonnes"] < base["power"]["carbon_tonnes"] / 5
    assert not green["power"]["fits"]
    assert green["failures"]["checkpoint"]["kind"] == "sync"
    paid = complete(grok(), Options(start=START, trials=60, usd_per_gpu_hour=1.5, provider="given"))
    assert paid["cost"]["ways"][0]["usd"] == pytest.approx(1.5 * paid["cost"]["gpu_hours"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(fleet="llama"), "did you mean"),
        (Options(grid="mars"), "no carbon figure"),
        (Options(provider="azure"), "no provider"),
        (Options(ramp="8@now"), "hold no replica"),
        (Options(checkpoint="sync", hot=True), "no such way"),
        (Options(pue=0.5), "below 1"),
    ],
)
def test_bad_options_are_one_sentence(options: Options, message: str) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        complete(grok(), options)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written(tmp_path: Path, sections: Sections) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanError, match="cannot write"):
        write_out(grok(), sections, tmp_path / "file")


def test_the_options_of_the_verb(sections: Sections) -> None:
    seen: dict[str, Options] = {}

    @click.command()
    @run_options
    def verb(out: Path | None, **given: object) -> None:
        seen["options"] = read_options(given)

    args = [
        "--by",
        "2025-12-31",
        "--start",
        "2025-06-01",
        "--ramp",
        "20k@now",
        "--hot",
        "--limit-mw",
        "150",
        "--seed",
        "3",
    ]
    assert CliRunner().invoke(verb, args).exit_code == 0
    expected = Options(start=START, by=date(2025, 12, 31), ramp="20k@now", hot=True, limit_mw=150.0, seed=3)
    assert seen["options"] == expected
    assert "2025-06-01 to 2025" in dict(summary(sections))["calendar"]


def test_numbers_are_written_as_people_read_them() -> None:
    assert [money(usd) for usd in (3.2e9, 45.6e6, 1200, 15)] == ["$3.2 G", "$45.6 M", "$1.2 k", "$15"]
    assert [duration(days) for days in (43.06, 0.5, 0.01)] == ["43.1 days", "12.0 hours", "14.4 minutes"]
    assert [short(value) for value in (0, 0.1234567, 12345.6, 1.6e-5)] == ["0", "0.1235", "12,346", "1.6e-05"]


def test_a_plan_of_one_gpu_still_reports() -> None:
    small = replace(
        grok(),
        layout=Layout(global_batch=8),
        workload=replace(grok().workload, name="tiny"),
        n_gpus=1,
        spare_gpus=0,
        tokens=1e9,
        step_time_s=0.5,
        band_s=(0.5, 0.5),
    )
    assert isinstance(small, Plan)
    assert "tiny on 1 H100" in render(small, complete(small, Options(start=START, trials=20)), {})


def test_the_verb_goes_from_twenty_thousand_gpus_to_a_folder(tmp_path: Path) -> None:
    args = [
        "train",
        "--model",
        "grok-1",
        "--gpus",
        "20000",
        "--tokens",
        "10T",
        "--site",
        "colossus",
        "--trials",
        "50",
    ]
    args += ["--start", "2025-06-01", "--by", "2025-12-31", "--json", "--out", str(tmp_path)]
    done = CliRunner().invoke(verbs, args)
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert {"layouts_scored", "seconds", "best", "pareto", "failures", "calendar", "power", "cost"} <= set(
        found
    )
    assert found["calendar"]["probability"] == 1.0
    assert len(found["files"]) == 12
    assert all(Path(name).stat().st_size > 100 for name in found["files"])
    ranks = found["best"]["nodes"] * 8
    assert ranks == found["best"]["n_gpus"]
    assert f"RANKS={ranks}\n" in (tmp_path / "manifests/megatron.sbatch").read_text()


@pytest.mark.parametrize(
    ("change", "message"), [(["--by", "31.12."], "2025-12-31"), (["--fleet", "x"], "known are")]
)
def test_the_verb_refuses_in_one_sentence(change: list[str], message: str) -> None:
    args = ["train", "--model", "llama-3-8b", "--gpus", "64", "--tokens", "1T", "--trials", "50", *change]
    done = CliRunner().invoke(verbs, args)
    assert done.exit_code == 2
    assert message in done.output


@pytest.mark.parametrize("package", ["jinja2", "matplotlib", "yaml"])
def test_without_the_extra_one_sentence_says_what_to_install(
    package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sections: Sections
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PlanError, match=r"pip install 'trinch\[plan\]'"):
        write_out(grok(), sections, tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"trials": 2},
        {"seed": -1},
        {"store_gbps": 0.0},
        {"usd_per_kwh": float("inf")},
        {"usd_per_gpu_hour": float("nan")},
        {"pue": float("inf")},
    ],
)
def test_options_that_cannot_be_are_refused_where_they_are_made(wrong: dict[str, float]) -> None:
    with pytest.raises(PlanError, match="give"):
        Options(**wrong)  # type: ignore[arg-type]
