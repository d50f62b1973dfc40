"""docs/architecture.md names modules and functions that exist; private words stay out of code and docs."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "trinch"
TEXT = (ROOT / "docs" / "architecture.md").read_text()
STEPS = re.findall(r"`([\w/]+\.py)(?:: ([\w.]+))?`", TEXT)
PRIVATE = re.compile(
    r"\b(?:drinks?|drinking|drank|drunk|drinker|told|knows nothing|the door|stands|unsaid)\b", re.IGNORECASE
)


def names(tree: ast.Module) -> set[str]:
    """Functions and classes of a module, methods as `Class.method`."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    top = [node for node in tree.body if isinstance(node, kinds)]
    methods = {
        f"{node.name}.{inner.name}"
        for node in top
        if isinstance(node, ast.ClassDef)
        for inner in node.body
        if isinstance(inner, kinds)
    }
    return {node.name for node in top} | methods


def test_the_walks_have_steps() -> None:
    assert TEXT.count("\n## ") == 7
    assert len(STEPS) > 30


@pytest.mark.parametrize(("module", "name"), STEPS)
def test_each_step_exists(module: str, name: str) -> None:
    assert (SRC / module).is_file()
    if name:
        assert name in names(ast.parse((SRC / module).read_text()))


def test_private_words_are_only_in_the_story_of_the_name() -> None:
    """Texts of invented posts and regular expressions for posts may hold any word: they are data, not prose."""
    data = {"incident_texts.py", "vocabulary.py", "sample_script.py", "sample_cast.py"}
    found = []
    for path in sorted([*SRC.rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]):
        if path.name in data:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if PRIVATE.search(line) and "Rabelais" not in line:
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []
