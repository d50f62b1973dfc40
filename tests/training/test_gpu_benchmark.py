"""The GPU benchmark runs, in miniature, where there is no GPU."""

import pytest
import torch
from benchmarks.gpu import CASES, DRY, main, measured


@pytest.mark.long
def test_every_case_runs_in_miniature() -> None:
    # `block-compiled` needs a compiler and a minute: a test of its own is in tests/model/test_flex.py.
    quick = tuple(case for case in CASES if case.name != "block-compiled")
    rows = list(measured(quick, DRY))
    assert [row["case"] for row in rows] == [case.name for case in quick]
    assert not any("failed" in row for row in rows), rows
    assert all(isinstance(row["seconds"], float) and row["seconds"] > 0 for row in rows)


def test_it_says_what_it_would_measure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["gpu", "--list"])
    main()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [case.name for case in CASES]
    if not torch.cuda.is_available():
        monkeypatch.setattr("sys.argv", ["gpu"])
        with pytest.raises(SystemExit):
            main()
        assert "no GPU: nothing is measured" in capsys.readouterr().err
