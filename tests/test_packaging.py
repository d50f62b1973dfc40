"""The wheel, and packages that extend Trinch, as users install them."""

import json
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRINCH"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=clean | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_example_packages_add_a_format_and_a_source(tmp_path: Path) -> None:
    """Installed without a network: their metadata is written as an installer writes it."""
    for package in sorted(path for path in EXAMPLES.iterdir() if (path / "pyproject.toml").exists()):
        project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        info = tmp_path / "site" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        groups = project["entry-points"]
        (info / "entry_points.txt").write_text(
            "\n".join(
                f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in found.items())
                for group, found in groups.items()
            )
        )
        for module in package.glob("*.py"):
            (tmp_path / "site" / module.name).write_text(module.read_text())
    trinch = [sys.executable, "-m", "trinch.cli.main"]
    paths = os.pathsep.join([str(tmp_path / "site"), str(ROOT / "src")])
    environment = {"PYTHONPATH": paths, "TRINCH_DATA": str(tmp_path / "store")}
    (tmp_path / "log.jsonl").write_text('{"berth": "5", "at": "2026-05-01T10:00Z", "entry": "Ferry docks"}\n')
    totals = json.loads(
        run(*trinch, "ingest", "--json", "--strict", "log.jsonl", folder=tmp_path, **environment)
    )
    assert totals["accepted"] == 1
    totals = json.loads(
        run(*trinch, "listen", "ticker:harbour", "--posts", "3", "--json", folder=tmp_path, **environment)
    )
    assert totals["accepted"] >= 3
    hits = json.loads(run(*trinch, "search", "--json", "ferry", "OR", "tick", folder=tmp_path, **environment))
    assert {hit["network"] for hit in hits["hits"]} == {"logbook", "ticker"}


@pytest.mark.long
def test_the_wheel_and_the_examples_in_a_clean_environment(tmp_path: Path) -> None:
    """Needs a package index for the dependencies."""
    pytest.importorskip("build", reason="build is not installed")
    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", ROOT, folder=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("trinch-*.whl")
    assert wheel.name.endswith("py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith(".toml") for name in names)  # data files are in it
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
    assert (tmp_path / "dist" / wheel.name.replace("-py3-none-any.whl", ".tar.gz")).exists()
    venv.create(tmp_path / "clean", with_pip=True)
    binaries = tmp_path / "clean" / "bin"
    packages = [path for path in EXAMPLES.iterdir() if (path / "pyproject.toml").exists()]
    run(binaries / "pip", "install", "--quiet", wheel, *packages, folder=tmp_path)
    environment = {"TRINCH_DATA": str(tmp_path / "store")}
    assert "Ingest files" in run(binaries / "trinch", "--help", folder=tmp_path)
    (tmp_path / "log.jsonl").write_text('{"berth": "5", "at": "2026-05-01T10:00Z", "entry": "Ferry docks"}\n')
    run(binaries / "trinch", "ingest", "--strict", "log.jsonl", folder=tmp_path, **environment)
    run(binaries / "trinch", "listen", "ticker", "--posts", "2", folder=tmp_path, **environment)
    assert "Ferry docks" in run(binaries / "trinch", "search", "ferry", folder=tmp_path, **environment)
    shown = run(
        binaries / "python",
        "-c",
        "import trinch; print(trinch.open().search('ferry'))",
        folder=tmp_path,
        **environment,
    )
    assert "1 posts" in shown
