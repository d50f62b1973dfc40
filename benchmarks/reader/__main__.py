"""Make and measure the weights of the reader, from a checkout (docs/reader.md).

    python -m benchmarks.reader words                            the table of word vectors (needs the extra reader-train)
    python -m benchmarks.reader network --data DATA --store STORE      the network, and what it is worth

DATA is the shared data folder (social, bench); STORE is a store filled from its replay and social collections. Both commands
write into the package; the second prints the quality on held-out events and requests beside two baselines.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.reader import labelled, public, vocabulary
from benchmarks.reader.fit import Measured, calibrated, calibrates, fitted
from benchmarks.reader.labelled import Labelled
from benchmarks.reader.quality import Ranked, expected_error, quality
from trinch.reader.model import DATA, NETWORK, WORDS, Network
from trinch.reader.pairs import measure
from trinch.reader.words import load_table
from trinch.store.store import Store


def network(options: argparse.Namespace) -> None:
    """Fit the network on everything that is not held out, calibrate it, measure it and write it."""
    store = Store.open(options.store)
    asked = [*labelled.requests(), *labelled.events(options.data / "social")]
    found = [labelled.found(each, store) for each in asked]
    found += public.all_sets(options.data / "bench")
    found = [each for each in found if each.passages]
    table = load_table(options.out / WORDS)
    started = time.process_time()
    measures = [measure(table, each.query, each.passages) for each in found]
    spent = time.process_time() - started
    passages = sum(len(each.passages) for each in found)
    print(f"{len(found)} requests, {passages} pairs; CPU {50_000 * spent / passages:.1f} ms for 50 posts")
    if options.without_vectors:
        measures = [values * _without_vectors(values.shape[1]) for values in measures]
    pairs = [
        Measured(each.source, each.group, values, each.labels)
        for each, values in zip(found, measures, strict=True)
    ]
    groups = sorted({each.group for each in found if not each.held})
    apart = {group for group in groups if calibrates(group, groups)}
    free = [pair for pair, each in zip(pairs, found, strict=True) if not each.held]
    fit = fitted([pair for pair in free if pair.group not in apart])
    fit = calibrated(fit, [pair for pair in free if pair.group in apart and pair.source == "store"])
    report(found, pairs, fit)
    if not options.without_vectors:
        np.savez(options.out / NETWORK, **fit._asdict())


BY_MEANING = (1, 2, 4, 6, 8, 10, 11, 12, 13, 15, 16, 17)
"""Columns of `measure` that need word vectors."""


def _without_vectors(count: int) -> NDArray[np.float32]:
    return np.array([column not in BY_MEANING for column in range(count)], np.float32)


def report(found: Sequence[Labelled], pairs: Sequence[Measured], fit: Network) -> None:
    """Print, for each held-out part, what the search's order, the share of words held and the reader are worth."""
    parts: dict[str, Callable[[Labelled], bool]] = {
        "held-out events": lambda each: (
            each.source == "store" and not each.group.startswith(("r-", "t-", "s-"))
        ),
        "held-out requests": lambda each: (
            each.source == "store" and each.group.startswith(("r-", "t-", "s-"))
        ),
        "both, not in English": lambda each: each.source == "store" and each.language != "en",
        "TREC": lambda each: each.source == "trec",
        "TweetQA": lambda each: each.source == "tweetqa",
        "RealTimeQA": lambda each: each.source == "realtimeqa",
    }
    for name, chosen in parts.items():
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
                found_ = {key: round(value, 3) for key, value in quality(ranked).items()}
                if held[0].source != "store":  # the passages of the public sets are in no order
                    found_ = {"pair_auc": found_["pair_auc"]}
                print(f"{name} | {what} | {ranker} | {json.dumps(found_)}")
            error = expected_error(
                np.concatenate([each[:, label] for each in chances]),
                np.concatenate([pair.labels[:, label] for pair in held]),
            )
            print(f"{name} | {what} | expected calibration error of the reader {error:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    words = commands.add_parser("words", help="make the table of word vectors")
    network_ = commands.add_parser("network", help="fit, calibrate and measure the network")
    network_.add_argument("--data", type=Path, required=True, help="the shared data folder")
    network_.add_argument(
        "--store", type=Path, required=True, help="a store with its replay and social collections"
    )
    network_.add_argument(
        "--without-vectors", action="store_true", help="measure without word vectors; write nothing"
    )
    for each in (words, network_):
        each.add_argument("--out", type=Path, default=DATA, help="the folder of the weights")
    options = parser.parse_args()
    if options.command == "words":
        print(f"{vocabulary.make(options.out / WORDS)} words")
    else:
        network(options)


if __name__ == "__main__":
    main()
