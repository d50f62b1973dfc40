"""Order of training sequences: a pure function of (seed, step), split by row over the processes.

Nothing here has state, so a run resumed at any step, on any number of processes, sees the same batches.
"""

import numpy as np
import numpy.typing as npt

_MASK = (1 << 64) - 1


def mix(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): a bijection of 64-bit words that looks
    random."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def shuffled(index: npt.NDArray[np.int64], size: int, key: int) -> npt.NDArray[np.int64]:
    """Where a random permutation of range(size) sends each index, without ever holding the permutation.

    A four-round Feistel network over the least even number of bits that covers `size`, walked until it lands
    inside (Black & Rogaway 2002, "Ciphers with arbitrary finite domains").
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    low, shift = np.uint64((1 << half) - 1), np.uint64(half)
    keys = mix(np.uint64(key & _MASK) ^ np.arange(4, dtype=np.uint64))
    out = np.asarray(index).astype(np.uint64)
    todo = np.ones(out.shape, bool)
    while todo.any():
        left, right = out[todo] >> shift, out[todo] & low
        for k in keys:
            left, right = right, left ^ (mix(right ^ k) & low)
        out[todo] = left << shift | right
        todo = out >= size
    return out.astype(np.int64)


def rows(seed: int, step: int, batch: int, size: int) -> npt.NDArray[np.int64]:
    """The `batch` sequences (of `size`) that make up this step, in order. Each pass over them is shuffled
    anew."""
    place = np.arange(step * batch, (step + 1) * batch)
    out = np.empty(batch, np.int64)
    for epoch in np.unique(place // size):
        here = place // size == epoch
        out[here] = shuffled(place[here] % size, size, (seed << 32) ^ int(epoch) * 0x9E3779B1)
    return out
