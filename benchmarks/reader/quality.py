"""Measures of a ranking and of its scores, on requests that nothing was fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Ranked(NamedTuple):
    """The scores and labels (0 or 1) of the passages of one request."""

    scores: Floats
    labels: Floats


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores above a negative (Mann-Whitney; ties count half)."""
    high, low = np.asarray(positive, float), np.sort(np.asarray(negative, float))
    if not len(high) or not len(low):
        return float("nan")
    below, upto = np.searchsorted(low, high, "left"), np.searchsorted(low, high, "right")
    return float((below + upto).mean() / 2 / len(low))


def quality(found: Sequence[Ranked], depth: int = 10) -> dict[str, float]:
    """P@1, MRR and nDCG of the requests with some but not only answers, ties in the order given; AUC of single pairs; AUC of the best score of
    requests with against those without an answer, and how many of the latter pass at 90 % recall of the former."""
    mixed = [each for each in found if 0 < each.labels.sum() < len(each.labels)]
    ordered = [each.labels[np.argsort(-each.scores, kind="stable")] for each in mixed]
    gains = 1 / np.log2(2 + np.arange(depth))
    best = np.sort([each.scores.max() for each in found if each.labels.any()])
    empty = [float(each.scores.max()) for each in found if len(each.labels) and not each.labels.any()]
    cut = best[int(0.1 * len(best))] if len(best) else 0.0
    return {
        "requests": len(mixed),
        "pair_auc": auc(
            np.concatenate([each.scores[each.labels > 0] for each in mixed]).tolist(),
            np.concatenate([each.scores[each.labels == 0] for each in mixed]).tolist(),
        ),
        "p@1": float(np.mean([labels[0] for labels in ordered])),
        "mrr": float(np.mean([1 / (1 + int(np.argmax(labels > 0))) for labels in ordered])),
        "ndcg@10": float(
            np.mean(
                [
                    (labels[:depth] * gains[: len(labels)]).sum()
                    / gains[: int(min(depth, labels.sum()))].sum()
                    for labels in ordered
                ]
            )
        ),
        "unanswerable": len(empty),
        "answerable_auc": auc(best.tolist(), empty),
        "false_at_90": float(np.mean(np.asarray(empty) >= cut)) if empty else float("nan"),
    }


def expected_error(chances: Floats, labels: Floats, bins: int = 10) -> float:
    """Expected calibration error: the distance of chance and frequency over equal bins, weighted by their size."""
    place = np.minimum((chances * bins).astype(int), bins - 1)
    gaps = [abs(chances[place == b].sum() - labels[place == b].sum()) for b in range(bins)]
    return float(sum(gaps) / max(1, len(chances)))
