"""Stores that earlier versions wrote open in this one; tests/upgrades/README.md says which commit wrote each."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import trinch
from trinch.cli.main import main
from trinch.posts.times import parse
from trinch.store.maintenance import check

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "upgrades"
NAMES = sorted(path.name.removesuffix(".tar.xz") for path in FOLDER.glob("*.tar.xz"))
AS_OF = "2026-03-17T18:20:00Z"
POSTS = 432
"""Posts of each store: 433 were created and one of them deleted."""
DELETED = "sample:2033960987664581361"


def unpacked(name: str, folder: Path) -> Path:
    with tarfile.open(FOLDER / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_there_is_a_store_of_each_format() -> None:
    assert set(NAMES) >= {"log-1-index-1", "log-2-index-2", "log-2-index-3", "log-2-index-4", "log-3-index-4"}
    assert all(path.stat().st_size < 200_000 for path in FOLDER.glob("*.tar.xz"))


@pytest.mark.parametrize("name", NAMES)
def test_an_old_store_opens_answers_and_goes_on(name: str, tmp_path: Path) -> None:
    old = unpacked(name, tmp_path)
    with trinch.open(old) as t:
        assert sum(1 for _ in t.posts()) == POSTS
        assert t.get(DELETED) is None
        before = {hit.post.id for hit in t.search("silo explosion", limit=100, as_of=AS_OF)}
        assert len(before) > 20
        assert "6" in (t.ask("How many people died in the Port Esker explosion?", as_of=AS_OF).headline or "")

        at = parse("2026-03-17T18:31:00Z")
        post = trinch.Post(network="x", id="1", created_at=at, text="Ferries resume after the silo explosion")
        assert t.ingest([trinch.Created(at=at, network="x", post=post)]).accepted == 1
        assert [hit.post.id for hit in t.search("ferries resume")] == ["1"]

        victim = t.search("silo explosion", limit=1, as_of=AS_OF)[0].post
        t.ingest([trinch.Deleted(at=at, network=victim.network, id=victim.id)])
        assert victim.id not in {hit.post.id for hit in t.search("silo explosion", limit=100)}
        assert t.stories(as_of=AS_OF)["stories"] == []  # too few posts for a burst; the request works
    assert check(old).problems == []


@pytest.mark.parametrize("name", ["log-2-index-3-alerts", "log-3-index-4"])
def test_alerts_of_an_old_store_are_kept(name: str, tmp_path: Path) -> None:
    with trinch.open(unpacked(name, tmp_path)) as t:
        (alert,) = t.alerts.list()
        assert (alert["name"], alert["webhook"]) == ("blast", "https://example.org/hook")
        assert t.alerts.show(alert["id"])["firings"] == []
        added = t.alerts.add("flood")
        assert [one["id"] for one in t.alerts.list()] == [alert["id"], added["id"]]


def test_every_name_of_release_0_1_0_is_still_accepted() -> None:
    """Commands, options and environment variables. To rename one, keep the old name as a hidden one that warns with
    the new name (click's `deprecated="use --new"`), and leave this list as it is."""
    now = {"trinch", "trinch --version"}
    for path, command in every_command(main, "trinch"):
        now |= {path, *(f"{path} {name}" for option in command.params for name in option.opts)}
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    now |= set(re.findall(r"\bTRINCH_[A-Z_]+\b", source))
    assert set((FOLDER / "names-0.1.0.txt").read_text().splitlines()) - now == set()


def every_command(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    for name, below in command.commands.items() if isinstance(command, click.Group) else ():
        yield from every_command(below, f"{path} {name}")
