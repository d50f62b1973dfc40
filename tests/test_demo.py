"""The demo, as a newcomer runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path


def demo(folder: Path) -> str:
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "trinch.cli.main", "demo", "--offline", "--data", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return done.stdout


def test_the_demo_drinks_asks_and_shows_how_to_go_on(tmp_path: Path) -> None:
    shown = demo(tmp_path)
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
    assert "trinch search" in shown.split("Go on:")[1]


def test_what_the_demo_says_to_type_next_works(tmp_path: Path) -> None:
    shown = demo(tmp_path)
    lines = [line.strip() for line in shown.split("Go on:")[1].splitlines() if "trinch s" in line]
    assert len(lines) == 2
    for line in lines:
        command = line.replace("trinch ", f"{sys.executable} -m trinch.cli.main ", 1)
        assert subprocess.run(["sh", "-c", command], capture_output=True).returncode == 0


def test_the_same_sample_gives_the_same_answers(tmp_path: Path) -> None:
    one, other = demo(tmp_path / "a"), demo(tmp_path / "b")
    assert one.split("Go on:")[0] == other.split("Go on:")[0]


def test_the_readme_shows_what_the_demo_says(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    shown = demo(tmp_path)
    transcript = readme.split("```\n$ trinch ask ")[1].split("```")[0]
    for asked in transcript.split("$ trinch ask "):
        assert asked.strip() in shown
