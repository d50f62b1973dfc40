"""Make and measure the weights of the reader, from a checkout (docs/reader.md).

    python -m benchmarks.reader words                            the table of word vectors (needs the extra reader-train)
    python -m benchmarks.reader network --data DATA --store STORE      the network and the gate, and what they are worth
    python -m benchmarks.reader tone --data DATA                       the network of tones, and what it is worth

DATA is the shared data folder; STORE is a store filled from its replay and social collections. All commands write into
the package; `network` prints the quality on held-out events and requests beside two baselines.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.reader import labelled, tone, vocabulary
from benchmarks.reader.fit import Floats, Measured, calibrated, calibrates, fitted, gate
from benchmarks.reader.labelled import Labelled
from benchmarks.reader.quality import Ranked, auc, expected_error, quality
from trinch.reader.gate import Gate, features
from trinch.reader.model import DATA, NETWORK, WORDS, Network
from trinch.reader.pairs import measure
from trinch.reader.words import load_table
from trinch.store.store import Store

EVERY = 2
"""Of the questions on events every so many are asked: they differ little."""
READ = 100
"""Passages that the gate looks at."""


def network(options: argparse.Namespace) -> None:
    """Fit network and gate on everything that is not held out, measure them and write them."""
    store = Store.open(options.store)
    every = list(labelled.events(options.data / "social"))[::EVERY]
    asked = [*labelled.natural(), *labelled.requests(), *every]
    found = [each for each in (labelled.found(one, store) for one in asked) if each.passages]
    table = load_table(options.out / WORDS)
    pairs = [Measured(each.group, measure(table, each.query, each.passages), each.labels) for each in found]
    groups = sorted({each.group for each in found if not each.held})
    apart = {group for group in groups if calibrates(group, groups)}
    free = [pair for pair, each in zip(pairs, found, strict=True) if not each.held]
    fit = fitted([pair for pair in free if pair.group not in apart])
    fit = calibrated(fit, [pair for pair in free if pair.group in apart])
    looked = [_looked_at(fit, pair, each) for pair, each in zip(pairs, found, strict=True)]
    used = [
        (seen, not each.nothing)
        for seen, each in zip(looked, found, strict=True)
        if seen is not None and not each.held and (each.nothing or each.labels[:, 1].any())
    ]
    entry = gate([seen for seen, _ in used], [answerable for _, answerable in used])
    report(found, pairs, fit)
    report_gate(found, looked, entry)
    weights = {f"gate_{name}": values for name, values in entry._asdict().items()}
    np.savez(options.out / NETWORK, **fit._asdict(), **weights)


def _looked_at(fit: Network, pair: Measured, each: Labelled) -> Floats | None:
    """The features of the gate; None where no passage holds the names."""
    measures = pair.measures[each.named][:READ]
    return features(measures, fit.chances(measures)) if len(measures) else None


PARTS: dict[str, Callable[[Labelled], bool]] = {
    "natural requests": lambda each: each.group.startswith(("n-", "n0-")),
    "events": lambda each: each.group[:2] not in ("n-", "n0", "r-", "t-", "s-"),
    "requests by hand": lambda each: each.group.startswith(("r-", "t-", "s-")),
    "not in English": lambda each: each.language != "en",
}


def report(found: Sequence[Labelled], pairs: Sequence[Measured], fit: Network) -> None:
    """Print, for each held-out part, what the search's order, the share of words held and the reader are worth."""
    for name, chosen in PARTS.items():
        held = [pair for pair, each in zip(pairs, found, strict=True) if each.held and chosen(each)]
        chances = [1 / (1 + np.exp(-fit.logits(pair.measures))) for pair in held]
        for label, what in ((0, "topic"), (1, "answer")):
            rows = {
                "order of the search": [-np.arange(len(pair.labels), dtype=np.float32) for pair in held],
                "share of words held": [pair.measures[:, 0] for pair in held],
                "reader": [each[:, label] for each in chances],
            }
            for ranker, scores in rows.items():
                ranked = [Ranked(s, pair.labels[:, label]) for s, pair in zip(scores, held, strict=True)]
                shown = {key: round(value, 3) for key, value in quality(ranked).items()}
                print(f"{name} | {what} | {ranker} | {json.dumps(shown)}")
            error = expected_error(
                np.concatenate([each[:, label] for each in chances]),
                np.concatenate([pair.labels[:, label] for pair in held]),
            )
            print(f"{name} | {what} | expected calibration error of the reader {error:.3f}")


def report_gate(found: Sequence[Labelled], looked: Sequence[Floats | None], entry: Gate) -> None:
    """Print, for each held-out part, how many requests with and without an answer pass the gate at some thresholds."""
    for name, chosen in PARTS.items():
        passed: dict[bool, list[float]] = {True: [], False: []}
        for each, seen in zip(found, looked, strict=True):
            if each.held and chosen(each) and (each.nothing or each.labels[:, 1].any()):
                passed[not each.nothing].append(0.0 if seen is None else entry.of(seen))
        shares = {
            at: [
                round(float(np.mean([chance >= at for chance in passed[side]])), 2) for side in (True, False)
            ]
            for at in (0.4, 0.5, 0.6, 0.7)
        }
        area = auc(passed[True], passed[False])
        print(
            f"{name} | gate | {len(passed[True])} with, {len(passed[False])} without | AUC {area:.3f} | {shares}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    words = commands.add_parser("words", help="make the table of word vectors")
    network_ = commands.add_parser("network", help="fit, calibrate and measure the network and the gate")
    network_.add_argument("--data", type=Path, required=True, help="the shared data folder")
    network_.add_argument(
        "--store", type=Path, required=True, help="a store with its replay and social collections"
    )
    tone_ = commands.add_parser("tone", help="fit and measure the network of tones")
    tone_.add_argument("--data", type=Path, required=True, help="the shared data folder")
    for each in (words, network_, tone_):
        each.add_argument("--out", type=Path, default=DATA, help="the folder of the weights")
    options = parser.parse_args()
    if options.command == "words":
        print(f"{vocabulary.make(options.out / WORDS)} words")
    elif options.command == "tone":
        tone.make(options.data, options.out)
    else:
        network(options)


if __name__ == "__main__":
    main()
