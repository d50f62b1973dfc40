"""Whatever arrives, a parser answers with events or with `Malformed`."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.posts.samples import ALL
from trinch.posts import jetstream, jsonl, x
from trinch.posts.schema import Event, Malformed

PARSERS: dict[str, Callable[[bytes], list[Event]]] = {
    "x": x.parse,
    "jetstream": jetstream.parse,
    "jsonl": jsonl.parse,
}
parsers = pytest.mark.parametrize("name", PARSERS)

FIELDS = sorted({word for lines in ALL.values() for one in lines for word in one.decode().split('"')[1::2]})
atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(FIELDS)
    | st.sampled_from(["", "0", "2025-02-30T00:00:00Z", "9" * 40, "at://", "did:", "&amp;#x0;", "\ud7ff\x00"])
)
values = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


def answer(name: str, line: bytes) -> None:
    try:
        events = PARSERS[name](line)
    except Malformed as error:
        events, reason = [], str(error)
    else:
        reason = "fine"
    assert 0 < len(reason) < 500
    for event in events:
        assert 0 < len(event.network) < 100 or name == "jsonl"
        assert jsonl.parse(jsonl.dump(event)) == [event]
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Event) == event


@parsers
@given(line=st.binary())
def test_any_bytes(name: str, line: bytes) -> None:
    answer(name, line)


@parsers
@given(value=values)
def test_any_json(name: str, value: object) -> None:
    answer(name, json.dumps(value).encode())


@parsers
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_real_line_with_one_value_changed(name: str, data: st.DataObject) -> None:
    value = json.loads(data.draw(st.sampled_from(ALL[name])))
    parent: Any = value
    key = data.draw(st.sampled_from(keys(parent)))
    while isinstance(parent[key], dict | list) and parent[key] and data.draw(st.booleans()):
        parent = parent[key]
        key = data.draw(st.sampled_from(keys(parent)))
    if data.draw(st.booleans()):
        parent[key] = data.draw(values)
    else:
        del parent[key]
    answer(name, json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass"))


def keys(parent: Any) -> list[Any]:
    return list(parent) if isinstance(parent, dict) else list(range(len(parent)))


@parsers
@given(data=st.data())
def test_a_real_line_with_bytes_changed(name: str, data: st.DataObject) -> None:
    line = bytearray(data.draw(st.sampled_from(ALL[name])))
    at = data.draw(st.integers(0, len(line)))
    line[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    answer(name, bytes(line[: data.draw(st.integers(0, len(line) + 50))]))


@parsers
@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"data":' * 50_000, b'{"a":[' * 9999, b"[[]]", b"[1]", b"1"]
)
def test_deep_or_odd_nesting_is_refused(name: str, line: bytes) -> None:
    with pytest.raises(Malformed):
        PARSERS[name](line)


@parsers
@pytest.mark.parametrize("line", [b"", b"\n", b" \r\n", b"\t"])
def test_a_keep_alive_is_nothing(name: str, line: bytes) -> None:
    assert PARSERS[name](line) == []


@parsers
def test_the_samples_are_read(name: str) -> None:
    for line in ALL[name]:
        assert PARSERS[name](line)
