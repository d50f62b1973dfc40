"""The wheel, and packages that extend Trinch, as users install them."""

import json
import os
import subprocess
import sys
import time
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


def install_examples(site: Path) -> None:
    """Install the packages of examples/ without a network: their metadata is written as an installer writes it."""
    for package in sorted(path for path in EXAMPLES.iterdir() if (path / "pyproject.toml").exists()):
        project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
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
            (site / module.name).write_text(module.read_text())


@pytest.mark.long
def test_example_packages_add_to_trinch(tmp_path: Path) -> None:
    """A format, a source and an alert channel."""
    install_examples(tmp_path / "site")
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

    notes = tmp_path / "notes.txt"
    added = ["alerts", "add", "ferry", "--name", "Ferries", "--channel", f"notebook:{notes}", "--json"]
    alert = json.loads(run(*trinch, *added, folder=tmp_path, **environment))
    (tmp_path / "log.jsonl").write_text(
        '{"berth": "6", "at": "2026-05-01T11:00Z", "entry": "Ferry leaves"}\n'
    )
    run(*trinch, "ingest", "log.jsonl", folder=tmp_path, **environment)
    with subprocess.Popen([*trinch, "alerts", "run"], cwd=tmp_path, env=os.environ | environment) as running:
        deadline = time.monotonic() + 60
        while not notes.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        running.terminate()
    assert notes.read_text().count("Ferry leaves") == 1
    assert notes.read_text().startswith(f"[{alert['id']}-notebook-1-1] Ferries: 1 post matches")
    run(*trinch, "alerts", "test", alert["id"], folder=tmp_path, **environment)
    assert "a test" in notes.read_text()


READER = """
import sys, trinch
from trinch.simulator.sample import sample
with trinch.open(sys.argv[1]) as t:
    t.ingest(list(sample()))
    answer = t.ask("What happened in Port Esker?", as_of="2026-03-18T20:00Z")
    print(sorted({t.get(f"sample:{post.id}").post.lang for claim in answer.claims for post in claim.citations}))
"""


def test_an_example_package_adds_a_reader(tmp_path: Path) -> None:
    install_examples(tmp_path / "site")
    paths = os.pathsep.join([str(tmp_path / "site"), str(ROOT / "src")])
    command = [sys.executable, "-c", READER, str(tmp_path / "store")]
    found = run(*command, folder=tmp_path, PYTHONPATH=paths, TRINCH_READER="monolingual")
    assert found.strip() == "['en']"
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": paths, "TRINCH_READER": "psychic"},
        capture_output=True,
        text=True,
    )
    assert "no such reader: 'psychic'; there are built-in, monolingual" in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("tool", ["uv", "pipx"])
def test_the_wheel_is_a_tool_of_uv_and_pipx_from_a_clean_cache(tool: str, tmp_path: Path) -> None:
    """Needs a package index for the dependencies."""
    pytest.importorskip("build", reason="build is not installed")
    pytest.importorskip(tool, reason=f"{tool} is not installed")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", ROOT, folder=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("trinch-*.whl")
    own = (
        "UV_CACHE_DIR",
        "UV_TOOL_DIR",
        "UV_TOOL_BIN_DIR",
        "PIPX_HOME",
        "PIPX_BIN_DIR",
        "PIP_CACHE_DIR",
        "HOME",
    )
    environment = {name: str(tmp_path / name.lower()) for name in own}
    if tool == "uv":
        trinch = [
            sys.executable,
            "-m",
            "uv",
            "tool",
            "run",
            "--python",
            sys.executable,
            "--from",
            wheel,
            "trinch",
        ]
    else:
        run(sys.executable, "-m", "pipx", "install", wheel, folder=tmp_path, **environment)
        trinch = [tmp_path / "pipx_bin_dir" / "trinch"]
    assert "trinch, version 0." in run(*trinch, "--version", folder=tmp_path, **environment)
    (tmp_path / "posts.csv").write_text("id,text,created_at\n1,Ferry docks,2026-05-01T10:00Z\n")
    run(*trinch, "ingest", "--strict", "posts.csv", "--data", "store", folder=tmp_path, **environment)
    assert "Ferry docks" in run(*trinch, "search", "ferry", "--data", "store", folder=tmp_path, **environment)


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
