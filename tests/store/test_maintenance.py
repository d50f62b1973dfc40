"""Check, repair, rebuild, backup and restore: damage is found, and what the log still holds comes back."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from trinch.posts import schema as ev
from trinch.posts.schema import Post
from trinch.store.bodies import plain
from trinch.store.database import SCHEMA_VERSION, StoreError
from trinch.store.log import Log
from trinch.store.maintenance import backup, check, rebuild, repair, restore
from trinch.store.store import Store

NOON = 1_366_000_000_000_000
NUMBER = 300


def created(n: int, text: str = "") -> ev.Created:
    text = text or f"the ferry {n} is late"
    post = Post(network="x", id=f"id{n}", text=text, created_at=NOON, author_id="a", lang="en")
    return ev.Created(at=NOON + n, network="x", post=post)


def make(folder: Path) -> Path:
    store = Store.open(folder)
    store.ingest([created(n) for n in range(NUMBER)], {"live": "7"})
    store.ingest([ev.Deleted(at=NOON, network="x", id="id5")])
    store.catch_up()
    store.close()
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("original"))


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "data"))


def found(data: Path) -> set[str]:
    store = Store.open(data)
    store.catch_up()
    hits = {hit.post.id for hit in store.search("ferry", limit=NUMBER * 2)}
    store.close()
    return hits


ALL = {f"id{n}" for n in range(NUMBER)} - {"id5"}


def test_a_sound_store_has_no_problems(data: Path) -> None:
    report = check(data)
    assert report.problems == []
    assert (report.events, report.erased, report.posts, report.indexed) == (
        NUMBER + 1,
        1,
        NUMBER - 1,
        NUMBER - 1,
    )


def test_after_a_clean_stop_the_database_file_alone_is_whole(data: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    shutil.copy(data / "ocean.db", tmp_path / "copy" / "ocean.db")
    assert found(tmp_path / "copy") == ALL


def test_closing_empties_the_write_ahead_log_though_others_have_the_store_open(tmp_path: Path) -> None:
    other = Log(tmp_path / "ocean.db")
    store = Store.open(tmp_path)
    store.ingest([created(1)])
    assert (tmp_path / "ocean.db-wal").stat().st_size > 0
    store.close()
    assert (tmp_path / "ocean.db-wal").stat().st_size == 0
    other.close()


def test_commits_are_synchronous(tmp_path: Path) -> None:
    db = Log(tmp_path / "ocean.db")._db
    assert db.execute("PRAGMA synchronous").fetchone() == (2,), "FULL: on disk when append returns"
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA secure_delete").fetchone() == (1,)


def corrupt(data: Path, rng: random.Random, other: Path) -> str:
    """Truncate, flip, remove or swap one file of a store; what was done."""
    files = sorted(path for path in data.rglob("*") if path.is_file() and ".lock" not in path.name)
    file = rng.choice([path for path in files if path.stat().st_size and path.name != ".managed.json"])
    how = rng.choice(["truncate", "flip", "remove", "swap"])
    content = bytearray(file.read_bytes())
    if how == "truncate":
        file.write_bytes(content[: rng.randrange(len(content))])
    elif how == "flip":
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        file.write_bytes(content)
    elif how == "remove":
        file.unlink()
    else:
        source = rng.choice([path for path in files if path != file and path.read_bytes() != content])
        shutil.copy(source, file)
    return f"{how} {file.name}"


def run_corruptions(original: Path, folder: Path, first: int, number: int) -> None:
    for seed in range(first, first + number):
        data = Path(shutil.copytree(original, folder / str(seed)))
        what = f"seed {seed}: {corrupt(data, random.Random(seed), original)}"
        before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
        report = check(data)
        assert {path: path.read_bytes() for path in before} == before, f"a check changes nothing ({what})"
        if not (data / "ocean.db").exists():
            assert report.problems, what
            continue
        repair(data)
        hits = found(data)
        if "ocean.db" not in what:
            assert hits == ALL, what
        assert hits <= ALL, what
        if not report.problems:
            assert hits == ALL, f"not detected, and something is lost ({what})"
        shutil.rmtree(data)


def test_random_corruptions_are_detected_and_repaired(original: Path, tmp_path: Path) -> None:
    run_corruptions(original, tmp_path, 0, 12)


def test_a_footer_that_is_not_text_is_damage(data: Path) -> None:
    file = next((data / "text").glob("*.store"))
    content = bytearray(file.read_bytes())
    at = content.rindex(b'"crc"') + 1
    content[at] |= 0x80
    file.write_bytes(content)
    assert [problem.file.rpartition("/")[2] for problem in check(data).problems] == [file.name]
    repair(data)
    assert found(data) == ALL


def test_a_panic_of_the_index_is_repaired(original: Path, tmp_path: Path) -> None:
    """Tantivy panics on some files of columns: on this one while it opens the index."""
    run_corruptions(original, tmp_path, 1_000_070, 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_very_many_random_corruptions(original: Path, tmp_path: Path) -> None:
    first = 10**6 * int(os.environ.get("TRINCH_SEED", "1"))
    run_corruptions(original, tmp_path, first, int(os.environ.get("TRINCH_CASES", "1000")))


def test_a_damaged_log_gives_back_every_event_that_can_be_read(data: Path) -> None:
    damage_event(data / "ocean.db", 8)
    assert "event 8 is damaged" in check(data).problems[0].what
    assert repair(data).repaired
    assert found(data) == ALL - {"id7"}
    assert list(data.glob("ocean.db.damaged-*")), "the damaged file is kept"
    assert check(data).problems == []
    log = Log(data / "ocean.db")
    assert log.cursor("live") == "7"
    assert log.append([created(5)]).duplicates == 1, "what was deleted stays deleted"
    log.close()


def test_a_damaged_log_gives_back_likes_and_counts(data: Path) -> None:
    def like(n: int, id: str) -> ev.Event:
        return ev.Reacted(at=NOON + n, network="x", id=id, record=f"like/{n}", what="like")

    def counts() -> dict[str, tuple[int | None, int | None]]:
        seqs = [seq for n in (3, 4, 7) for seq in log.seqs_of(f"x:id{n}")]
        return {v.post.id: (v.post.likes, v.post.reposts) for v in log.visible(seqs).values()}

    log = Log(data / "ocean.db")
    log.append([like(n, "id3") for n in range(5)] + [like(9, "id7")])
    log.append([ev.Unreacted(at=NOON + 9, network="x", record="like/4")])
    log.append([ev.CountsChanged(at=NOON + 9, network="x", id="id4", likes=70, reposts=3)])
    wanted = {"id3": (4, None), "id4": (70, 3)}
    assert counts() == wanted | {"id7": (1, None)}
    log.close()
    damage_event(data / "ocean.db", 8)
    assert repair(data).repaired
    log = Log(data / "ocean.db")
    assert counts() == wanted
    assert log.append([like(n, "id3") for n in range(5)]).duplicates == 5
    log.append([ev.Unreacted(at=NOON + 9, network="x", record="like/1")])
    assert counts() == wanted | {"id3": (3, None)}
    log.close()
    assert check(data).problems == []
    db = sqlite3.connect(data / "ocean.db")
    db.execute(
        "UPDATE reactions SET seq = 1000000 WHERE hash IN (SELECT hash FROM reactions WHERE is_undone LIMIT 1)"
    )
    db.commit()
    db.close()
    assert check(data).problems[0].what == "1 reactions of posts that never were"


def damage_event(path: Path, seq: int) -> None:
    """Change a bit of a stored event."""
    content = bytearray(path.read_bytes())
    db = sqlite3.connect(path)
    (body,) = db.execute("SELECT body FROM events WHERE seq = ?", (seq,)).fetchone()
    db.close()
    content[content.index(body) + len(body) // 2] ^= 1
    path.write_bytes(content)


def test_data_of_a_later_release_is_refused_and_left_alone(data: Path) -> None:
    db = sqlite3.connect(data / "ocean.db")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    before = (data / "ocean.db").read_bytes()
    with pytest.raises(StoreError, match="later release"):
        Store.open(data)
    assert "later release" in check(data).problems[0].what
    with pytest.raises(StoreError, match="later release"):
        repair(data)
    assert (data / "ocean.db").read_bytes() == before


def test_an_empty_log_beside_a_full_index_is_refused(data: Path) -> None:
    (data / "ocean.db").unlink()
    assert check(data).problems[0].what == "missing"
    store = Store.open(data)
    with pytest.raises(StoreError, match="Put the file back"):
        store.catch_up()
    assert store.num_posts == len(ALL), "the index is left alone"
    store.close()
    assert rebuild(data) == 0


def test_an_index_without_its_meta_file_is_built_again(data: Path) -> None:
    (data / "text" / "meta.json").unlink()
    assert [problem.file for problem in check(data).problems] == ["text/meta.json"]
    assert found(data) == ALL


def test_an_index_of_another_log_is_reported_and_built_again(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    store = Store.open(other)
    store.ingest([created(n, "another ferry") for n in range(NUMBER + 1)])
    store.close()
    shutil.copy(other / "ocean.db", data / "ocean.db")
    assert [problem.file for problem in check(data).problems] == ["text/owner"]
    assert found(data) == {f"id{n}" for n in range(NUMBER + 1)}


def test_a_backup_of_a_store_in_use_restores_it(data: Path, tmp_path: Path) -> None:
    store = Store.open(data)
    store.ingest([created(1000)])
    assert backup(data, tmp_path / "backup") == NUMBER + 2
    store.ingest([created(1001)])
    assert restore(tmp_path / "backup", tmp_path / "new") == NUMBER + 2
    assert found(tmp_path / "new") == ALL | {"id1000"}
    with pytest.raises(StoreError, match="--replace"):
        restore(tmp_path / "backup", data)
    restore(tmp_path / "backup", data, replace=True)
    assert found(data) == ALL | {"id1000"}
    assert {hit.post.id for hit in store.search("ferry", limit=1000)} == ALL | {"id1000"}
    store.close()
    with pytest.raises(StoreError, match="already holds a store"):
        backup(data, tmp_path / "backup")


def test_data_of_release_0_1_0_is_upgraded(tmp_path: Path) -> None:
    script = (Path(__file__).parent / "schema_0_1_0.sql").read_text()
    db = sqlite3.connect(tmp_path / "ocean.db")
    db.executescript(script)
    db.execute("UPDATE events SET body = CAST(body AS BLOB)")  # as the release wrote them
    db.commit()
    db.close()
    log = Log(tmp_path / "ocean.db")
    assert [version.post.text for version in log.visible([1, 2, 3]).values()] == ["shown"]
    assert log.visible([1])[1].post.author == "anna"
    again = ev.AccountRestored(at=NOON + 9, network="x", author_id="b", reason="protected")
    log.append([again])
    assert [version.post.text for version in log.visible([1, 2, 3]).values()] == ["shown", "protected"]
    log.close()
    assert check(tmp_path).problems[0].file == "text/meta.json"


@pytest.mark.parametrize("verb", [["check"], ["search", "ferry"], ["stats"]])
def test_a_damaged_store_is_an_error_for_people(data: Path, verb: list[str]) -> None:
    content = bytearray((data / "ocean.db").read_bytes())
    content[:50] = os.urandom(50)
    (data / "ocean.db").write_bytes(content)
    command = [sys.executable, "-m", "trinch.cli.main", *verb, "--data", str(data)]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 1
    assert b"check --repair" in done.stderr
    assert b"Traceback" not in done.stderr


def check_counts_of_an_earlier_format(log: Log) -> None:
    """Until format 3, counts and reactions had the key of their post."""

    def counts() -> tuple[int | None, int | None]:
        (version,) = log.visible(log.seqs_of("x:id3")).values()
        return version.post.likes, version.post.reposts

    assert counts() == (2, 1)
    known = [ev.Reacted(at=9, network="x", id="id3", record=f"like/{n}", what="like") for n in (1, 2)]
    assert log.append(known).duplicates == 2
    log.append([ev.Unreacted(at=9, network="x", record=f"like/{n}") for n in (1, 2)])
    assert counts() == (1, 1), "one of the two was taken back before"


def test_data_of_format_2_is_read_as_it_is_and_counted(data: Path) -> None:
    """Format 2 has the bodies as JSON and no table of numbers."""
    wanted = found(data)
    log = Log(data / "ocean.db")
    numbers = log.num_posts_by("lang")
    log.close()
    db = sqlite3.connect(data / "ocean.db")
    for seq, body in db.execute("SELECT seq, body FROM events WHERE body IS NOT NULL").fetchall():
        db.execute(
            "UPDATE events SET body = ?, crc = ? WHERE seq = ?", (plain(body), zlib.crc32(plain(body)), seq)
        )
    db.executescript(
        "DROP TABLE tallies; DROP TABLE counts; DROP TABLE reactions; ALTER TABLE posts DROP COLUMN has_counts;"
        "CREATE TABLE counts (key TEXT PRIMARY KEY, at INTEGER NOT NULL, likes INTEGER, reposts INTEGER,"
        " replies INTEGER, quotes INTEGER) WITHOUT ROWID;"
        "CREATE TABLE reactions (record TEXT PRIMARY KEY, key TEXT NOT NULL, what TEXT NOT NULL,"
        " undone INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
        "INSERT INTO counts VALUES ('x:id3', 5, 2, 1, NULL, NULL);"
        "INSERT INTO reactions VALUES ('x:like/1', 'x:id3', 'like', 0), ('x:like/2', 'x:id3', 'like', 1);"
        "PRAGMA user_version = 2"
    )
    db.close()
    assert found(data) == wanted
    assert check(data).problems == []
    log = Log(data / "ocean.db")
    assert log.num_posts_by("lang") == numbers == {"en": NUMBER - 1}
    assert log.append([created(0)]).duplicates == 1
    check_counts_of_an_earlier_format(log)
    log.append([ev.Deleted(at=NOON, network="x", id="id7")])
    assert log.num_posts_by("lang") == {"en": NUMBER - 2}
    log.close()
    assert found(data) == wanted - {"id7"}
