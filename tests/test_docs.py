"""The documentation names all there is, and nothing that only one machine knows."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.command_reference import PAGE, commands, reference
from trinch.cli.main import main

ROOT = Path(__file__).parents[1]


def test_the_reference_of_commands_is_current() -> None:
    """After a change of a command: `python -m tests.command_reference`."""
    page = PAGE.read_text()
    assert page[page.index("## trinch ") :].strip() == reference().strip()


@pytest.mark.parametrize(("path", "command"), list(commands(main)))
def test_every_command_has_a_whole_summary_an_example_and_a_help_for_each_option(
    path: str, command: click.Command
) -> None:
    assert "Example" in (command.help or "")
    unexplained = [p.opts for p in command.params if isinstance(p, click.Option) and not p.help]
    assert unexplained == []


def test_every_environment_variable_is_documented() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    documents = "".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    names = set(re.findall(r"\bTRINCH_[A-Z_]+\b", source))
    assert "TRINCH_DATA" in names
    assert {name for name in names if f"`{name}`" not in documents} == set()


def anchors(path: Path) -> set[str]:
    """Of the headings of a page, as GitHub and the site make them."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_link_between_documents_leads_somewhere() -> None:
    dead = []
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)[^)]*\)", prose):
            page = path.parent / target if target else path
            if "://" in target:
                continue
            if not page.exists() or (anchor and page.suffix == ".md" and anchor not in anchors(page)):
                dead.append(f"{path.name}: {target}#{anchor}")
    assert dead == []


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text().split("\nnav:")[1]))
    assert listed == {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}


@pytest.mark.long
def test_the_site_is_built_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="the extra docs is not installed")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for name in ("mkdocs.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list((ROOT / "docs").rglob("*.md")))  # and the page for what is not found
    loaded = [
        f"{page.name}: {hit}"
        for page in pages
        for tag in re.findall(r"<(?:link|script|img|iframe|source)\b[^>]*>", page.read_text())
        for hit in re.findall(r"""(?:src|href)=["']?((?:https?:)?//[^"'> ]+)""", tag)
        if 'rel="canonical"' not in tag
    ]
    assert loaded == []
    reference = (tmp_path / "site" / "reference.html").read_text()
    assert all(f'id="trinch.{name}"' in reference for name in ("open", "Session", "Posts", "QueryError"))

    (tmp_path / "docs" / "index.md").write_text("[gone](gone.md) [nowhere](search.md#nowhere)")
    broken = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert broken.returncode != 0


MACHINE = re.compile(
    # Folders that are on one machine only.
    rb"(?<![\w.)/}-])/(?:work/|tmp/venv|tmp/brief|home/(?!\$)\w)"
    # Package registries; that of torch's CPU builds is public, and the reader needs it.
    rb"|https?://[\w.:-]+/(?:[\w./-]+/)?simple\b|(?:index-url|registry)[ =]+https?://(?!download\.pytorch\.org/)"
)


def test_no_file_names_a_machine_or_a_private_registry() -> None:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    found = []
    for path in files:
        if path.is_file() and path != Path(__file__).resolve():
            found += [
                f"{path.relative_to(ROOT)}: {hit[0].decode()}" for hit in MACHINE.finditer(path.read_bytes())
            ]
    assert found == []
