"""Exports: every field of every visible post, in each format; and the same posts in Python."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import trinch
from tests.store.test_search import MINUTE, NOON, created, ingested
from trinch.cli.main import main
from trinch.posts import schema as ev
from trinch.posts.jsonl import parse
from trinch.posts.times import now
from trinch.store.store import Store

RICH = created(
    "1", 'a "storm", so\nto say', urls=("https://a.example/",), tags=("Storm",), likes=3, media=("image",),
    attached=(ev.Attached("image", "waves"),), author_verified=True, lang="en",
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    (undated,) = parse(b'{"platform": "table", "id": "u", "text": "an undated storm"}')
    gone, calm = created("2", "storm of a deleted post"), created("3", "calm", NOON + MINUTE)
    store = ingested(folder, [RICH, gone, calm, undated, ev.Deleted(at=now(), network="x", id="2")])
    store.close()
    return folder


def exported(data: Path, *arguments: str) -> bytes:
    result = CliRunner().invoke(main, ["export", *arguments, "--data", str(data)])
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def test_lines_are_read_back_as_they_were(data: Path, tmp_path: Path) -> None:
    lines = exported(data, "storm").splitlines()
    assert parse(lines[0]) == [RICH]
    (undated,) = parse(lines[1])
    assert isinstance(undated, ev.Created)
    assert undated.post.created_at is None
    assert now() - undated.at < 60 * 1_000_000  # the time of reading, not that of the export
    assert len(lines) == 2


def test_a_table_has_a_column_for_every_field(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.csv"
    exported(data, "--format", "csv", "-o", str(file))
    with file.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    assert [row["id"] for row in rows] == ["1", "3", "u"]
    assert set(rows[0]) == {"at", *ev.Post.__struct_fields__}
    assert rows[0]["text"] == RICH.post.text
    assert json.loads(rows[0]["attached"]) == [{"kind": "image", "text": "waves"}]
    assert (rows[2]["at"], rows[2]["created_at"]) == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["all.csv"]


def test_parquet_has_types(data: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "all.parquet"
    exported(data, "--format", "parquet", "-o", str(file))
    rows = parquet.read_table(file).to_pylist()
    assert rows[0]["tags"] == ["Storm"]
    assert rows[0]["created_at"].isoformat() == "2013-04-15T04:26:40+00:00"
    assert rows[0]["attached"] == [{"kind": "image", "text": "waves"}]
    assert rows[2]["at"] is None
    with trinch.open(data) as t:
        assert t.table().to_pylist() == rows


def test_python_gives_the_same(data: Path) -> None:
    with trinch.open(data) as t:
        assert [hit.post.id for hit in t.matches("storm")] == ["1", "u"]
        page = t.page("storm", limit=1, total=True)
        assert page.total
        assert (page.total.posts, page.total.exact, bool(page.next)) == (2, True, True)
        assert len(t.page("storm", limit=1, cursor=page.next).hits) == 1
        assert list(t.counts(by="minute").values()) == [1, 1]
        with pytest.raises(trinch.CursorError):
            t.page("calm", cursor=page.next)


def test_a_hidden_post_leaves_a_running_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trinch.store.pages.CHUNK", 1)
    store = ingested(tmp_path, [created(str(n), "storm") for n in range(3)])
    with trinch.open(tmp_path) as t:
        found = t.matches("storm")
        assert next(found).post.id == "0"
        store.ingest([ev.Hidden(at=now(), network="x", id="1", reason="withheld")])
        assert [hit.post.id for hit in found] == ["2"]


def test_a_failed_export_leaves_the_file_as_it_was(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "kept.csv"
    file.write_text("before")
    result = CliRunner().invoke(main, ["export", "(", "-o", str(file), "--data", str(data)])
    assert result.exit_code == 2
    assert file.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


def test_counts_over_time(data: Path) -> None:
    result = CliRunner().invoke(
        main, ["counts", "storm OR calm", "--by", "minute", "--json", "--data", str(data)]
    )
    found = json.loads(result.stdout)
    assert found["counts"] == [
        {"start": "2013-04-15T04:26:00Z", "posts": 1},
        {"start": "2013-04-15T04:27:00Z", "posts": 1},
    ]
    assert (found["total"], found["undated"]) == ({"posts": 3, "exact": True}, 1)


def test_pages_on_the_command_line(data: Path) -> None:
    def page(*more: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(
            CliRunner()
            .invoke(main, ["search", "storm OR calm", "--limit", "2", "--json", "--data", str(data), *more])
            .stdout
        )
        return found

    first = page("--total")
    assert first["total"] == {"posts": 3, "exact": True}
    second = page("--cursor", str(first["next"]))
    assert [len(one["hits"]) for one in (first, second)] == [2, 1]  # type: ignore[arg-type]
    assert second["next"] is None
    assert Store.open(data).num_posts == 3
