"""Every benchmark can be imported: what it uses of the package exists."""

import importlib
from pathlib import Path

import benchmarks
import pytest

MODULES = sorted(
    path.stem
    for path in Path(benchmarks.__path__[0]).glob("*.py")
    if path.stem not in ("__init__", "__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_can_be_imported(name: str) -> None:
    try:
        importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        if str(error.name).startswith(("trinch", "benchmarks")):
            raise
        pytest.skip(f"needs the package {error.name}")
