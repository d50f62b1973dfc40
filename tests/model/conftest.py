"""The model's tests need torch; without it they skip and say so."""

from pathlib import Path

import pytest
from tests.needs_torch import MISSING, SkippedModule


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skip each file of this folder before it is imported."""
    return SkippedModule.from_parent(parent, path=module_path) if MISSING else None
