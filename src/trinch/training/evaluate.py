"""Evaluation: bits per byte of held-out posts, beside a unigram and a bigram model of the same tokens.

Bits per byte divide by the bytes of the text, so that tokenizers are comparable. The end of a post is coded too and
has no bytes, for the model and the baselines alike.
"""

import math

import numpy as np
import numpy.typing as npt
import torch

from trinch.training.data import IGNORE, Batch, Corpus, Tokens
from trinch.training.losses import NextToken
from trinch.training.settings import Settings
from trinch.training.step import Engine

DISCOUNT = 0.75
"""Taken off every bigram count and given to the unigram model (absolute discounting, Ney, Essen & Kneser
1994)."""


def evaluation_sequences(tokens: Tokens, most: int) -> npt.NDArray[np.int64]:
    """At most so many held-out sequences, evenly spread over time; always the same ones."""
    count = min(most, len(tokens))
    return np.arange(count) * len(tokens) // count


def held_out_batch(corpus: Corpus, most: int) -> Batch:
    """(inputs, targets) of at most so many held-out sequences, unchanged."""
    return corpus.held_out.take(evaluation_sequences(corpus.held_out, most))


def bits_per_byte(engine: Engine, corpus: Corpus, settings: Settings, held_out: Batch) -> float:
    """Bits per byte of the model in its current state on these sequences; equal on every process."""
    world = engine.world
    whole = engine.size * world.shape.data_ways
    tally = NextToken(z_loss=0.0)
    for begin in range(0, len(held_out[0]), whole):
        inputs, targets = (rows[begin : begin + whole] for rows in held_out)
        short = whole - len(inputs)
        inputs, targets = (
            np.pad(x, ((0, short), (0, 0)), constant_values=v) for x, v in ((inputs, 0), (targets, IGNORE))
        )
        mine = slice(world.data_rank * engine.size, (world.data_rank + 1) * engine.size)
        x, y = (
            torch.from_numpy(np.ascontiguousarray(part[mine])).to(world.device) for part in (inputs, targets)
        )
        engine.evaluate(x, y, tally)
    (total,) = world.sum(float(tally.take()))
    return total / world.shape.tensor / math.log(2) / text_bytes(corpus, held_out[1])


def text_bytes(corpus: Corpus, targets: npt.NDArray[np.int64]) -> int:
    """Bytes of text that these targets stand for."""
    return max(1, int(corpus.bytes_of_tokens[targets[targets != IGNORE]].sum()))


def ngram_baselines(corpus: Corpus, most: int) -> dict[str, float]:
    """Bits per byte of a unigram and a bigram model of the training tokens, on the same held-out sequences.

    The unigram model adds one to each count. The bigram model is interpolated with it by absolute
    discounting, and sees the last token of the previous sequence only as the model does: as the first input.
    """
    size = corpus.tokenizer.vocab_size
    train = np.asarray(corpus.train.tokens, np.int64)
    unigram = np.bincount(train, minlength=size) + 1.0
    unigram /= unigram.sum()
    pairs, counts = np.unique(train[:-1] * size + train[1:], return_counts=True)
    first = pairs // size
    after = np.bincount(first, weights=counts, minlength=size)
    kinds = np.bincount(first, minlength=size)

    inputs, targets = (x.flatten() for x in held_out_batch(corpus, most))
    inputs, targets = inputs[targets != IGNORE], targets[targets != IGNORE]
    wanted = inputs * size + targets
    place = np.searchsorted(pairs, wanted).clip(max=len(pairs) - 1)
    seen = np.where(pairs[place] == wanted, counts[place] - DISCOUNT, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bigram = np.where(
            after[inputs] > 0,
            (seen + DISCOUNT * kinds[inputs] * unigram[targets]) / after[inputs],
            unigram[targets],
        )
    bits = text_bytes(corpus, targets)
    return {
        "unigram": float(-np.log2(unigram[targets]).sum() / bits),
        "bigram": float(-np.log2(bigram).sum() / bits),
    }
