"""Generation: the cache changes nothing, batching changes nothing, streaming loses nothing."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as HFTokenizer
from tokenizers import models
from tokenizers.pre_tokenizers import ByteLevel

from trinch.model.config import CONFIGS
from trinch.model.generate import (
    Sampling,
    TextStream,
    generate,
    generate_tokens,
    new_cache,
    sample_tokens,
    stream,
)
from trinch.model.grok import Grok, attention_mask
from trinch.model.tokenizer import SPECIAL_TOKENS, Tokenizer, split_and_bytes

PROMPTS = [[5, 6, 7, 8, 9, 10, 11], [12, 13], [14, 15, 16, 17]]


@pytest.fixture(scope="module", params=["tiny", "small"])
def model(request: pytest.FixtureRequest) -> Grok:
    torch.manual_seed(1)
    config = replace(CONFIGS[request.param], num_layers=2, vocab_size=300, pad_token_id=0, eos_token_id=2)
    if config.attention_temperature_len:
        config = replace(config, attention_temperature_len=4)
    return Grok(config).eval()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Bytes as tokens, after the special ones."""
    letters = sorted(ByteLevel.alphabet())
    vocab = {letter: i for i, letter in enumerate([*SPECIAL_TOKENS, *letters])}
    inner = HFTokenizer(models.BPE(vocab=vocab, merges=[]))
    inner.add_special_tokens(list(SPECIAL_TOKENS))
    inner.pre_tokenizer, inner.decoder = split_and_bytes()
    return Tokenizer(inner)


def columns(steps: Sequence[list[int | None]]) -> list[list[int]]:
    return [[t for t in column if t is not None] for column in zip(*steps, strict=True)]


def run(model: Grok, prompts: list[list[int]], sampling: Sampling, use_cache: bool = True) -> list[list[int]]:
    return columns(list(generate_tokens(model, prompts, sampling, use_cache=use_cache)))


def test_cached_and_uncached_agree(model: Grok) -> None:
    sampling = Sampling(max_new_tokens=24)
    assert run(model, PROMPTS, sampling) == run(model, PROMPTS, sampling, use_cache=False)


def test_cached_logits_are_those_of_the_whole_sequence(model: Grok) -> None:
    tokens = torch.randint(3, 300, (2, 20))
    with torch.inference_mode():
        whole = model(tokens)
        cache = new_cache(model, 2, 20)
        pieces = []
        for start, end in ((0, 7), (7, 8), (8, 9), (9, 20)):
            positions = torch.arange(start, end)[None]
            pieces.append(model(tokens[:, start:end], positions=positions, cache=cache))
    assert torch.allclose(torch.cat(pieces, 1), whole, atol=2e-5)


def test_a_bfloat16_cache_changes_nothing_either(model: Grok) -> None:
    tokens = torch.randint(3, 300, (2, 20))
    model.dtype = torch.bfloat16
    try:
        with torch.inference_mode():
            whole = model(tokens)
            cache = new_cache(model, 2, 20)
            assert cache[0].key.dtype == torch.bfloat16
            model(tokens[:, :19], positions=torch.arange(19)[None], cache=cache)
            last = model(tokens[:, 19:], positions=torch.tensor([[19]]), cache=cache)
    finally:
        model.dtype = torch.float32
    assert torch.allclose(last[:, 0].float(), whole[:, -1].float(), atol=2e-2)


def test_a_batch_writes_what_each_prompt_alone_would(model: Grok) -> None:
    sampling = Sampling(max_new_tokens=16)
    alone = [run(model, [prompt], sampling)[0] for prompt in PROMPTS]
    assert run(model, PROMPTS, sampling) == alone


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_leaves_logits_alone(model: Grok, side: str) -> None:
    prompt, pads = torch.randint(3, 300, (1, 9)), torch.zeros(1, 4, dtype=torch.long)
    padded = torch.cat((pads, prompt) if side == "left" else (prompt, pads), 1)
    seen = torch.ones(1, 13, dtype=torch.bool)
    seen[:, slice(0, 4) if side == "left" else slice(9, 13)] = False

    positions = (seen.cumsum(1) - 1).clamp(min=0)
    with torch.inference_mode():
        out = model(padded, positions=positions, mask=attention_mask(13, seen=seen))
        assert torch.allclose(out[seen], model(prompt)[0], atol=2e-5)


def test_stop_tokens_end_only_their_own_prompt(model: Grok) -> None:
    free = run(model, PROMPTS, Sampling(max_new_tokens=12))
    stop = free[0][3]
    stopped = run(model, PROMPTS, Sampling(max_new_tokens=12, stop_tokens=frozenset({stop})))
    for before, after in zip(free, stopped, strict=True):
        assert after == (before[: before.index(stop)] if stop in before else before)


def test_sampling_is_reproducible_and_seeded(model: Grok) -> None:
    hot = Sampling(max_new_tokens=20, temperature=1.0, seed=3)
    assert run(model, PROMPTS, hot) == run(model, PROMPTS, hot)
    assert run(model, PROMPTS, hot) != run(model, PROMPTS, replace(hot, seed=4))


def test_top_p_keeps_the_fewest_tokens_that_reach_it() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().expand(4000, 4)
    generator = torch.Generator().manual_seed(0)
    drawn = (
        sample_tokens(logits, Sampling(temperature=1.0, top_p=0.7), generator).bincount(minlength=4) / 4000
    )
    assert drawn[2:].sum() == 0
    assert drawn[0] == pytest.approx(0.5 / 0.8, abs=0.03)
    only = sample_tokens(logits, Sampling(temperature=1.0, top_p=0.01), generator)
    assert (only == 0).all()


def test_lower_temperature_is_less_surprising() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0]]).expand(4000, 3)
    generator = torch.Generator().manual_seed(0)
    cold, hot = (sample_tokens(logits, Sampling(temperature=t), generator) for t in (0.5, 2.0))
    assert (cold == 0).float().mean() > 0.8 > 0.6 > (hot == 0).float().mean()


@settings(deadline=None)
@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\ufffd"), max_size=40),
    stop=st.lists(st.text("abc\u00e9 ", min_size=1, max_size=4), max_size=3),
)
def test_streaming_gives_the_text_up_to_the_first_stop(
    tokenizer: Tokenizer, text: str, stop: list[str]
) -> None:
    streamed = TextStream(tokenizer, stop)
    given_text = ""
    for token in tokenizer.encode(text):
        new = streamed.add(token)
        given_text += new
        assert not any(s in given_text for s in stop), "a stop string was shown"
    given_text += streamed.finish()
    # What was written when a stop string first was complete, up to that string.
    ends = (text[:n] for n in range(len(text) + 1) if any(s in text[:n] for s in stop))
    if (end := next(ends, None)) is None:
        assert given_text == text
    else:
        assert given_text == end[: min(at for s in stop if (at := end.find(s)) >= 0)]


def test_stream_and_generate_give_the_same_text(model: Grok, tokenizer: Tokenizer) -> None:
    sampling = Sampling(max_new_tokens=30, temperature=1.0)
    prompts = ["Hello", "What is the store"]
    whole = generate(model, tokenizer, prompts, sampling)
    steps = list(stream(model, tokenizer, prompts, sampling))
    assert [("".join(parts)) for parts in zip_longest(*steps, fillvalue="")] == whole
    assert len(steps) > 10
    cut = whole[0][5:8]
    stopped = generate(model, tokenizer, prompts, replace(sampling, stop=(cut,)))
    assert stopped[0] == whole[0][: whole[0].index(cut)]


def test_bad_requests_are_refused(model: Grok) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        list(generate_tokens(model, [[1], []], Sampling()))
    with pytest.raises(ValueError, match="top_p"):
        Sampling(top_p=0.0)
