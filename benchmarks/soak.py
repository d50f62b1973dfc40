"""`python -m benchmarks.soak` (`make soak`): the tests of faults and of hostile input, again and again with new seeds.

Each campaign is one of the project's own tests, with TRINCH_SEED and TRINCH_CASES. Rounds over all campaigns are run
until the time is over; the first is always finished. Prints one table; exit status 1 if anything failed.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Campaign:
    """A kind of fault: pytest's selection of its tests, and the cases of one round (0: the tests count themselves)."""

    name: str
    tests: list[str]
    cases: int
    done: int = 0
    seconds: float = 0.0
    failures: int = 0


def campaigns() -> list[Campaign]:
    """All of them, with the sizes of one round."""
    faults = "tests/faults/test_disk_faults.py"
    hostile = ["connection_limits", "body_timeouts", "hang_up", "worker_pool"]
    return [
        Campaign("kill -9 of writer and indexer", ["tests/store/test_kill.py"], 50),
        Campaign("power cuts", [f"{faults}::test_very_many_power_cuts"], 1000),
        Campaign("failing calls of the disk (EIO, ENOSPC)", [f"{faults}::test_every_single_call_fails"], 200),
        Campaign(
            "random streams of events against the reference",
            ["tests/store/test_reference_state.py", "-k", "very_many"],
            30_000,
        ),
        Campaign(
            "corruptions of files",
            ["tests/store/test_maintenance.py", "-k", "very_many_random_corruptions"],
            100,
        ),
        Campaign("hostile input of each parser", ["tests/posts/test_hostile.py"], 1000),
        Campaign(
            "objects, tables and files with random parts changed", ["tests/posts/test_mutations.py"], 1000
        ),
        Campaign("hostile clients", [f"tests/server/test_{name}.py" for name in hostile], 0),
        Campaign("server killed and stopped", ["tests/server/test_lifecycle.py"], 0),
    ]


def run(campaign: Campaign, seed: int, scale: float) -> str:
    """One round of a campaign. Returns the output of pytest if it failed."""
    cases = max(1, round(campaign.cases * scale))
    environment = os.environ | {"TRINCH_SEED": str(seed), "TRINCH_CASES": str(cases)}
    options = ["-p", "no:cacheprovider", "-m", "", f"--hypothesis-seed={seed}"]
    command = [sys.executable, "-m", "pytest", *options, *campaign.tests]
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    campaign.seconds += time.monotonic() - started
    passed, failed = (_count(done.stdout, word) for word in ("passed", "failed"))
    campaign.done += (cases if campaign.cases else 1) * passed
    campaign.failures += failed or int(done.returncode != 0)
    return done.stdout[-4000:] + done.stderr[-2000:] if done.returncode != 0 else ""


def _count(output: str, word: str) -> int:
    found = re.findall(rf"(\d+) {word}", output)
    return int(found[-1]) if found else 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SOAK_MINUTES", "60")))
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round")
    parser.add_argument("--scale", type=float, default=1.0, help="size of a round")
    given = parser.parse_args()
    end, seed, all_of_them = time.monotonic() + given.minutes * 60, given.seed, campaigns()
    failed = ""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while seed == given.seed or time.monotonic() < end:
            for campaign in all_of_them:
                if seed != given.seed and time.monotonic() >= end:
                    break
                print(f"{campaign.name}, seed {seed}", file=sys.stderr)
                if output := run(campaign, seed, given.scale):
                    failed += f"\n{campaign.name}, seed {seed}:\n{output}"
            seed += 1
    except KeyboardInterrupt:
        print("interrupted; what was done until then:", file=sys.stderr)
    _print(all_of_them, f"first seed {given.seed}, {seed - given.seed} whole rounds")
    if failed:
        print(failed)
    raise SystemExit(1 if failed else 0)


def _print(all_of_them: list[Campaign], title: str) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("campaign", "cases", "failures", "seconds"):
        table.add_column(name, justify="left" if name == "campaign" else "right")
    for one in all_of_them:
        table.add_row(one.name, f"{one.done:,}", f"{one.failures:,}", f"{one.seconds:,.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
