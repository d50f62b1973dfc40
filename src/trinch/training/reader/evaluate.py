"""What the reader is worth on requests and events that it was not trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trinch.training.reader.examples import Example
from trinch.training.reader.measure import (
    Calibration,
    auc,
    best_threshold,
    calibrate,
    expected_error,
    first_ranks,
    sigmoid,
    within,
)
from trinch.training.reader.retrieved import Request

Scorer = Callable[[str, Sequence[str]], Sequence[float]]  # logits, or chances, of each passage for a request


def ranking(score: Scorer, found: Sequence[Request]) -> dict[str, Any]:
    """Rank of the first answer among the candidates, as retrieved and as read, and AUC of the best score.

    Requests without an answer among the candidates are left out of the ranks. For the AUC each request counts twice:
    with its answers, and with the answers taken away, as if nobody had posted one.
    """
    answered = [request for request in found if any(c.label for c in request.candidates)]
    scores = [list(score(request.text, [c.text for c in request.candidates])) for request in answered]
    labels = [[bool(c.label) for c in request.candidates] for request in answered]
    plain = first_ranks([[-n for n in range(len(row))] for row in labels], labels)
    read = first_ranks(scores, labels)
    best = [max(row) for row in scores]
    without = [
        max((s for s, good in zip(row, marks, strict=True) if not good), default=-20.0)
        for row, marks in zip(scores, labels, strict=True)
    ]
    languages: dict[str, list[int]] = defaultdict(list)
    for request, rank in zip(answered, read, strict=True):
        languages[request.language].append(rank)
    return {
        "requests": len(answered),
        "plain": within(plain),
        "read": within(read),
        "answerable_auc": auc(best, without),
        "best": best,
        "best_without": without,
        "by_language": {name: {"requests": len(ranks), **within(ranks)} for name, ranks in languages.items()},
    }


def pairs(score: Scorer, examples: Sequence[Example]) -> tuple[list[float], list[float]]:
    """Scores and labels of single pairs."""
    return [float(score(e.request, [e.passage])[0]) for e in examples], [e.label for e in examples]


def calibration(logits: Sequence[float], labels: Sequence[float], found: Mapping[str, Any]) -> Calibration:
    """Scale and shift from pairs; the threshold from requests with and without their answers."""
    scale, shift = calibrate(logits, labels)
    high, low = ([sigmoid(scale * x + shift) for x in found[key]] for key in ("best", "best_without"))
    return Calibration(scale, shift, best_threshold(high, low))


def quality(logits: Sequence[float], labels: Sequence[float], fixed: Calibration) -> dict[str, float]:
    """AUC, expected calibration error and accuracy at one half of some pairs."""
    chances = [sigmoid(fixed.scale * x + fixed.shift) for x in logits]
    good = [x for x, label in zip(chances, labels, strict=True) if label > 0.5]
    bad = [x for x, label in zip(chances, labels, strict=True) if label <= 0.5]
    right = np.mean([(x > 0.5) == (label > 0.5) for x, label in zip(chances, labels, strict=True)])
    return {
        "pairs": len(chances),
        "auc": auc(good, bad),
        "ece": expected_error(chances, labels),
        "accuracy": float(right),
    }
