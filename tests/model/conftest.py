"""The model's tests need torch (`pip install 'trinch[train]'`); without it they skip and say so."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest


class _WithoutTorch(pytest.Module):
    def collect(self) -> Iterator[pytest.Item]:
        pytest.skip("the model needs torch: pip install 'trinch[train]'", allow_module_level=True)


if find_spec("torch") is None:

    def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
        """Skip each file of this folder before it is imported."""
        return _WithoutTorch.from_parent(parent, path=module_path)
