"""The public Python API as a user writes it; the code of docs/python.md is run as it stands."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import trinch
from trinch.posts.schema import Created, Post
from trinch.simulator.sample import sample

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> trinch.Session:
    one = trinch.open(tmp_path_factory.mktemp("api") / "store")
    one.ingest(sample())
    return one


def test_the_code_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("pyarrow", "pandas", "polars"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    with trinch.open("store") as one:
        one.ingest(sample())
        Path("posts.jsonl").write_text(
            '{"platform": "x", "id": "5", "text": "a ferry docks", "created_at": "2026-05-01"}\n'
        )
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    exec(compile(code, str(PAGE), "exec"), {"__name__": "page"})
    assert capsys.readouterr().out


def test_posts_in_frames(store: trinch.Session) -> None:
    posts = store.search("explosion", limit=20)
    assert isinstance(posts, trinch.Posts)
    assert posts
    dicts = posts.to_dicts()
    assert [one["id"] for one in dicts] == [hit.post.id for hit in posts]
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    frame = posts.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["id"]) == [one["id"] for one in dicts]
    assert str(frame["created_at"].dtype).startswith("datetime64")
    assert isinstance(posts.to_polars(), polars.DataFrame)
    assert posts.to_polars()["text"].to_list() == list(frame["text"])


def test_counts_in_frames(store: trinch.Session) -> None:
    counts = store.counts("explosion", "hour")
    assert sum(counts.values()) == len(list(store.matches("explosion")))
    assert all(start.tzinfo == UTC for start in counts)
    assert list(counts.to_dict().values()) == list(counts.values())
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    series = counts.to_pandas()
    assert (series.index.name, list(series)) == ("start", list(counts.values()))
    assert counts.to_polars().columns == ["start", "posts"]
    assert trinch.Counts.of([]).to_pandas().empty


def test_results_show_as_tables_and_nothing_in_a_post_is_markup(tmp_path: Path) -> None:
    text = "<script>alert(1)</script> ferry docks"
    post = Post(network="x", id="5", created_at=1, text=text, author='"><img>', url="javascript:alert(1)")
    with trinch.open(tmp_path) as one:
        totals = one.ingest([Created(at=1, network="x", post=post)])
        shown = one.search("ferry")._repr_html_()
        assert "<script>" not in shown
        assert "<img>" not in shown
        assert "javascript:" not in shown
        assert "&lt;script&gt;" in shown
        assert "<th>accepted" not in totals._repr_html_()
        assert "accepted" in totals._repr_html_()
        assert totals.to_dict()["accepted"] == 1
        assert one.stats().to_dict()["posts"] == 1
        assert "posts" in one.stats()._repr_html_()
        assert "1 posts" in repr(one.search("ferry"))


def test_an_answer_prints_and_shows_its_sources(store: trinch.Session) -> None:
    answer = store.ask("How many people died in the explosion?")
    assert answer.claims
    assert answer.to_dict()["claims"][0]["text"] == answer.claims[0].text
    assert answer.claims[0].citations[0].quote in str(answer)
    assert answer._repr_html_().startswith("<table>")


def test_times_are_understood_as_people_type_them(store: trinch.Session) -> None:
    for when in ("19 April 2013", "yesterday", "-2h", datetime(2013, 4, 19, tzinfo=UTC), 0):
        store.search("explosion", as_of=when)
    assert not store.search("explosion", as_of="19 April 2013")
    with pytest.raises(ValueError, match="cannot read the time"):
        store.search("explosion", as_of="lately")
