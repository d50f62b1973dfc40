"""The demo, as a newcomer runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trinch.cli.demo_page import batches
from trinch.simulator.sample import sample

NEXT = "Continue with:"


def demo(folder: Path) -> str:
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "trinch.cli.main", "demo", "--offline", "--data", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the demo prints, over a folder with a name that a shell would split."""
    return demo(tmp_path_factory.mktemp("demo") / "a demo's folder")


def test_the_demo_ingests_asks_and_prints_what_to_run_next(shown: str) -> None:
    answers = shown.split("$ trinch ask ")
    assert len(answers) == 6
    first, early, late, french, none = answers[1:]
    assert "Port Esker" in first
    assert re.search(r"\b3 people have died", early), "at 17:00 three were known dead"
    assert re.search(r"\b10\b", late.splitlines()[1]), "the final toll leads"
    assert "Quelle est la situation" in french
    assert "ot enough evidence" in none
    assert "[1]" in first
    assert "https://sample.example/" in first
    trends, story = none.split("$ trinch trends ")[1].split("$ trinch story ")
    assert "Port Esker" in trends
    story, fired = story.split("$ trinch alerts add ")
    assert "10 people died" in story.splitlines()[1], "the story's headline states the final toll"
    lines = [line for line in story.splitlines() if re.match(r"2026-03-1[78] \d\d:\d\d UTC  ", line)]
    assert len(lines) >= 4, "the story unfolds"
    assert lines == sorted(lines)
    fired, brief = fired.split("$ trinch brief ")
    assert re.search(r"2026-03-1[78] \d\d:\d\d UTC  a post denies something\n  @\w+ .*sabotage", fired)
    assert "## Port Esker" in brief
    assert " search " in shown.split(NEXT)[1]


def test_the_commands_that_the_demo_prints_work_as_printed(shown: str) -> None:
    lines = [line.strip() for line in shown.split(NEXT)[1].splitlines() if line.strip()]
    assert [line.split(" -m trinch.cli.main ")[1].split()[0] for line in lines] == [
        "ask",
        "search",
        "stats",
        "serve",
        "demo",
    ]
    for line in lines[:3]:
        assert subprocess.run(["sh", "-c", line], capture_output=True).returncode == 0


def test_the_sample_is_played_at_its_own_pace_and_whole() -> None:
    events = list(sample())
    played = list(batches(events, 60.0))
    assert [event for _, batch in played for event in batch] == events
    assert [due for due, _ in played] == sorted({due for due, _ in played}), "each moment once, in order"
    assert played[-1][0] == 60.0
    half = sum(len(batch) for due, batch in played if due <= 30)
    middle = (events[0].at + events[-1].at) / 2
    assert half == pytest.approx(sum(event.at <= middle for event in events), abs=30)
    assert list(batches([], 60.0)) == []


@pytest.mark.long
def test_the_same_sample_gives_the_same_answers(shown: str, tmp_path: Path) -> None:
    assert shown.split(NEXT)[0] == demo(tmp_path / "b").split(NEXT)[0]


def test_the_readme_shows_what_the_demo_says(shown: str) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    transcript = readme.split("```\n$ trinch ask ")[1].split("```")[0]
    for asked in transcript.split("$ trinch ask "):
        assert asked.strip() in shown
