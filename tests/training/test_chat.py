"""Fine-tuning and preferences: the rows, the losses, and that the model learns what it is told."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from trinch.cli.train import train
from trinch.model.generate import Sampling, generate
from trinch.training.actions import load
from trinch.training.data import IGNORE, Corpus
from trinch.training.finetune import (
    Rows,
    ShuffledRows,
    answer_log_probabilities,
    conversation_rows,
    dpo_losses,
    pack,
    preference_rows,
)
from trinch.training.metrics_log import read_log
from trinch.training.settings import Settings, SettingsError

from .conftest import run
from .test_objective import plain_losses

TALK = [
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "who opened the bridge?"},
            {"role": "assistant", "content": "the mayor"},
        ]
    },
    {
        "messages": [
            {"role": "user", "content": "what did the baker lose?"},
            {"role": "assistant", "content": "two boats"},
            {"role": "user", "content": "when?"},
            {"role": "assistant", "content": "at noon"},
        ]
    },
]
TASTE = [
    {
        "messages": [{"role": "user", "content": f"{what}?"}],
        "chosen": "the mayor opened it",
        "rejected": "without a word again",
    }
    for what in ("who", "what", "when", "why")
]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_only_the_assistants_words_are_targets(data: Path, tmp_path: Path) -> None:
    tokenizer = Corpus(data, 64).tokenizer
    inputs, targets, _ = conversation_rows(lines(tmp_path / "talk.jsonl", TALK), tokenizer, 128)
    wanted = [t for row in targets for t in row[row != IGNORE].tolist()]
    separator = tokenizer.special("<|separator|>")
    said = [" the mayor", " two boats", " at noon"]
    assert wanted == [t for text in said for t in [*tokenizer.encode(text), separator]]
    whole = tokenizer.decode(inputs[0].tolist())
    assert whole.startswith("System: Be brief.\n\nHuman: who opened the bridge?\n\nAssistant: the mayor")


def test_rows_hold_whole_conversations() -> None:
    spoken = [([i] * n, [True] * n) for i, n in enumerate((5, 4, 8, 20, 3), 1)]
    inputs, targets, _ = pack(spoken, 9)
    assert inputs.shape == targets.shape == (4, 9)
    assert [sorted(set(row.tolist()) - {0}) for row in inputs] == [[1, 2], [3], [4], [5]]
    assert (targets != IGNORE).sum() == (8 + 7 + 9 + 2)


def test_neighbours_stay_together_in_every_part() -> None:
    rows = np.arange(40)[:, None]
    shuffled = ShuffledRows(Rows(rows, rows, []), Settings(batch=8), together=2)
    seen = np.concatenate([shuffled(step, part, 2)[0][:, 0] for step in range(5) for part in range(2)])
    assert sorted(seen.tolist()) == list(range(40))
    assert (seen[0::2] % 2 == 0).all()
    assert (seen[1::2] == seen[0::2] + 1).all()


def test_bad_files_are_named(data: Path, tmp_path: Path) -> None:
    tokenizer = Corpus(data, 64).tokenizer
    with pytest.raises(SettingsError, match="line 1"):
        conversation_rows(lines(tmp_path / "bad.jsonl", [{"messages": "hello"}]), tokenizer, 64)
    with pytest.raises(SettingsError, match="empty"):
        conversation_rows(lines(tmp_path / "none.jsonl", []), tokenizer, 64)
    with pytest.raises(SettingsError, match=r"line 1: \d+ tokens"):
        preference_rows(lines(tmp_path / "long.jsonl", TASTE), tokenizer, 8)


@pytest.mark.long
def test_a_run_is_tuned_to_talk_and_to_prefer(posts_file: Path, tmp_path: Path) -> None:
    base, talk, taste = (str(tmp_path / name) for name in ("base", "talk", "taste"))
    small = ["--batch", "8", "--sequence", "64", "--steps"]

    def call(*arguments: str) -> None:
        result = CliRunner().invoke(train, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output

    call("--data", str(posts_file), "--out", base, *small, "4")
    call(
        "sft",
        base,
        str(lines(tmp_path / "talk.jsonl", TALK * 4)),
        "--out",
        talk,
        "--steps",
        "30",
        "--lr",
        "0.003",
    )
    before, after = read_log(Path(talk))[0]["loss"], read_log(Path(talk))[-1]["loss"]
    assert after < before / 5
    model, tokenizer = load(Path(talk))
    prompt, _ = tokenizer.encode_chat([{"role": "user", "content": "what did the baker lose?"}])
    stop = frozenset({tokenizer.special("<|separator|>")})
    assert generate(model, tokenizer, [prompt], Sampling(max_new_tokens=12, stop_tokens=stop)) == [
        " two boats"
    ]

    call(
        "dpo",
        talk,
        str(lines(tmp_path / "taste.jsonl", TASTE)),
        "--out",
        taste,
        "--steps",
        "12",
        "--lr",
        "0.001",
    )
    losses = [row["loss"] for row in read_log(Path(taste))]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-5), "at first it is its own reference"
    assert losses[-1] < losses[0] / 2


@pytest.mark.long
def test_preferences_are_the_same_on_four_processes(posts_file: Path, tmp_path: Path) -> None:
    base = str(tmp_path / "base")
    run(1, "--data", str(posts_file), "--out", base, "--batch", "8", "--sequence", "64", "--steps", "2")
    taste = str(lines(tmp_path / "taste.jsonl", TASTE))
    logs = []
    for name, processes, mesh in (("one", 1, ""), ("four", 4, "pipeline=2,expert=2")):
        out = tmp_path / name
        layout = ["--mesh", mesh] if mesh else []
        run(processes, "dpo", base, taste, "--out", str(out), "--steps", "3", "--batch", "8", *layout)
        logs.append(read_log(out))
    for one, four in zip(*logs, strict=True):
        assert abs(one["loss"] - four["loss"]) < 1e-4
        assert abs(one["gradient_norm"] - four["gradient_norm"]) < 1e-4


TEMPLATE = (
    "{% for m in messages %}{% if not loop.first %}{{ '\\n\\n' }}{% endif %}"
    "{% if m.role == 'assistant' %}Assistant:{% generation %} {{ m.content }}<|separator|>{% endgeneration %}"
    "{% else %}{{ 'System' if m.role == 'system' else 'Human' }}: {{ m.content }}<|separator|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '\\n\\n' }}Assistant:{% endif %}"
)


@pytest.fixture
def peers(data: Path) -> Any:
    """TRL, a tokenizer with Grok's template, and a small model of Hugging Face's."""
    trl = pytest.importorskip(
        "trl", reason="TRL is not installed; it is the oracle of the fine-tuning losses"
    )
    transformers = pytest.importorskip("transformers")
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(data / "tokenizer.json"), pad_token="<|pad|>", eos_token="<|separator|>"
    )
    fast.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
    )
    model = transformers.LlamaForCausalLM(config).eval()
    return trl, fast, model


def nlls(model: Any, inputs: np.ndarray, targets: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return answer_log_probabilities(
            plain_losses(model(torch.from_numpy(inputs)).logits, torch.from_numpy(targets))
        )


def test_the_loss_of_conversations_is_trls(peers: Any, data: Path, tmp_path: Path) -> None:
    trl, fast, model = peers
    datasets = pytest.importorskip("datasets")
    arguments = trl.SFTConfig(
        output_dir=str(tmp_path), assistant_only_loss=True, report_to="none", use_cpu=True, bf16=False,
        per_device_train_batch_size=2, gradient_checkpointing=False, max_length=128,
    )  # fmt: skip
    trainer = trl.SFTTrainer(
        model, arguments, train_dataset=datasets.Dataset.from_list(TALK), processing_class=fast
    )
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(2)])
    with torch.no_grad():
        theirs = float(trainer.compute_loss(model, batch))
    tokenizer = Corpus(data, 64).tokenizer
    alone = [
        conversation_rows(lines(tmp_path / f"{i}.jsonl", [row]), tokenizer, 128) for i, row in enumerate(TALK)
    ]
    total = sum(float(-nlls(model, x, y).sum()) for x, y, _ in alone)
    count = sum(int((y != IGNORE).sum()) for _, y, _ in alone)
    assert count == int((batch["labels"] != -100).sum())
    assert total / count == pytest.approx(theirs, rel=1e-5)


def test_the_loss_of_preferences_is_trls(peers: Any, data: Path, tmp_path: Path) -> None:
    trl, fast, model = peers
    datasets = pytest.importorskip("datasets")
    from copy import deepcopy

    reference = deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    table = [
        {"prompt": row["messages"], "chosen": [{"role": "assistant", "content": row["chosen"]}],
         "rejected": [{"role": "assistant", "content": row["rejected"]}]}
        for row in TASTE
    ]  # fmt: skip
    arguments = trl.DPOConfig(
        output_dir=str(tmp_path), beta=0.3, report_to="none", use_cpu=True, bf16=False,
        per_device_train_batch_size=4, gradient_checkpointing=False,
    )  # fmt: skip
    trainer = trl.DPOTrainer(
        model,
        ref_model=reference,
        args=arguments,
        train_dataset=datasets.Dataset.from_list(table),
        processing_class=fast,
    )
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
    with torch.no_grad():
        theirs = float(trainer.compute_loss(model.eval(), batch))
    inputs, targets, _ = preference_rows(
        lines(tmp_path / "taste.jsonl", TASTE), Corpus(data, 64).tokenizer, 128
    )
    now, was = (nlls(m, inputs, targets) for m in (model, reference))
    mine = float(dpo_losses(now[0::2], now[1::2], was[0::2], was[1::2], 0.3).mean())
    assert mine == pytest.approx(theirs, rel=1e-4)
    assert abs(mine - math.log(2)) > 0.01
