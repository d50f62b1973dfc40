"""The pages of docs/guides, executed as they are typed: from the built wheel, in a clean environment of their own.

Blocks `sh` and `python` are run in their order, `console` is not. A block `sh install` makes the environment; of it
only the name of the wheel is changed, which no index has. Lines of a block `text` must be in what was printed.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDES = ROOT / "docs" / "guides"
BLOCK = re.compile(r"^```(sh install|sh|python|text|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in BLOCK.finditer(page.read_text())]


def script(page: Path, folder: Path, wheel: Path) -> str:
    """A shell script of all blocks; Python blocks that no shell block divides are one program."""
    parts, program, number = ["set -eo pipefail"], "", 0
    for kind, code in [*blocks(page), ("sh", "")]:
        if kind == "python":
            program += code
        elif kind.startswith("sh"):
            if program:
                number += 1
                (folder / f"block{number}.py").write_text(program)
                parts.append(f"python block{number}.py")
                program = ""
            if kind == "sh install":
                code = re.sub(r"(pip install) '?trinch(\[\w+\])?'?", rf"\1 --quiet '{wheel}\2'", code)
            parts.append(code)
    return "\n".join(parts)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def run(text: str, folder: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRINCH"))}
    clean |= {
        "NO_COLOR": "1",
        "COLUMNS": "200",
        "HOME": str(folder),
        "PATH": f"{sys.exec_prefix}/bin:{clean['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", text], cwd=folder, env=clean, capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build", reason="build is not installed")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def wanted(page: Path) -> Iterator[str]:
    for kind, text in blocks(page):
        if kind == "text":
            yield from text.splitlines()


@pytest.mark.long
@pytest.mark.parametrize("name", ["analyst", "newsroom", "infrastructure"])
def test_a_guide_does_what_it_says(name: str, wheel: Path, tmp_path: Path) -> None:
    """Needs a package index for the dependencies."""
    page = GUIDES / f"{name}.md"
    text = script(page, tmp_path, wheel).replace("8377", str(free_port()))
    printed = run(text, tmp_path)
    assert [line for line in wanted(page) if line not in printed] == [], printed


@pytest.mark.long
def test_the_guide_of_contributors_in_a_clone(tmp_path: Path) -> None:
    """Needs a package index, and what is committed."""
    if not shutil.which("make") or not (ROOT / ".git").exists():
        pytest.skip("needs make and a git checkout")
    clone = tmp_path / "trinch"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    page = GUIDES / "contributor.md"
    printed = run(script(page, tmp_path, Path()), clone)
    assert [line for line in wanted(page) if line not in printed] == [], printed
    assert "en.toml | 2 +-" in printed


def test_every_guide_is_executed_and_its_blocks_are_marked() -> None:
    names = {page.stem for page in GUIDES.glob("*.md")}
    assert names == {"analyst", "newsroom", "infrastructure", "contributor"}
    for page in GUIDES.glob("*.md"):
        assert len(blocks(page)) == page.read_text().count("\n```") // 2
        for kind, code in blocks(page):
            if kind == "python":
                compile(code, page.name, "exec")
