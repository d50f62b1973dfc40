"""Files as they come: compressed, cut, oversized, pretty-printed, mixed."""

import gzip
import io
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.posts.samples import ALL, line, sky_commit, v1_status, x_line, x_tweet
from trinch.posts import formats
from trinch.posts.schema import Created
from trinch.sources import files, framing
from trinch.sources.files import Reject, events, read

Pack = Callable[[bytes], bytes]


def zstd_frames(data: bytes) -> bytes:
    """Several frames, the way `zstd -c >>` and parallel compressors write them, one of them skippable."""
    third = len(data) // 3 + 1
    parts = [data[i : i + third] for i in range(0, len(data), third)]
    return b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + b"".join(zstandard.compress(part) for part in parts)


def gzip_members(data: bytes) -> bytes:
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(data[half:])


packed = pytest.mark.parametrize("pack", [bytes, gzip_members, zstd_frames], ids=["plain", "gzip", "zstd"])


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@packed
def test_lines_come_numbered_and_whole(tmp_path: Path, pack: Pack) -> None:
    file = write(tmp_path / "posts", pack(b'{"a":1}\n\n{"b":2}\r\n  {"c":3}'))
    assert list(read(file)) == [(1, b'{"a":1}'), (3, b'{"b":2}'), (4, b'{"c":3}')]


@packed
def test_nothing_is_lost_across_many_chunks(tmp_path: Path, pack: Pack) -> None:
    lines = [b'{"n":%d,"pad":"%s"}' % (n, b"x" * (n % 97)) for n in range(20_000)]
    assert list(read(write(tmp_path / "posts", pack(b"\n".join(lines))))) == list(enumerate(lines, 1))


@given(chunks=st.lists(st.binary(max_size=6), max_size=8))
def test_lines_do_not_depend_on_how_bytes_arrive(chunks: list[bytes]) -> None:
    lines = b"".join(chunks).split(b"\n")
    expected = [(n, one) for n, one in enumerate(lines, 1) if one or n < len(lines)]
    assert list(framing.lines("f", iter([chunk for chunk in chunks if chunk]))) == expected


@packed
def test_a_cut_file_gives_what_it_has_and_says_so(tmp_path: Path, pack: Pack) -> None:
    whole = pack(b"\n".join(ALL["jsonl"][:1] * 4000))
    items = list(events(write(tmp_path / "posts", whole[: len(whole) - 9])))
    bad = [item for item in items if isinstance(item, Reject)]
    assert len(items) - len(bad) > 3000 or pack is not bytes
    assert items[-1] is bad[-1]
    assert bad[-1].file == str(tmp_path / "posts")
    if pack is bytes:
        assert bad[0].line == 4000
        assert "not JSON" in bad[0].reason
    else:
        assert "cannot read on" in bad[-1].reason


def test_a_damaged_compressed_file_is_reported(tmp_path: Path) -> None:
    data = bytearray(zstandard.compress(b"\n".join(ALL["x"] * 500)))
    data[len(data) // 2] ^= 0xFF
    for name, raw in (("a", bytes(data)), ("b", gzip.compress(b"{}")[:-4] + b"oops"), ("c", b"\x1f\x8b\x00")):
        last = list(events(write(tmp_path / name, raw)))[-1]
        assert isinstance(last, Reject)
        assert "cannot read on" in last.reason or "not JSON" in last.reason


@packed
def test_an_endless_line_is_passed_over_in_little_memory(tmp_path: Path, pack: Pack) -> None:
    long = b'{"text":"' + b"x" * (3 * files.MAX_LINE) + b'"}'
    file = write(tmp_path / "posts", pack(b'{"a":1}\n' + long + b'\n{"b":2}\n'))
    del long
    tracemalloc.start()
    try:
        items = list(read(file))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [items[0], items[2]] == [(1, b'{"a":1}'), (3, b'{"b":2}')]
    assert isinstance(items[1], Reject)
    assert (items[1].line, items[1].reason) == (2, "longer than 16 MiB")
    assert peak < 6 * files.MAX_LINE


def test_pretty_printed_documents_and_arrays(tmp_path: Path) -> None:
    one, two = x_line(), v1_status()
    pretty = json.dumps(one, indent=4) + "\n" + json.dumps(two, indent="\t") + "\n"
    array = json.dumps([two, sky_commit()], indent=1)
    lists = "[\n" + json.dumps(one) + ",\n" + json.dumps(two) + "\n]\n" + json.dumps([two, one])
    for text, expected in ((pretty, [one, two]), (array, [two, sky_commit()]), (lists, [one, two, two, one])):
        items = list(read(write(tmp_path / "posts.json", text.encode())))
        assert [json.loads(item[1]) for item in items] == expected


def test_a_cut_line_does_not_swallow_its_neighbours(tmp_path: Path) -> None:
    good = ALL["jsonl"][0]
    items = list(events(write(tmp_path / "posts", b"\n".join([good, good[:50], good, b"]", b"{", good]))))
    assert [item.line if isinstance(item, Reject) else len(item) for item in items] == [1, 2, 1, 5, 1]


def test_an_unclosed_document_too_long_is_one_reject(tmp_path: Path) -> None:
    rows = b'  "key": "' + b"x" * 1000 + b'",\n'
    items = list(read(write(tmp_path / "posts", b"{\n" + rows * 20_000 + b'"a": 1}\n{"b":2}')))
    assert isinstance(items[0], Reject)
    assert items[1:] == [(20_003, b'{"b":2}')]


@pytest.mark.timeout(20)  # by the square of its length, it would take hours
def test_a_cut_line_full_of_quotation_marks_is_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b'{"text": "' + b'\\"' * 1_000_000 + b'\n{"a": 1}\n')
    assert [item[0] for item in read(path) if not isinstance(item, Reject)] == [1, 2]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    assert list(read(write(tmp_path / "posts", b'\xef\xbb\xbf{"a":1}'))) == [(1, b'{"a":1}')]


def test_an_empty_file_has_nothing(tmp_path: Path) -> None:
    assert list(events(write(tmp_path / "posts", b""))) == []


def test_a_missing_file_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(events(tmp_path / "none"))


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "posts", zstandard.compress(b"\n".join(ALL["x"] * 2000)))
    told: list[int] = []
    assert sum(1 for _ in read(file, told.append)) == 2000 * len(ALL["x"])
    assert told == sorted(told)
    assert told[-1] == file.stat().st_size


def test_standard_input(tmp_path: Path) -> None:
    code = "from trinch.sources.files import events\nfor e in events('-'): print(type(e[0]).__name__, flush=True)"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    process.stdin.write(line(x_line()) + b"\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"Created\n"  # before the pipe is closed
    out, _ = process.communicate(line(sky_commit("delete")))
    assert out == b"Deleted\n"
    zipped = gzip.compress(line(x_line()))
    assert (
        subprocess.run([sys.executable, "-c", code], input=zipped, capture_output=True).stdout == b"Created\n"
    )


@pytest.mark.parametrize("name", ALL)
def test_every_sample_is_told_by_its_keys(name: str) -> None:
    assert {formats.detect(one) for one in ALL[name]} == {name}


def test_words_in_a_text_do_not_decide_the_format() -> None:
    text = 'my "platform": "x" and "time_us": 5'
    tags = {"hashtags": [{"tag": "platform"}, {"tag": "time_us"}]}
    assert formats.detect(line(x_line(x_tweet(text=text, entities=tags)))) == "x"
    assert formats.detect(line({**json.loads(ALL["jsonl"][0]), "text": '{"time_us": 5}'})) == "jsonl"


def test_mixed_formats_in_one_file(tmp_path: Path) -> None:
    lines = [one for lines in zip(*ALL.values(), strict=False) for one in lines]
    items = list(events(write(tmp_path / "posts", b"\n".join(lines))))
    assert not [item for item in items if isinstance(item, Reject)]
    networks = {event.network for item in items for event in item}
    assert networks == {"x", "bluesky"}


def test_a_named_format_is_the_only_one_read(tmp_path: Path) -> None:
    file = write(tmp_path / "posts", line(x_line()) + b"\n" + line(sky_commit()))
    first, second = events(file, "x")
    assert isinstance(first, list)
    assert isinstance(first[0], Created)
    assert isinstance(second, Reject)
    assert second.line == 2
    with pytest.raises(KeyError):
        list(events(file, "fax"))


def test_memory_stays_bounded_on_a_bomb(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(raw, closefd=False) as writer:
        for _ in range(256):
            writer.write(bytes(2**20))
    tracemalloc.start()
    try:
        (only,) = read(write(tmp_path / "bomb", raw.getvalue()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(only, Reject)
    assert peak < 8 * files.MAX_LINE
