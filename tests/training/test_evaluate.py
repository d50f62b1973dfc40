"""Bits per byte against a sum written out, for the model and for the baselines."""

import json
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from click.testing import CliRunner

from trinch.cli.train import train
from trinch.training.actions import load
from trinch.training.data import Corpus
from trinch.training.evaluate import DISCOUNT, evaluation_sequences, ngram_baselines
from trinch.training.metrics_log import read_log


def test_baselines_are_what_they_say(data: Path) -> None:
    corpus = Corpus(data, 32)
    train_tokens, size = corpus.train.tokens.tolist(), corpus.tokenizer.vocab_size
    single, pair = Counter(train_tokens), Counter(pairwise(train_tokens))
    after, kinds = Counter(train_tokens[:-1]), Counter(a for a, _ in pair)

    def unigram(b: int) -> float:
        return (single[b] + 1) / (len(train_tokens) + size)

    def bigram(a: int, b: int) -> float:
        return (
            (max(pair[a, b] - DISCOUNT, 0) + DISCOUNT * kinds[a] * unigram(b)) / after[a]
            if after[a]
            else unigram(b)
        )

    assert sum(bigram(train_tokens[0], b) for b in range(size)) == pytest.approx(1)
    inputs, targets = corpus.held_out.take(evaluation_sequences(corpus.held_out, 3))
    pairs = list(zip(inputs.flatten().tolist(), targets.flatten().tolist(), strict=True))
    count = sum(int(corpus.bytes_of_tokens[b]) for _, b in pairs)
    found = ngram_baselines(corpus, 3)
    assert found["unigram"] == pytest.approx(-sum(math.log2(unigram(b)) for _, b in pairs) / count)
    assert found["bigram"] == pytest.approx(-sum(math.log2(bigram(a, b)) for a, b in pairs) / count)
    assert found["bigram"] < found["unigram"]


def test_a_run_is_scored_exported_and_read_back(posts_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = tmp_path / "settings.toml"
    settings.write_text(
        'evaluate_sequences = 8\n[data]\nvocabulary = 320\n[optimizer]\nname = "adamw"\nwarmup = 2\n'
    )
    arguments = ["--settings", str(settings), "--data", str(posts_file), "--out", str(out), "--batch", "8"]
    done = CliRunner().invoke(
        train, [*arguments, "--steps", "12", "--sequence", "32"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    logged = read_log(out)[-1]["held_out_bits_per_byte"]
    scored = CliRunner().invoke(train, ["evaluate", str(out), "--json"], catch_exceptions=False)
    assert json.loads(scored.output)["bits per byte, model"] == pytest.approx(logged, rel=1e-5)

    model, _ = load(out)
    corpus = Corpus(out / "data", 32)
    inputs, targets = corpus.held_out.take(evaluation_sequences(corpus.held_out, 8))
    with torch.no_grad():
        nats = F.cross_entropy(
            model(torch.from_numpy(inputs)).flatten(0, 1), torch.from_numpy(targets).flatten()
        )
    count = int(corpus.bytes_of_tokens[targets].sum())
    assert logged == pytest.approx(float(nats) * targets.size / math.log(2) / count, rel=1e-5)

    exported = CliRunner().invoke(
        train, ["export", str(out), str(tmp_path / "model")], catch_exceptions=False
    )
    assert exported.exit_code == 0, exported.output
    from trinch.model.load import load as load_folder
    from trinch.model.tokenizer import load_tokenizer

    again = load_folder(tmp_path / "model", dtype=torch.float32)
    assert torch.equal(again(torch.from_numpy(inputs)), model(torch.from_numpy(inputs)))
    text = "the mayor opened the bridge"
    assert load_tokenizer(tmp_path / "model").encode(text) == corpus.tokenizer.encode(text)
    assert np.array_equal(corpus.batch(1, 8, 2, 1, 2)[0], corpus.batch(1, 8, 2)[0][4:])


@pytest.mark.long
def test_the_demonstration_learns(tmp_path: Path) -> None:
    arguments = ["demo", "--out", str(tmp_path / "demo"), "--posts", "3000", "--steps", "60"]
    done = CliRunner().invoke(train, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    measured = [
        r["held_out_bits_per_byte"] for r in read_log(tmp_path / "demo") if "held_out_bits_per_byte" in r
    ]
    assert len(measured) >= 6
    assert measured[-1] < measured[0] * 0.8
    assert "badly" in done.output
    asked = done.output.split("$ trinch ask ")[1]
    assert f"--model {tmp_path / 'demo' / 'model'}" in asked
    assert "volunteers needed" in asked.lower(), "answered from the store it was trained on"
    assert re.search(r"of [1-5] sentences [0-5] are in the model's words", asked)
    assert re.search(r"All sentences are quotes: demo/model was no help|are written by demo/model", asked)
