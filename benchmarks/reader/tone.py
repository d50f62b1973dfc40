"""Fit and measure the network of tones on posts with a label of sentiment (collection `xlmt_8lang`, Apache-2.0)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from trinch.answers import lexicon
from trinch.reader.model import DATA, WORDS
from trinch.reader.tone import LONGEST, TONE, Tone, mark
from trinch.reader.words import Floats, WordTable, load_table

LANGUAGES = ("en", "fr", "es", "de", "it", "pt")
HIDDEN, DROPOUT, WORDS_DROPPED = 48, 0.4, 0.15
EPOCHS, BATCH, RATE, DECAY, SMOOTHING = 14, 256, 3e-3, 3e-2, 0.05
THRESHOLDS = (0.5, 0.6, 0.7, 0.8)


class Labelled(NamedTuple):
    text: str
    split: str
    label: int
    """0 blame, 1 neither, 2 praise."""


class Batch(NamedTuple):
    rows: torch.Tensor
    negated: torch.Tensor
    form: torch.Tensor
    labels: torch.Tensor


def read(data: Path) -> Iterator[Labelled]:
    """The labelled posts of the six languages. Needs the program `zstd`."""
    command = ["zstd", "-dcq", str(data / "social" / "xlmt_8lang.jsonl.zst")]
    for line in subprocess.run(command, capture_output=True, check=True).stdout.splitlines():
        post = json.loads(line)
        if post["lang"] in LANGUAGES:
            yield Labelled(post["text"], post["labels"]["split"], int(post["labels"]["sentiment"]))


def batch(table: WordTable, posts: Sequence[Labelled]) -> Batch:
    """All posts as one batch, rows [posts, LONGEST] filled up with -1."""
    rows = np.full((len(posts), LONGEST), -1)
    negated = np.zeros((len(posts), LONGEST), bool)
    marked = [mark(table, post.text, lexicon.NEGATING) for post in posts]
    for n, each in enumerate(marked):
        rows[n, : len(each.rows)], negated[n, : len(each.rows)] = each.rows, each.negated
    form = torch.tensor(np.stack([each.form for each in marked]))
    labels = torch.tensor([post.label for post in posts])
    return Batch(torch.tensor(rows), torch.tensor(negated), form, labels)


class Network(torch.nn.Module):
    """The network of `trinch.reader.tone`, for fitting."""

    def __init__(self, vectors: Floats) -> None:
        super().__init__()
        self.vectors = torch.cat([torch.tensor(vectors), torch.zeros(1, vectors.shape[1])])
        self.hidden = torch.nn.Linear(vectors.shape[1], HIDDEN)
        self.output = torch.nn.Linear(4 * HIDDEN + 7, 3)
        self.dropout = torch.nn.Dropout(DROPOUT)

    def forward(self, rows: torch.Tensor, negated: torch.Tensor, form: torch.Tensor) -> torch.Tensor:
        known = rows >= 0
        if self.training:
            known = known & (torch.rand(rows.shape) > WORDS_DROPPED)
        inner = torch.relu(self.hidden(self.vectors[rows])) * known[..., None]
        size = known.sum(1, keepdim=True).clamp(min=1).sqrt()
        plain, turned = inner * ~negated[..., None], inner * negated[..., None]
        parts = [plain.sum(1) / size, inner.max(1).values, turned.sum(1) / size, turned.max(1).values, form]
        logits: torch.Tensor = self.output(self.dropout(torch.cat(parts, 1)))
        return logits


def fitted(table: WordTable, training: Batch, seed: int = 1) -> Tone:
    """The network fitted by cross entropy."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = Network(table.vectors(np.arange(len(table))))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1.0 - epoch / EPOCHS)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(training.labels)).split(BATCH):
            logits = model(training.rows[chosen], training.negated[chosen], training.form[chosen])
            loss = torch.nn.functional.cross_entropy(
                logits, training.labels[chosen], label_smoothing=SMOOTHING
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    layers = [
        (layer.weight.detach().numpy().T, layer.bias.detach().numpy())
        for layer in (model.hidden, model.output)
    ]
    return Tone(*layers[0], *layers[1], tuple(sorted(lexicon.NEGATING)))


def quality(name: str, chances: Floats, labels: NDArray[np.int_]) -> None:
    """Print how many texts get a side at each threshold, how many rightly, and how many the opposite side."""
    print(f"{name}: {np.mean(chances.argmax(1) == labels):.3f} of {len(labels)} right, of three kinds")
    for least in THRESHOLDS:
        sided = (chances[:, 0] >= least) | (chances[:, 2] >= least)
        side = np.where(chances[:, 2] > chances[:, 0], 2, 0)
        right, opposite = side == labels, (side != labels) & (labels != 1)
        print(
            f"  {least}: {sided.mean():.3f} sided, {right[sided].mean():.3f} right, {opposite[sided].mean():.3f} opposite"
        )


def make(
    data: Path, out: Path = DATA, report: Callable[[str, Floats, NDArray[np.int_]], None] = quality
) -> None:
    """Fit on the training part, measure on the test part, write the weights."""
    table, posts = load_table(out / WORDS), list(read(data))
    tone = fitted(table, batch(table, [post for post in posts if post.split == "train"]))
    held = [post for post in posts if post.split == "test"]
    report(
        "held-out posts",
        tone.of([post.text for post in held], table),
        np.array([post.label for post in held]),
    )
    weights = {name: value.astype(np.float16) for name, value in tone._asdict().items() if name != "negating"}
    negating = np.frombuffer(" ".join(tone.negating).encode(), np.uint8)
    np.savez_compressed(out / TONE, negating=negating, **weights)
