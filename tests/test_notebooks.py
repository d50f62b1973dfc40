"""The notebooks of examples/, executed; `python -m tests.test_notebooks` executes them and keeps what they print."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
BOOKS = sorted(FOLDER.glob("*.ipynb"))


def executed(path: Path) -> Any:
    """The notebook with fresh outputs. Raises CellExecutionError where a cell fails."""
    import nbformat
    from nbclient import NotebookClient

    if sys.platform == "win32":
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=600, kernel_name="python3", record_timing=False).execute()
    return book


def shown(book: Any) -> list[str]:
    """What each cell of code shows as text, without what differs from machine to machine."""
    return [
        "".join(one.get("text", "") or one.get("data", {}).get("text/plain", "") for one in cell.outputs)
        for cell in book.cells
        if cell.cell_type == "code"
    ]


def test_there_are_two_and_each_is_small() -> None:
    assert [book.stem for book in BOOKS] == ["analyst", "infrastructure"]
    assert all(book.stat().st_size < 100_000 for book in BOOKS)


@pytest.mark.long
@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_kept_in_it(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="the extra notebooks is not installed")
    for package in ("nbclient", "ipykernel", "matplotlib", "pandas", "pyarrow"):
        pytest.importorskip(package, reason="the extra notebooks is not installed")
    kept = nbformat.read(path, as_version=4)
    assert shown(executed(path)) == shown(kept)


if __name__ == "__main__":
    import nbformat

    for path in BOOKS:
        nbformat.write(executed(path), path)
