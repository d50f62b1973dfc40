"""`make soak` runs every campaign, and prints what was done in one table."""

import re
import subprocess
import sys

import pytest
from benchmarks.soak import ROOT, campaigns


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_short_soak_runs_every_campaign() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--minutes", "0", "--scale", "0.01", "--seed", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
    for campaign in campaigns():
        row = re.search(rf"^{re.escape(campaign.name)} +([\d,]+) +([\d,]+) +", done.stdout, re.MULTILINE)
        assert row, f"{campaign.name}: {done.stdout}"
        assert int(row[1].replace(",", "")) > 0
        assert row[2] == "0"
