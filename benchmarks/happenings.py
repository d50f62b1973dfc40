"""Fit the weights of `trinch.stories.happening` to clusters labelled by hand, and say how well they do on other days.

    python -m benchmarks.happenings STORE

STORE is a folder filled by `trinch ingest --data STORE ../shared/data/replay/*.zst`. The labels are in
benchmarks/data/happenings.tsv. Prints the area under the ROC curve, measured on each fifth of the days with the weights
of the other four, and the weights of all for `happening.toml`.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trinch.store.query import parse_time
from trinch.store.store import Store
from trinch.stories.detect import HOUR, detect
from trinch.stories.happening import Evidence

LABELS = Path(__file__).parent / "data" / "happenings.tsv"
FOLDS = 5
RIDGE = 5.0
"""Penalty on the squares of the weights, of measures in standard deviations."""

Floats = NDArray[np.float64]


def labelled() -> dict[str, dict[str, bool]]:
    """For each as-of time the label of each root term."""
    found: dict[str, dict[str, bool]] = {}
    for line in LABELS.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            as_of, root, label = line.split("\t")
            found.setdefault(as_of, {})[root] = label == "1"
    return found


def measured(store: Store) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """The evidence of the labelled clusters [n, measures], their labels [n], and the number of the window of each [n]."""
    rows: list[tuple[Evidence, bool, int]] = []
    for number, (as_of, labels) in enumerate(labelled().items()):
        with detect(store, parse_time(as_of), 24 * HOUR) as found:
            rows += [
                (ranked.evidence, labels[cluster.root], number)
                for ranked, cluster in found.ranked
                if ranked.evidence and cluster.root in labels
            ]
    evidence, label, window = zip(*rows, strict=True)
    return np.array(evidence), np.array(label, dtype=np.float64), np.array(window)


def fit(measures: Floats, labels: Floats) -> Floats:
    """The weights and the constant of a logistic regression, by Newton's method."""
    mean, deviation = measures.mean(axis=0), measures.std(axis=0) + 1e-9
    inputs = np.column_stack([(measures - mean) / deviation, np.ones(len(measures))])
    weights = np.zeros(inputs.shape[1])
    penalty = np.diag([RIDGE] * (len(weights) - 1) + [0.0])
    for _ in range(20):
        chances = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (chances - labels) + penalty @ weights
        curve = (inputs * (chances * (1 - chances))[:, None]).T @ inputs + penalty
        weights -= np.linalg.solve(curve, slope)
    scaled = weights[:-1] / deviation
    return np.append(scaled, weights[-1] - scaled @ mean)


def area(scores: Floats, labels: Floats) -> float:
    """The area under the ROC curve: how often a happening has a higher score than talk."""
    above = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.happenings", description=__doc__.splitlines()[0]
    )
    parser.add_argument("store", type=Path, metavar="STORE")
    store = Store.open(parser.parse_args().store)
    measures, labels, window = measured(store)
    store.close()
    scores = np.zeros(len(labels))
    for fold in range(FOLDS):
        inside = window % FOLDS == fold
        weights = fit(measures[~inside], labels[~inside])
        scores[inside] = measures[inside] @ weights[:-1] + weights[-1]
    print(
        f"# {len(labels)} clusters, {labels.mean():.0%} happenings; area under the ROC curve {area(scores, labels):.2f}"
    )
    for least in (-1.0, -0.5, 0.0, 0.5):
        kept = scores >= least
        print(
            f"# log-odds from {least:+.1f}: {labels[kept].mean():.0%} of {kept.sum()} are happenings, {labels[kept].sum() / labels.sum():.0%} of all"
        )
    weights = fit(measures, labels)
    for name, weight in zip(Evidence._fields, weights, strict=False):
        print(f"{name} = {weight:.3f}")
    print(f"constant = {weights[-1]:.3f}")


if __name__ == "__main__":
    main()
