"""Adapter to EleutherAI's lm-eval, offline: the model class it asks for, and three small tasks made here.

The tasks (copying, arithmetic, held-out posts) are written from a seed; nothing is fetched. lm-eval is optional:
`pip install lm-eval`.
"""

import json
import os
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from trinch.model.generate import Sampling, generate
from trinch.model.grok import Grok
from trinch.model.tokenizer import EOS, Tokenizer
from trinch.training.data import Corpus
from trinch.training.document_spans import REMOVED

TASK = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{file}"}}}}
test_split: test
output_type: {kind}
doc_to_text: "{text}"
doc_to_target: "{target}"
{more}metric_list:
{metrics}
metadata: {{version: 1}}
"""


def log_likelihoods(model: Grok, pairs: Sequence[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
    """For each (context, continuation) in tokens: log probability of the continuation, and whether it is
    greedy.

    Text that does not fit is cut on the left. The context must have a token.
    """
    room = model.config.max_positions
    out = []
    for context, continuation in pairs:
        tokens = (context + continuation)[-(room + 1) :]
        count = min(len(continuation), len(tokens) - 1)
        with torch.no_grad():
            logits = model(torch.tensor([tokens[:-1]]))[0, -count:].float()
        wanted = torch.tensor(tokens[-count:])
        total = float(F.log_softmax(logits, -1).gather(1, wanted[:, None]).sum())
        out.append((total, bool((logits.argmax(-1) == wanted).all())))
    return out


def harness_model(model: Grok, tokenizer: Tokenizer) -> Any:
    """The model as lm-eval's `LM`."""
    from lm_eval.api.model import LM  # optional, so imported where it is used

    end = tokenizer.special(EOS)

    class TrinchLM(LM):  # type: ignore[misc]  # lm-eval has no types
        def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
            pairs = []
            for request in requests:
                context, continuation = request.args
                # Spaces at the end of the context belong to the continuation's first token.
                stripped = context.rstrip()
                whole = tokenizer.encode(context[len(stripped) :] + continuation)
                pairs.append(([end, *tokenizer.encode(stripped)], whole))
            return log_likelihoods(model, pairs)

        def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
            texts = [request.args[0] for request in requests]
            found = log_likelihoods(model, [([end], [*tokenizer.encode(text), end]) for text in texts])
            return [total for total, _ in found]

        def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
            out = []
            for request in requests:
                context, options = request.args
                stop = options.get("until", [])
                sampling = Sampling(
                    max_new_tokens=int(options.get("max_gen_toks", 64)),
                    stop=tuple([stop] if isinstance(stop, str) else stop),
                )
                out += generate(model, tokenizer, [[end, *tokenizer.encode(context)]], sampling)
            return out

    return TrinchLM()


def held_out_texts(corpus: Corpus, most: int) -> list[str]:
    """Held-out posts, evenly spread over time, as they were scrubbed."""
    spans = corpus.held_out.spans()
    spans = spans[spans["place"] != REMOVED]
    chosen = spans[:: max(1, len(spans) // most)][:most]
    tokens = corpus.held_out.tokens
    return [corpus.tokenizer.decode(tokens[s["start"] : s["start"] + s["length"]].tolist()) for s in chosen]


def write_tasks(folder: Path, texts: Iterable[str], seed: int = 0, count: int = 50) -> list[str]:
    """Write the tasks (YAML and JSON lines) into a folder; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    choose = random.Random(seed)
    words = ["river", "bridge", "market", "school", "window", "storm", "boat", "wall", "kite", "ferry"]
    copying, sums = [], []
    for _ in range(count):
        said = choose.sample(words, 4)
        text = f"{' '.join(said)}. Again: {' '.join(said[:3])}"
        copying.append(
            {"text": text, "choices": [said[3], *choose.sample([w for w in words if w not in said], 3)]}
        )
        a, b = choose.randrange(10), choose.randrange(10)
        wrong = choose.sample([n for n in range(19) if n != a + b], 3)
        sums.append({"text": f"{a} + {b} =", "choices": [str(n) for n in (a + b, *wrong)]})
    accuracy = "  - {metric: acc, aggregation: mean, higher_is_better: true}"
    bits = "  - {metric: bits_per_byte, aggregation: bits_per_byte, higher_is_better: false}"
    for name, rows, kind in (
        ("trinch_copy", copying, "multiple_choice"),
        ("trinch_sums", sums, "multiple_choice"),
        ("trinch_posts", [{"text": text} for text in texts], "loglikelihood_rolling"),
    ):
        file = folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        choice = kind == "multiple_choice"
        (folder / f"{name}.yaml").write_text(
            TASK.format(
                name=name,
                file=file.resolve(),
                kind=kind,
                text="{{text}}" if choice else "",
                target="0" if choice else "{{text}}",
                more='doc_to_choice: "{{choices}}"\n' if choice else "",
                metrics=accuracy if choice else bits,
            ),
            "utf-8",
        )
    return ["trinch_copy", "trinch_sums", "trinch_posts"]


def harness_scores(model: Grok, tokenizer: Tokenizer, corpus: Corpus, folder: Path) -> dict[str, float]:
    """Run lm-eval on our tasks with the hub switched off: {task: score}. Needs lm-eval."""
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(folder / "cache"),
    }
    import lm_eval  # after the environment is set, which it reads on import
    from lm_eval.tasks import TaskManager

    names = write_tasks(folder, held_out_texts(corpus, 50))
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    found = lm_eval.simple_evaluate(
        harness_model(model, tokenizer),
        tasks=names,
        task_manager=manager,
        bootstrap_iters=0,
        verbosity="ERROR",
    )
    results = found["results"]
    return {
        name: float(next(v for key, v in results[name].items() if key.startswith(("acc,", "bits_per_byte,"))))
        for name in names
    }
