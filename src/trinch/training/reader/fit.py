"""The training loop: batches of pairs of like length, AdamW with warm-up and linear decay, three losses."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from trinch.reader.pair import encode_pair
from trinch.reader.pieces import PADDING, Pieces
from trinch.training.reader.examples import Example
from trinch.training.reader.network import Network

SPAN_WEIGHT = 0.3


class Batch:
    """Tensors of some examples, padded to the longest."""

    def __init__(self, pieces: Pieces, examples: Sequence[Example]) -> None:
        pairs = [encode_pair(pieces, example.request, example.passage) for example in examples]
        width = max(len(pair.ids) for pair in pairs)
        self.ids = torch.tensor([pair.ids + [PADDING] * (width - len(pair.ids)) for pair in pairs])
        self.segments = torch.tensor([pair.segments + [1] * (width - len(pair.ids)) for pair in pairs])
        self.labels = torch.tensor([example.label for example in examples])
        spans = [
            pair.token_span(example.begin, example.end) for pair, example in zip(pairs, examples, strict=True)
        ]
        self.begins = torch.tensor([span[0] for span in spans])
        self.ends = torch.tensor([span[1] for span in spans])


def batches(examples: Sequence[Example], size: int, random_: random.Random) -> Iterator[list[Example]]:
    """Shuffle, sort by length within pools of 40 batches, and shuffle the batches of a pool."""
    order = list(examples)
    random_.shuffle(order)
    for at in range(0, len(order), 40 * size):
        pool = sorted(order[at : at + 40 * size], key=lambda e: len(e.request) + len(e.passage))
        chunks = [pool[i : i + size] for i in range(0, len(pool), size)]
        random_.shuffle(chunks)
        yield from chunks


def loss_of(network: Network, batch: Batch) -> Tensor:
    """Cross entropy of the answer, and of begin and end where the span is known."""
    answers, begins, ends = network(batch.ids, batch.segments)
    loss = functional.binary_cross_entropy_with_logits(answers, batch.labels)
    known = batch.begins >= 0
    if bool(known.any()):
        outside = (batch.segments == 0) | (batch.ids == PADDING)
        for logits, wanted in ((begins, batch.begins), (ends, batch.ends)):
            logits = logits.masked_fill(outside, -1e4)
            loss = loss + SPAN_WEIGHT * functional.cross_entropy(logits[known], wanted[known])
    return loss


def fit(
    network: Network,
    pieces: Pieces,
    examples: Sequence[Example],
    *,
    epochs: int = 1,
    size: int = 32,
    rate: float = 1e-4,
    seed: int = 1,
    seconds: float = math.inf,
    report: Callable[[str], None] = print,
) -> None:
    """Train in place. Embeddings and frozen layers stay: they hold the languages that the examples do not show.

    Ends after `epochs`, or after `seconds` where the machine is too slow for that: the learning rate falls in time.
    """
    torch.manual_seed(seed)
    random_ = random.Random(seed)
    network.train()
    for part in (network.word, network.position, network.norm, *network.layers[: network.frozen]):
        part.requires_grad_(False)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.01)
    total = epochs * (len(examples) // size + 40)
    done, began, average = 0, time.monotonic(), 0.0
    for _ in range(epochs):
        for chunk in batches(examples, size, random_):
            spent = max(done / total, (time.monotonic() - began) / seconds)
            if spent >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, (done + 1) / (0.05 * total), 0.02 + 1.2 * (1 - spent))
            loss = loss_of(network, Batch(pieces, chunk))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            done += 1
            average += (float(loss.detach()) - average) / min(done, 50)
            if done % 25 == 0:
                speed = done * size / (time.monotonic() - began)
                report(f"step {done}/{total}  loss {average:.3f}  {speed:.0f} pairs/s")
    network.eval()
