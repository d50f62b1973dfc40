"""lm-eval runs offline on a Grok and agrees with the numbers computed here."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trinch.model.config import get_config
from trinch.model.grok import Grok
from trinch.training.data import Corpus
from trinch.training.lm_eval_adapter import harness_scores, held_out_texts, log_likelihoods


def test_log_likelihoods_add_up(data: Path) -> None:
    corpus = Corpus(data, 32)
    torch.manual_seed(0)
    model = Grok(replace(get_config("tiny"), vocab_size=corpus.tokenizer.vocab_size)).eval()
    ids = corpus.tokenizer.encode("the mayor opened the bridge")
    ((whole, _),) = log_likelihoods(model, [(ids[:1], ids[1:])])
    steps = [log_likelihoods(model, [(ids[:i], [ids[i]])])[0][0] for i in range(1, len(ids))]
    assert whole == pytest.approx(sum(steps), abs=1e-4)
    best = int(model(torch.tensor([ids]))[0, -1].argmax())
    assert log_likelihoods(model, [(ids, [best])])[0][1]
    assert not log_likelihoods(model, [(ids, [best ^ 1])])[0][1]


def test_lm_eval_offline(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="lm-eval is not installed")
    corpus = Corpus(data, 32)
    torch.manual_seed(0)
    model = Grok(replace(get_config("tiny"), vocab_size=corpus.tokenizer.vocab_size)).eval()
    scores = harness_scores(model, corpus.tokenizer, corpus, tmp_path)
    assert set(scores) == {"trinch_copy", "trinch_sums", "trinch_posts"}
    assert 0 <= scores["trinch_copy"] <= 1
    texts = held_out_texts(corpus, 50)
    ids = [corpus.tokenizer.encode(text) for text in texts]
    nats = -sum(total for total, _ in log_likelihoods(model, [([2], [*tokens, 2]) for tokens in ids]))
    wanted = nats / math.log(2) / sum(len(text.encode()) for text in texts)
    assert scores["trinch_posts"] == pytest.approx(wanted, rel=1e-4)
