"""The command's words and exit status."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from trinch.cli.train import train
from trinch.posts.jsonl import dump_post
from trinch.training.actions import run_settings
from trinch.training.data import Corpus

from .conftest import made_up_posts


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
    assert run_settings(tmp_path / "run").batch == 4, "what a run is, is not changed by being refused"


def test_what_was_erased_meanwhile_is_struck_out_at_the_next_start(posts_file: Path, tmp_path: Path) -> None:
    own = tmp_path / "posts.jsonl"
    lines = posts_file.read_bytes().splitlines(keepends=True)
    own.write_bytes(b"".join(lines))
    arguments = [
        "--data",
        str(own),
        "--out",
        str(tmp_path / "run"),
        "--batch",
        "4",
        "--sequence",
        "16",
        "--steps",
    ]
    CliRunner().invoke(train, [*arguments, "1"], catch_exceptions=False)
    own.write_bytes(b"".join(lines[:100] + lines[103:]))
    again = CliRunner().invoke(train, [*arguments, "2"], catch_exceptions=False)
    assert again.exit_code == 0, again.output
    assert "3 posts are no longer visible" in again.output
    own.write_bytes(b"".join(lines[:100] + lines[105:]))
    unnamed = CliRunner().invoke(train, [*arguments[2:], "3"], catch_exceptions=False)
    assert "2 posts are no longer visible" in unnamed.output, "the source is the run's own"
    assert run_settings(tmp_path / "run").data.path == str(own)


def test_another_source_strikes_nothing_out(posts_file: Path, tmp_path: Path) -> None:
    run, others = tmp_path / "run", tmp_path / "others.jsonl"
    others.write_bytes(
        b"".join(dump_post(post, post.created_at) + b"\n" for post in made_up_posts(100, seed=8))
    )
    arguments = ["--out", str(run), "--batch", "4", "--sequence", "16", "--steps", "1", "--data"]
    done = CliRunner().invoke(train, [*arguments, str(posts_file)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    before = np.array(Corpus(run / "data", 16).train.tokens)
    for other, words in (
        ([str(others)], "shows none of the posts"),
        ([str(posts_file), "--until", "2023-11-15"], "prepared with data.until = ''"),
    ):
        refused = CliRunner().invoke(train, [*arguments, *other])
        assert refused.exit_code == 2
        assert words in refused.output
        assert np.array_equal(before, Corpus(run / "data", 16).train.tokens)
        assert run_settings(run).data.path == str(posts_file)
