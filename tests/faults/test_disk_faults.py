"""Power cuts and failing disks: nothing acknowledged is lost, nothing deleted comes back, the store opens again."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.disk import Operation, compile_shim, cuts, read_trace, write_files
from tests.faults.disk_workload import batches, expected, shown
from trinch.store.log import Log
from trinch.store.store import Store

CASES = int(os.environ.get("TRINCH_CASES", "1000"))
SEED = int(os.environ.get("TRINCH_SEED", "1"))
INDEXED = 10
"""Of so many power cuts, one is also tried with the index."""


def run(shim: Path, *arguments: object) -> str:
    script = Path(__file__).with_name("disk_workload.py")
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env=os.environ | {"LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_shim(tmp_path_factory.mktemp("shim"))


def acknowledged(trace: list[Operation]) -> int:
    return sum(one.kind == "W" and one.path.endswith("/acknowledged") for one in trace)


def check_cuts(shim: Path, folder: Path, number: int, seed: int, synchronous: str = "FULL") -> None:
    run(shim, "record", folder / "data", folder / "trace", seed, synchronous)
    trace, groups = read_trace(folder / "trace"), batches(seed)
    kinds = {one.kind for one in trace}
    assert {"W", "S", "C", "R"} <= kinds, f"the shim sees what SQLite and Tantivy do: {kinds}"
    assert acknowledged(trace) == len(groups)
    for n, (place, files) in enumerate(cuts(trace, number, seed)):
        left = folder / f"cut{n}"
        write_files(files, folder / "data", left)
        known = acknowledged(trace[:place])
        what = f"seed {seed}, cut {n} after {place} operations, {known} groups acknowledged"
        log = Log(left / "ocean.db")
        stored = int(log.cursor("live") or 0)
        assert stored in (known, known + 1), f"{what}: {stored} groups are stored"
        assert shown(log) == expected(groups[:stored]), what
        log.close()
        if n % INDEXED == 0:
            check_index(left, expected(groups[:stored]), what)
        for file in sorted(left.rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()


def check_index(data: Path, ids: set[str], what: str) -> None:
    store = Store.open(data)
    store.catch_up()
    assert {hit.post.id for hit in store.search("ferry", limit=1000)} == ids, what
    store.close()


def check_failures(shim: Path, folder: Path, error: str, count: int, first: int, step: int) -> int:
    lines = run(shim, "fail", folder / f"{error}{count}", error, count, first, step).splitlines()
    wrong = [line for line in lines if len(line.split()) > 2]
    assert wrong == [], f"{error} of {count} calls"
    return len(lines)


def test_power_cuts_lose_nothing_that_was_acknowledged(shim: Path, tmp_path: Path) -> None:
    check_cuts(shim, tmp_path, 40, seed=7)


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_power_cuts_show_commits_that_are_not_synchronous(
    shim: Path, tmp_path: Path, synchronous: str
) -> None:
    """The simulation can fail: without synchronous commits it loses what was acknowledged."""
    with pytest.raises((AssertionError, OSError), match=r"acknowledged|damaged|malformed"):
        check_cuts(shim, tmp_path, 40, 7, synchronous)


def test_calls_that_fail_lose_nothing_that_was_acknowledged(shim: Path, tmp_path: Path) -> None:
    assert check_failures(shim, tmp_path, "ENOSPC", 10**9, 1, 41) > 3


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_very_many_power_cuts(shim: Path, tmp_path: Path) -> None:
    each = min(500, CASES)
    for seed in range(SEED, SEED + max(1, CASES // each)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check_cuts(shim, folder, each, seed)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("count", [1, 10**9], ids=["once", "from then on"])
def test_every_single_call_fails(shim: Path, tmp_path: Path, error: str, count: int) -> None:
    step = max(1, 1000 // CASES)
    assert check_failures(shim, tmp_path, error, count, 1 + random.Random(SEED).randrange(step), step)
