"""Alerts in backups: what is copied, brought back, checked and saved; numbers of firings are never given twice."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import trinch
from tests.alerts.receiver import created, ingest
from trinch.alerts import database
from trinch.alerts.consumer import Consumer
from trinch.alerts.engine import exclusively
from trinch.cli.main import main
from trinch.store.store import Store


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A store with an alert that fired once."""
    folder = tmp_path / "data"
    with closing(Store.open(folder)) as store:
        ingest(store, created("first", "a calm day"))
        with trinch.open(folder) as t:
            t.alerts.add("flood", webhook="https://example.org/hook")
        ingest(store, created("flood1", "a flood in the harbour"))
        follow(folder, store)
    return folder


def follow(folder: Path, store: Store) -> None:
    """Match what the log holds."""
    with closing(database.connect(folder)) as db:
        consumer = Consumer(store, db)
        while consumer.step():
            pass


def firings(folder: Path) -> list[int]:
    with closing(database.connect(folder)) as db:
        return [n for n, _ in database.firings_of(db, 0, 100)]


def alerts(folder: Path) -> list[dict[str, Any]]:
    with trinch.open(folder) as t:
        return t.alerts.list()


def test_a_backup_brings_alerts_back_and_they_go_on_where_the_log_ends(data: Path, tmp_path: Path) -> None:
    backup, new = tmp_path / "backup", tmp_path / "new"
    done = run("backup", backup, "--data", data)
    assert "and 1 alerts copied" in done.output
    assert stat.S_IMODE((backup / "alerts.db").stat().st_mode) == 0o600
    with closing(
        Store.open(data)
    ) as store:  # what fires after the backup has numbers that are not given again
        ingest(store, created("flood2", "the flood again"))
        follow(data, store)
    assert run("restore", backup, "--data", new).exit_code == 0
    assert stat.S_IMODE((new / "alerts.db").stat().st_mode) == 0o600
    assert alerts(new) == alerts(data)
    with closing(database.connect(new)) as db, closing(database.connect(data)) as before:
        assert [one.secret for one in database.alerts(db)] == [one.secret for one in database.alerts(before)]
    with closing(Store.open(new)) as store:
        follow(new, store)
        assert firings(new) == firings(data)[:1]  # nothing fires twice
        ingest(store, created("flood3", "a third flood"))
        follow(new, store)
    assert firings(new)[0] == firings(data)[0]
    assert firings(new)[1] > max(firings(data))


def test_restore_with_replace_keeps_the_alerts_that_were_there(data: Path, tmp_path: Path) -> None:
    assert run("backup", tmp_path / "backup", "--data", data).exit_code == 0
    with trinch.open(data) as t:
        t.alerts.add("storm")
    with exclusively(data):
        refused = run("restore", tmp_path / "backup", "--replace", "--data", data)
        assert refused.exit_code == 1
        assert "runs the alerts" in refused.output
    assert len(alerts(data)) == 2
    assert run("restore", tmp_path / "backup", "--replace", "--data", data).exit_code == 0
    assert [alert["query"] for alert in alerts(data)] == ["flood"]
    (kept,) = data.glob("alerts.db.replaced-*")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with closing(sqlite3.connect(kept)) as db:
        assert db.execute("SELECT count(*) FROM alerts").fetchone() == (2,)


def test_a_damaged_alert_is_reported_and_the_others_are_saved(data: Path) -> None:
    with trinch.open(data) as t:
        kept = t.alerts.add("storm")["id"]
    assert run("check", "--data", data).exit_code == 0
    with closing(database.connect(data)) as db:
        db.execute("UPDATE alerts SET body = x'00ff' WHERE id != ?", (kept,))
    found = run("check", "--data", data)
    assert found.exit_code == 1
    assert "alerts.db: alert a" in found.output
    repaired = run("check", "--repair", "--data", data)
    assert repaired.exit_code == 0
    assert "1 alerts saved" in repaired.output
    assert [alert["id"] for alert in alerts(data)] == [kept]
    assert run("check", "--data", data).exit_code == 0


@pytest.mark.parametrize("file", ["alerts.db", "stories.db"])
def test_a_file_that_is_no_database_is_reported_and_replaced(data: Path, file: str) -> None:
    for old in data.glob(f"{file}*"):
        old.unlink()
    (data / file).write_bytes(b"not a database " * 400)
    found = run("check", "--data", data)
    assert found.exit_code == 1
    assert f"{file}: damaged" in found.output
    assert run("check", "--repair", "--data", data).exit_code == 0
    assert run("check", "--data", data).exit_code == 0
    assert alerts(data) == [] if file == "alerts.db" else len(alerts(data)) == 1


def test_a_backup_without_alerts_leaves_those_that_are_there(data: Path, tmp_path: Path) -> None:
    assert run("backup", tmp_path / "backup", "--data", data).exit_code == 0
    (tmp_path / "backup" / "alerts.db").unlink()
    assert run("restore", tmp_path / "backup", "--replace", "--data", data).exit_code == 0
    assert len(alerts(data)) == 1


@pytest.mark.parametrize("file", ["alerts.db", "ocean.db"])
def test_a_backup_is_restored_over_a_file_too_damaged_to_be_read(
    data: Path, tmp_path: Path, file: str
) -> None:
    assert run("backup", tmp_path / "backup", "--data", data).exit_code == 0
    (data / file).write_bytes(b"no database at all" * 1000)
    done = run("restore", tmp_path / "backup", "--data", data, "--replace")
    assert done.exit_code == 0, done.output
    assert len(alerts(data)) == 1
    (kept,) = data.glob(f"{file}.replaced-*")
    assert kept.read_bytes().startswith(b"no database")


def test_a_backup_that_fails_leaves_nothing_that_looks_like_one(data: Path, tmp_path: Path) -> None:
    (data / "alerts.db").write_bytes(b"no database at all" * 1000)
    assert run("backup", tmp_path / "backup", "--data", data).exit_code == 1
    assert not list((tmp_path / "backup").glob("*.db"))
