"""The command's words and exit status."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from trinch.training.commands import train


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "/nowhere/at/all"], "does not exist"),
        (["--config", "huge", "--data", __file__], "line 1"),
        (["--mesh", "tensor=two"], "name=number"),
        (["--mesh", "tensor=2"], "needs 2 processes, not 1"),
        (["--steps", "0"], "steps must be at least 1"),
        (["--settings", "/nowhere.toml"], "/nowhere.toml"),
        ([], "--data"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(train, [*arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert not isinstance(result.exception, ValueError)


def test_unknown_settings_are_named(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[optimizer]\nlearning_rate = 1\n")
    result = CliRunner().invoke(train, ["--settings", str(file)])
    assert result.exit_code == 2
    assert "learning_rate" in result.output


def test_a_run_is_not_resumed_with_other_settings(posts_file: Path, tmp_path: Path) -> None:
    arguments = [
        "--data",
        str(posts_file),
        "--out",
        str(tmp_path / "run"),
        "--steps",
        "1",
        "--sequence",
        "16",
    ]
    first = CliRunner().invoke(train, [*arguments, "--batch", "4"], catch_exceptions=False)
    assert first.exit_code == 0, first.output
    second = CliRunner().invoke(train, [*arguments, "--batch", "8"])
    assert second.exit_code == 2
    assert "made with batch = 4" in second.output
