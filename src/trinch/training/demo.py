"""The whole way in minutes on a laptop: an ocean, a tokenizer, a tiny Grok, its score beside two baselines, a
few words.

Owns the settings of that demonstration and what it shows. Does not know where the ocean came from.
"""

import time
from pathlib import Path

import torch

from trinch.model.generate import Sampling, generate
from trinch.training.data import Tell
from trinch.training.evaluate import baselines
from trinch.training.log import read_log
from trinch.training.loop import train
from trinch.training.parallel import start
from trinch.training.settings import Data, Optimizer, Settings
from trinch.training.verbs import corpus_of, export, load

PROMPTS = ("the train to", "my dad just", "volunteers needed", "La pluie")


def demo_settings(ocean: str, out: str, steps: int = 300) -> Settings:
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
        data=Data(path=ocean, vocabulary=2048),
        optimizer=Optimizer(lr=4e-3, warmup=max(1, steps // 15), decay=0.4),
    )


def demo(ocean: str, out: str, tell: Tell, steps: int = 300) -> dict[str, float]:
    """Run it; returns bits per byte on held-out posts: of the baselines, and of the model at its
    measurements."""
    begin = time.perf_counter()
    settings = demo_settings(ocean, out, steps)
    world = start(settings)
    corpus = corpus_of(settings, world, tell)
    scores = baselines(corpus, settings.evaluate_sequences)
    tell(f"held-out bits per byte: unigram {scores['unigram']:.3f}, bigram {scores['bigram']:.3f}")
    train(settings, world, corpus, tell)
    measured = [row for row in read_log(Path(out)) if "held_out_bits_per_byte" in row]
    if not measured:
        return scores  # asked to stop before the first measurement
    scores |= {f"step {row['step']}": row["held_out_bits_per_byte"] for row in measured}
    for name, score in scores.items():
        tell(f"{name:>10}  {score:6.3f} bits per byte  {'█' * round(10 * score)}")
    last = measured[-1]["held_out_bits_per_byte"]
    verdict = "better than" if last < scores["bigram"] else "not yet better than"
    tell(f"after {steps} steps it predicts unseen posts {verdict} pairs of tokens do")

    model, tokenizer = load(Path(out))
    with torch.no_grad():
        words = generate(
            model, tokenizer, list(PROMPTS), Sampling(max_new_tokens=24, temperature=0.7, top_p=0.9)
        )
    tell("It talks, badly: a few million parameters and minutes of reading. Nothing it says is knowledge.")
    for prompt, said in zip(PROMPTS, words, strict=True):
        tell(f"  {prompt}{said.replace(chr(10), ' ')}")
    export(Path(out), Path(out) / "model")
    tell(
        f"saved to {out}/model in {time.perf_counter() - begin:.0f} s; `trinch model inspect {out}/model` shows it"
    )
    return scores
