"""Fixtures every room may use."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Real posts and payloads for development. They are not part of the project: tests that need them skip."""


def pytest_xdist_auto_num_workers() -> int | None:
    """What `-n auto` means: one worker more than cores, since tests wait for servers a third of the time."""
    given = "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ
    return None if given else (os.cpu_count() or 1) + 1


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Path:
    """Folder of the real data; `@pytest.mark.needs("payloads/x_compliance")` names what a test wants."""
    marker = request.node.get_closest_marker("needs")
    wanted = SHARED / marker.args[0] if marker else SHARED
    if not wanted.exists():
        pytest.skip(f"needs ../shared/data/{wanted.relative_to(SHARED)}")
    return wanted


@pytest.fixture(scope="session")
def native_module(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The optional native part, built from its source where there is a C++ compiler."""
    compiler, include = shutil.which("c++"), Path(sysconfig.get_paths()["include"])
    if not compiler or not (include / "Python.h").exists():
        pytest.skip("needs a C++ compiler and the headers of Python")
    sources = sorted(map(str, (Path(__file__).resolve().parents[1] / "native").glob("*.cpp")))
    built = tmp_path_factory.mktemp("native") / "trinch_native.abi3.so"
    linked = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    flags = [
        "-std=c++17",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fPIC",
        "-shared",
        "-I",
        str(include),
        *linked,
    ]
    subprocess.run([compiler, *flags, *sources, "-o", str(built)], check=True)
    spec = importlib.util.spec_from_file_location("trinch_native", built)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
