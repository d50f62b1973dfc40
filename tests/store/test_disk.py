"""A folder that cannot be written, and a disk that is full: what only reads works, the rest says why it does not.

Mounts of their own (unshare(1)), read-only or of a few megabytes; skipped where the system allows none.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.running import fill

RUN = """
import json, sys
from click.testing import CliRunner
from trinch.cli.main import main
done = [CliRunner().invoke(main, command) for command in json.loads(sys.argv[1])]
ends = [(d.exit_code, d.stdout, d.stderr, repr(d.exception)) for d in done]
print(json.dumps(ends))
"""


def in_mounts(script: str) -> "subprocess.CompletedProcess[str]":
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    environment = os.environ | {"COLUMNS": "300", "NO_COLOR": "1"}
    return subprocess.run(
        ["unshare", *user, "--mount", "sh", "-c", script], capture_output=True, text=True, env=environment
    )


def run_all(mounts: str, commands: list[list[str]]) -> list[tuple[int, str, str]]:
    """Exit status, output and errors of some commands, after some mounts. None may end by an exception."""
    done = in_mounts(f"{mounts} && {shlex.join([sys.executable, '-c', RUN, json.dumps(commands)])}")
    assert done.returncode == 0, done.stderr
    ends = []
    for command, (status, output, errors, exception) in zip(commands, json.loads(done.stdout), strict=True):
        assert exception == "None" or exception.startswith("SystemExit"), (command, exception)
        assert "damaged" not in errors
        ends.append((status, output, errors))
    return ends


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disk")
    try:
        tried = in_mounts(f"mount -t tmpfs -o size=1m tmpfs {folder}")
    except FileNotFoundError:
        pytest.skip("there is no unshare(1) here")
    if tried.returncode:
        pytest.skip(f"mounts are not allowed here: {tried.stderr.strip()}")
    return fill(folder / "store")


def reads(data: Path) -> list[list[str]]:
    commands = [["search", "explosion"], ["ask", "What happened in Port Esker?"], ["stats"], ["check"]]
    return [[*command, "--data", str(data)] for command in commands]


def test_a_read_only_store_can_be_read_and_other_commands_say_why_not(original: Path) -> None:
    mounts = f"mount --bind {original} {original} && mount -o remount,ro,bind {original}"
    writes = [["ingest", __file__], ["erase", "--id", "1"], ["rebuild"], ["retain", "--days", "1"]]
    writes += [["serve", "--port", "0", "--no-listen"]]
    ends = run_all(mounts, reads(original) + [[*write, "--data", str(original)] for write in writes])
    assert [status for status, *_ in ends] == [0] * 4 + [1] * 5, ends
    assert all(output.strip() for _, output, _ in ends[:4])
    for _, _, errors in ends[4:]:
        assert "Read-only file system" in errors or "cannot be written" in errors
    assert "cannot listen" not in ends[-1][2]


def test_a_store_on_a_full_disk_can_be_read_and_other_commands_say_why_not(
    original: Path, tmp_path: Path
) -> None:
    posts, mounted = tmp_path / "posts.jsonl", tmp_path / "mounted"
    posts.write_text(
        "\n".join(f'{{"id": "{n}", "platform": "t", "text": "a late ferry {n}"}}' for n in range(5000))
    )
    mounted.mkdir()
    copy = f"mount -t tmpfs -o size=16m tmpfs {mounted} && cp -r {original} {mounted}/store"
    fill_up = f"(cat /dev/zero > {mounted}/zeros 2>/dev/null || true)"
    data = mounted / "store"
    writes = [
        ["ingest", str(posts), "--data", str(data)],
        ["erase", "--author", "CoastlineNews", "--data", str(data)],
    ]
    ends = run_all(f"{copy} && {fill_up}", reads(data) + writes)
    assert [status for status, *_ in ends] == [0] * 4 + [1] * 2, ends
    assert all(output.strip() for _, output, _ in ends[:4])
    for _, _, errors in ends[4:]:
        assert "full" in errors or "No space left" in errors
