"""The demonstration: a store, a tokenizer, a tiny Grok, its score beside two baselines, samples, and one answer.

It takes a few minutes on two cores.
"""

import time
from pathlib import Path

import torch

from trinch.answers.render import plain
from trinch.answers.types import Answer
from trinch.model.generate import Sampling, generate
from trinch.service import session
from trinch.training.actions import export, load, prepare_corpus
from trinch.training.data import Report
from trinch.training.evaluate import ngram_baselines
from trinch.training.loop import train
from trinch.training.metrics_log import read_log
from trinch.training.parallel import start
from trinch.training.settings import Data, Optimizer, Settings

PROMPTS = ("the train to", "my dad just", "volunteers needed", "La pluie")
QUESTION = "Where are volunteers needed?"


def demo_settings(store: str, out: str, steps: int = 300) -> Settings:
    """A tiny Grok that two cores train in a few minutes."""
    return Settings(
        config="tiny",
        out=out,
        steps=steps,
        batch=16,
        sequence=128,
        evaluate_every=max(1, steps // 6),
        evaluate_sequences=48,
        log_every=max(1, steps // 12),
        checkpoint_every=max(1, steps // 3),
        data=Data(path=store, vocabulary=2048),
        optimizer=Optimizer(lr=4e-3, warmup=max(1, steps // 15), decay=0.4),
    )


def demo(store: str, out: str, report: Report, steps: int = 300) -> dict[str, float]:
    """Run it; returns bits per byte on held-out posts: of the baselines, and of the model at its
    measurements."""
    begin = time.perf_counter()
    settings = demo_settings(store, out, steps)
    world = start(settings)
    corpus = prepare_corpus(settings, world, report)
    scores = ngram_baselines(corpus, settings.evaluate_sequences)
    report(f"held-out bits per byte: unigram {scores['unigram']:.3f}, bigram {scores['bigram']:.3f}")
    train(settings, world, corpus, report)
    measured = [row for row in read_log(Path(out)) if "held_out_bits_per_byte" in row]
    if not measured:
        return scores  # asked to stop before the first measurement
    scores |= {f"step {row['step']}": row["held_out_bits_per_byte"] for row in measured}
    for name, score in scores.items():
        report(f"{name:>10}  {score:6.3f} bits per byte  {'█' * round(10 * score)}")
    last = measured[-1]["held_out_bits_per_byte"]
    verdict = "better than" if last < scores["bigram"] else "not yet better than"
    report(f"after {steps} steps it predicts unseen posts {verdict} pairs of tokens do")

    model, tokenizer = load(Path(out))
    with torch.no_grad():
        words = generate(
            model, tokenizer, list(PROMPTS), Sampling(max_new_tokens=24, temperature=0.7, top_p=0.9)
        )
    report(
        "Samples of a model of a few million parameters, trained for minutes; nothing in them is knowledge."
    )
    for prompt, said in zip(PROMPTS, words, strict=True):
        report(f"  {prompt}{said.replace(chr(10), ' ')}")
    export(Path(out), Path(out) / "model")
    if Path(store).is_dir():
        answer_with(Path(out) / "model", store, report)
    report(
        f"saved to {out}/model in {time.perf_counter() - begin:.0f} s; `trinch model inspect {out}/model` shows it"
    )
    return scores


def answer_with(folder: Path, store: str, report: Report) -> Answer:
    """Answer a question with the saved model, through the interface of any language model, and report the result.

    A model of this size is not expected to pass the check; then the answer consists of quotes, and says so."""
    asked = f'trinch ask "{QUESTION}" --data {store} --model {folder}'
    with session.open(store) as opened:
        given = opened.ask(QUESTION, model=str(folder))
    report(f"\n$ {asked}\n{plain(given)}\n")
    if given.writer:
        report(
            f"of {given.writer.sentences} sentences that the model wrote {given.writer.written} are shown: each must "
            "follow from the posts it cites, or a quote is shown"
        )
    return given
