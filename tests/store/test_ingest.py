"""Files in, acknowledged and searchable posts out; what cannot be read is set aside. Through the command line."""

import gzip
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import tantivy
import zstandard
from click.testing import CliRunner

from trinch.cli.main import main
from trinch.store.store import Store

TRINCH = [sys.executable, "-m", "trinch.cli.main"]


def run(*arguments: str | Path, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run the command in this process, which saves a second of imports; an exception that it lets out is raised."""
    command = list(map(str, arguments))
    done = CliRunner().invoke(main, command, stdin, env={"COLUMNS": "200", "NO_COLOR": "1"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(command, done.exit_code, done.stdout_bytes, done.stderr_bytes)


def trinch(*arguments: str | Path, status: int = 0, stdin: bytes = b"") -> bytes:
    """Run the command; its standard output. The exit status is part of the contract."""
    done = run(*arguments, stdin=stdin)
    assert done.returncode == status, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done.stdout if status != 2 else done.stderr


def trinch_json(*arguments: str | Path, status: int = 0, stdin: bytes = b"") -> Any:
    return json.loads(trinch(*arguments, "--json", status=status, stdin=stdin))


def row(id: str, text: str, **more: object) -> bytes:
    return json.dumps(
        {"id": id, "platform": "test", "created_at": "2026-01-02T03:04:05Z", "text": text} | more
    ).encode()


GOOD = b"\n".join(
    [row("1", "the ferry is late"), row("2", "the ferry has landed"), row("1", "the ferry is late")]
)


def test_plain_gzip_zstandard_and_standard_input_are_ingested_alike(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(row("3", "three")))
    (tmp_path / "c.jsonl.zst").write_bytes(zstandard.compress(row("4", "four")))
    files = [tmp_path / name for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl.zst")]
    found = trinch_json("ingest", *files, "-", "--data", tmp_path / "o", stdin=row("5", "five"))
    assert {k: found[k] for k in ("read", "accepted", "duplicates", "rejected", "deleted")} == {
        "read": 6, "accepted": 5, "duplicates": 1, "rejected": 0, "deleted": 0,
    }  # fmt: skip
    assert found["seconds"] > 0
    assert found["posts_per_second"] > 0
    again = trinch_json("ingest", files[0], "--data", tmp_path / "o")
    assert (again["accepted"], again["duplicates"]) == (0, 3)
    hits = trinch_json("search", "ferry landed", "--data", tmp_path / "o")["hits"]
    assert [hit["id"] for hit in hits] == ["2"]
    assert set(hits[0]) == {
        "at",
        "attached",
        "place",
        "country",
        "latitude",
        "longitude",
        "undated",
        "author_name",
        "key",
        "network",
        "id",
        "url",
        "author",
        "created_at",
        "text",
        "lang",
        "score",
        "likes",
        "reposts",
        "replies",
    }
    assert hits[0]["created_at"] == "2026-01-02T03:04:05Z"


def test_malformed_lines_are_set_aside_with_their_place(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(
        b"\n".join(
            [
                row("1", "good"),
                b'{"id": "2", "platform": "test"}',
                b"\xff\xfe",
                b'{"half": ',
                row("3", "good"),
            ]
        )
    )
    data = tmp_path / "o"
    found = trinch_json("ingest", bad, "--data", data)
    assert (found["accepted"], found["rejected"]) == (2, 3)
    assert trinch_json("ingest", bad, "--data", tmp_path / "strict", "--strict", status=1)["rejected"] == 3
    aside = [json.loads(line) for line in (data / "rejected.jsonl").read_text().splitlines()]
    assert [(one["source"], one["line"]) for one in aside] == [(str(bad), 2), (str(bad), 3), (str(bad), 4)]
    assert "text" in aside[0]["reason"]
    assert aside[0]["raw"] == '{"id": "2", "platform": "test"}'
    assert "raw_base64" in aside[1]


def test_a_file_that_cannot_be_read_loses_nothing_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    with socket.socket(socket.AF_UNIX) as odd:  # exists, and opening it fails, for root too
        odd.bind(str(tmp_path / "odd"))
        done = run("ingest", tmp_path / "a.jsonl", tmp_path / "odd", "--json", "--data", tmp_path / "o")
    assert done.returncode == 1
    assert str(tmp_path / "odd").encode() in done.stderr
    assert b"Traceback" not in done.stderr
    assert json.loads(done.stdout)["accepted"] == 2
    assert len(trinch_json("search", "ferry", "--data", tmp_path / "o")["hits"]) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_ingest_keeps_what_it_read(tmp_path: Path, number: signal.Signals) -> None:
    command = [*TRINCH, "ingest", "-", "--json", "--data", str(tmp_path)]
    # A test run in the background inherits an ignored SIGINT; a terminal does not.
    restore = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    child = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, preexec_fn=restore)
    assert child.stdin
    lines = b"\n".join(row(str(n), "the ferry is late") for n in range(5000))
    child.stdin.write(lines + b"\n")
    child.stdin.flush()
    deadline = time.monotonic() + 30
    while not ((tmp_path / "ocean.db").exists() and Store.open(tmp_path).log.last_seq >= 4000):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(number)
    out, err = child.communicate()  # ends only when the indexer has closed its end, too
    assert child.returncode == 1
    assert b"interrupted" in err
    assert b"Traceback" not in err
    found = json.loads(out)
    assert found["read"] >= 4000
    # Interrupted right after a commit, a group is given to the log again, which knows it.
    assert found["accepted"] + found["duplicates"] == found["read"]
    state = trinch_json("stats", "--data", tmp_path)
    assert (state["posts"], state["indexes"][0]["behind"]) == (found["read"], 0)


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(GOOD,))
    writer.start()
    assert trinch_json("ingest", tmp_path / "pipe", "--data", tmp_path / "o")["accepted"] == 2
    writer.join()


@pytest.mark.parametrize("verb", [["ingest", "-"], ["search", "ferry"], ["stats"]])
def test_a_file_that_is_no_store_is_named(tmp_path: Path, verb: list[str]) -> None:
    (tmp_path / "ocean.db").write_text("my diary of all that I saw at sea, which is no database")
    done = run(*verb, "--data", tmp_path, stdin=GOOD)
    assert done.returncode == 1
    assert b"file is not a database" in done.stderr
    assert b"Traceback" not in done.stderr
    assert "diary" in (tmp_path / "ocean.db").read_text()


@pytest.mark.long
def test_a_full_disk_is_said_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    trinch("ingest", "-", "--data", tmp_path, stdin=GOOD)
    more = b"\n".join(row(f"m{n}", f"the ferry {n} is late again {'x' * 200}") for n in range(20_000))
    limit = (tmp_path / "ocean.db").stat().st_size + 1_000_000
    full = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
    command = [sys.executable, "-c", full + "from trinch.cli.main import main; main()"]
    done = subprocess.run(
        [*command, "ingest", "-", "--data", str(tmp_path)], input=more, capture_output=True, timeout=120
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert done.stderr
    assert [hit["id"] for hit in trinch_json("search", "landed", "--data", tmp_path)["hits"]] == ["2"]
    assert trinch_json("ingest", "-", "--data", tmp_path, stdin=more)["rejected"] == 0
    assert trinch_json("stats", "--data", tmp_path)["posts"] == 20_002


def test_output_cut_short_is_no_error(tmp_path: Path) -> None:
    lines = b"\n".join(row(str(n), f"the ferry {n} is late {'x' * 100}") for n in range(2000))
    trinch("ingest", "-", "--data", tmp_path, stdin=lines)
    for form in ([], ["--json"]):
        command = shlex.join([*TRINCH, "search", "ferry", "--limit", "2000", *form, "--data", str(tmp_path)])
        done = subprocess.run(f"{command} | head -c 10", shell=True, capture_output=True)
        assert (len(done.stdout), done.stderr.count(b"Traceback"), done.stderr.count(b"Broken")) == (10, 0, 0)


def test_deletions_in_a_file_count_and_take_effect(tmp_path: Path) -> None:
    gone = json.dumps(
        {"kind": "deleted", "platform": "test", "id": "1", "at": "2026-01-02T04:00:00Z"}
    ).encode()
    found = trinch_json("ingest", "-", "--data", tmp_path, stdin=GOOD + b"\n" + gone)
    assert (found["accepted"], found["deleted"]) == (3, 1)
    assert [hit["id"] for hit in trinch_json("search", "ferry", "--data", tmp_path)["hits"]] == ["2"]
    assert trinch_json("search", "late", "--data", tmp_path, status=1)["hits"] == []


def test_stats_count_what_was_ingested(tmp_path: Path) -> None:
    trinch("ingest", "-", "--data", tmp_path, stdin=GOOD)
    found = trinch_json("stats", "--data", tmp_path)
    assert found["posts"] == 2
    assert found["networks"] == {"test": 2}
    assert found["languages"] == {"en": 2}
    assert found["days"] == {"2026-01-02": 2}
    assert found["indexes"] == [{"name": "text", "posts": 2, "behind": 0}]
    assert found["bytes"]["log"] > 0
    assert b"2026-01-02" in trinch("stats", "--data", tmp_path)


def test_a_batch_is_written_as_a_trec_run(tmp_path: Path) -> None:
    trinch("ingest", "-", "--data", tmp_path / "o", stdin=GOOD)
    queries, run = tmp_path / "q.jsonl", tmp_path / "run.txt"
    queries.write_text(
        '{"_id": "q1", "text": "ferry landing"}\n{"_id": "q2", "text": "ferry", "as_of": "2026-01-01"}\n'
    )
    trinch("search", "--batch", queries, "--trec", run, "--data", tmp_path / "o")
    lines = [line.split() for line in run.read_text().splitlines()]
    assert [line[:4] for line in lines] == [["q1", "Q0", "2", "1"], ["q1", "Q0", "1", "2"]]
    assert float(lines[0][4]) > float(lines[1][4])
    queries.write_text('{"_id": "q1"}\n')
    assert b"line 1" in trinch(
        "search", "--batch", queries, "--trec", run, "--data", tmp_path / "o", status=2
    )


def test_an_index_that_was_lost_is_built_again_from_the_log(tmp_path: Path) -> None:
    trinch("ingest", "-", "--data", tmp_path, stdin=GOOD)
    for file in sorted((tmp_path / "text").rglob("*"), reverse=True):
        file.unlink()
    assert len(trinch_json("search", "ferry", "--data", tmp_path)["hits"]) == 2


def older_schema(index: Path) -> None:
    shutil.rmtree(index)
    index.mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("body")
    tantivy.Index(builder.build(), path=str(index))
    (index / "position").write_text("2")


def cut_file(index: Path) -> None:
    (index / "meta.json").write_text("{")


def lost_files(index: Path) -> None:
    for file in index.glob("*.term"):
        file.unlink()


@pytest.mark.parametrize("spoil", [older_schema, cut_file, lost_files])
def test_an_index_that_cannot_be_used_is_built_again_from_the_log(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    trinch("ingest", "-", "--data", tmp_path, stdin=GOOD)
    spoil(tmp_path / "text")
    assert len(trinch_json("search", "ferry", "--data", tmp_path)["hits"]) == 2
    more = trinch_json("ingest", "-", "--data", tmp_path, stdin=row("9", "one more ferry"))
    assert more["accepted"] == 1
    assert len(trinch_json("search", "ferry", "--data", tmp_path)["hits"]) == 3


def test_an_index_that_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    assert store.index.try_write()
    cut_file(tmp_path / "text")
    done = run("search", "ferry", "--data", tmp_path)
    assert done.returncode == 1
    assert b"another process is writing" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "from:ann (open"], b"never closed"),
        (["search", "since:soon"], b"cannot read the time"),
        (["search"], b"either a QUERY"),
        (["search", "x", "--as-of", "soon"], b"cannot read the time"),
        (["ingest", "no-such-file.jsonl"], b"no such file"),
        (["ingest", "-", "--format", "morse"], b"morse"),
    ],
)
def test_wrong_usage_is_2_and_says_why(tmp_path: Path, arguments: list[str], said: bytes) -> None:
    trinch("ingest", "-", "--data", tmp_path, stdin=GOOD)
    assert said in trinch(*arguments, "--data", tmp_path, status=2)


def test_a_missing_store_says_what_to_do(tmp_path: Path) -> None:
    for verb in (["search", "x"], ["ask", "x"], ["stats"]):
        done = subprocess.run([*TRINCH, *verb, "--data", str(tmp_path / "none")], capture_output=True)
        assert done.returncode == 1
        assert b"trinch ingest" in done.stderr


def test_hostile_text_cannot_steer_a_terminal(tmp_path: Path) -> None:
    evil = "ferry \x1b]0;owned\x07\x1b[2J \u202eevil [bold]markup[/] [link=https://evil.example]x[/link]"
    far = {"created_at": "9999-12-31T23:59:59.999999Z"}
    trinch("ingest", "-", "--data", tmp_path, stdin=row("1", evil, author="\x1b[31mred", **far))
    assert b"\x1b" not in trinch("stats", "--data", tmp_path)
    shown = trinch("search", "ferry", "--data", tmp_path).decode()
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold]markup[/]" in shown
    assert trinch_json("search", "ferry", "--data", tmp_path)["hits"][0]["text"] == evil
