"""A Grok saved in a folder, opened through the interface that any language model is used by."""

import time
from functools import partial
from pathlib import Path

import pytest

from tests.needs_torch import MISSING, REASON

if MISSING:
    pytest.skip(REASON, allow_module_level=True)

import torch
from tokenizers import AddedToken, models
from tokenizers import Tokenizer as HFTokenizer
from tokenizers.pre_tokenizers import ByteLevel

from tests.answers.fake import FERRY, NOISE, FakeCorpus, us
from trinch.answers.answer import answer
from trinch.answers.prompt import Wishes
from trinch.answers.reading_list import reading_list
from trinch.answers.request import interpret
from trinch.answers.writing import Limits, Writing
from trinch.llm.interface import LLMError, Message, Setting
from trinch.model.config import GrokConfig
from trinch.model.generate import Sampling, generate
from trinch.model.grok import Grok
from trinch.model.llm_adapter import LocalModel
from trinch.model.load import save
from trinch.model.tokenizer import SPECIAL_TOKENS, Tokenizer, load_tokenizer, render_chat, split_and_bytes
from trinch.service.language_model import check_model, open_model

HELLO = [Message("system", "Be brief."), Message("user", "Hi <|separator|>!")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved Grok that has learnt nothing, with a token for each byte."""
    vocabulary = {token: i for i, token in enumerate([*SPECIAL_TOKENS, *sorted(ByteLevel.alphabet())])}
    inner = HFTokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer, inner.decoder = split_and_bytes()
    inner.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL_TOKENS])
    torch.manual_seed(0)
    config = GrokConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_layers=1, num_heads=2, num_kv_heads=1, head_dim=16,
        moe_intermediate_size=32, num_experts=2, tie_embeddings=True, max_positions=4096,
    )  # fmt: skip
    place = tmp_path_factory.mktemp("models") / "pebble"
    place.mkdir()
    save(Grok(config), place, dtype=torch.float32)
    Tokenizer(inner).save(place)
    return place


@pytest.fixture(scope="module")
def speaker(folder: Path) -> LocalModel:
    opened = open_model(Setting(str(folder)))
    assert isinstance(opened, LocalModel)
    return opened


def said(speaker: LocalModel, tokens: int) -> tuple[str, str]:
    """What it said until it was cut off or ended, and the trouble at the end."""
    text = ""
    try:
        for piece in speaker.complete(HELLO, max_tokens=tokens):
            text += piece
    except LLMError as error:
        return text, error.code
    return text, ""


def test_it_says_what_generation_says_after_the_template(speaker: LocalModel, folder: Path) -> None:
    from trinch.model.load import load

    tokenizer = load_tokenizer(folder)
    prompt, _ = tokenizer.encode_chat([{"role": m.role, "content": m.content} for m in HELLO])
    stops = frozenset({tokenizer.special("<|separator|>")})
    model = load(folder, dtype=torch.float32)
    (wanted,) = generate(model, tokenizer, [prompt], Sampling(max_new_tokens=20, stop_tokens=stops))
    text, _ = said(speaker, 20)
    assert text == wanted != ""
    assert said(speaker, 20)[0] == text, "at temperature 0 always the same"
    assert render_chat([{"role": "user", "content": "Hi"}]).endswith("Assistant:")
    assert speaker.name.endswith("/pebble")


def test_a_stop_string_ends_it_well(speaker: LocalModel) -> None:
    text, trouble = said(speaker, 20)
    assert trouble == "truncated"
    middle = text[5:7]
    stopped = "".join(speaker.complete(HELLO, max_tokens=20, stop=[middle]))
    assert stopped == text[: text.index(middle)]


def test_it_is_bounded_in_length_and_time(speaker: LocalModel, folder: Path) -> None:
    with pytest.raises(LLMError) as long:
        list(speaker.complete([Message("user", "x" * 5000)], max_tokens=5))
    assert long.value.code == "too_long"
    hurried = LocalModel.open(folder, seconds=0.3)
    started = time.monotonic()
    with pytest.raises(LLMError) as late:
        list(hurried.complete(HELLO, max_tokens=4000))
    assert late.value.code == "timeout"
    assert time.monotonic() - started < 5
    early = hurried.complete(HELLO, max_tokens=4000)
    next(early)
    early.close()
    assert isinstance(next(hurried.complete(HELLO, max_tokens=4000)), str), "who left early holds up nobody"


def test_torch_that_gives_up_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("not enough memory")

    monkeypatch.setattr(Grok, "forward", full)
    speaker = LocalModel.open(folder)
    for _ in range(2):  # and holds up nobody
        with pytest.raises(LLMError, match="not enough memory"):
            list(speaker.complete(HELLO, max_tokens=5))


def test_behind_an_answer_it_proves_nothing_and_the_quotes_stay(folder: Path) -> None:
    store, as_of = FakeCorpus(FERRY + NOISE), us("2031-05-02T21:00+00:00")
    before = answer(store, "how many people died in Port Halden", as_of)
    posts = reading_list(interpret(before.question, as_of, store), store, before, 3)
    opened = partial(open_model, Setting(str(folder), "my grok"))
    writing = Writing(store, before, posts, opened, Wishes(), Limits(tokens=40))
    list(writing.claims())
    given = writing.answer()
    assert given.claims == before.claims
    assert given.writer
    assert (given.writer.model, given.writer.written) == ("my grok", 0)


def test_what_is_no_model_is_told(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(LLMError, match="train export"):
        check_model(Setting(str(tmp_path)))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(LLMError, match="cannot open the model"):
        open_model(Setting(str(tmp_path)))
    check_model(Setting(str(folder)))
