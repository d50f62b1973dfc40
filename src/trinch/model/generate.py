"""Generation: prompts in, tokens or text out, streamed.

Key-value cache, padding of prompts of different lengths, sampling and stopping.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trinch.model.config import GrokConfig
from trinch.model.grok import Grok
from trinch.model.tokenizer import Tokenizer


class LayerKV:
    """Keys and values of one layer, in memory set aside for `length` positions."""

    def __init__(self, batch: int, length: int, config: GrokConfig, like: Tensor) -> None:
        shape = (batch, config.num_kv_heads, length, config.head_dim)
        self.key, self.value = like.new_empty(shape), like.new_empty(shape)
        self.used = 0

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add [B, J, T, C] and return all so far, [B, J, S, C] each."""
        end = self.used + key.shape[2]
        self.key[:, :, self.used : end], self.value[:, :, self.used : end] = key, value
        self.used = end
        return self.key[:, :, :end], self.value[:, :, :end]


def new_cache(model: Grok, batch: int, length: int) -> list[LayerKV]:
    """An empty cache for `batch` sequences of up to `length` positions, in the dtype of the activations."""
    assert model.embed_tokens is not None, "a pipeline stage cannot generate"
    like = torch.empty(0, dtype=model.dtype, device=model.embed_tokens.weight.device)
    return [LayerKV(batch, length, model.config, like) for _ in model.layers]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose tokens and when to stop."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    """0 takes the likeliest token."""
    top_p: float = 1.0
    """Sample only from the fewest tokens whose probabilities reach this sum."""
    seed: int = 0
    stop: tuple[str, ...] = ()
    """Text at which to stop; it is not part of the result."""
    stop_tokens: frozenset[int] = field(default_factory=frozenset)
    """Tokens at which to stop, besides the model's own end."""

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"need max_new_tokens >= 1, temperature >= 0, 0 < top_p <= 1: {self}")


def sample_tokens(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """Next tokens [B] from logits [B, V]."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    probability = (logits.float() / sampling.temperature).softmax(-1)
    if sampling.top_p < 1:
        ordered, index = probability.sort(dim=-1, descending=True, stable=True)
        # A token stays if those before it do not reach the sum yet, so the first always stays.
        ordered = ordered.masked_fill(ordered.cumsum(-1) - ordered >= sampling.top_p, 0)
        probability = torch.zeros_like(probability).scatter_(-1, index, ordered)
    return torch.multinomial(probability, 1, generator=generator).squeeze(-1)


@torch.inference_mode()
def generate_tokens(
    model: Grok, prompts: Sequence[Sequence[int]], sampling: Sampling, *, use_cache: bool = True
) -> Iterator[list[int | None]]:
    """Yield, step by step, the next token of every prompt; None for those that have ended.

    A stop token ends its prompt and is not yielded. Prompts may differ in length: they are padded on the
    left, and padding is neither attended to nor counted in positions, so each result is what the prompt
    alone would give, up to rounding. Without the cache every step runs the whole sequence, to the same
    result.
    """
    if not prompts or not all(prompts):
        raise ValueError("every prompt needs at least one token")
    device = next(model.parameters()).device
    batch, width = len(prompts), max(map(len, prompts))
    length = width + sampling.max_new_tokens
    pad = model.config.pad_token_id
    tokens = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts], device=device)
    # True at real tokens, for prompt and all that will follow it.
    seen = torch.tensor([[False] * (width - len(p)) + [True] * (length - width + len(p)) for p in prompts])
    seen = seen.to(device)
    positions = (seen.cumsum(1) - 1).clamp(min=0)
    causal = torch.ones(length, length, dtype=torch.bool, device=device).tril()
    stops = sampling.stop_tokens | {model.config.eos_token_id}
    generator = torch.Generator(device).manual_seed(sampling.seed)
    cache = new_cache(model, batch, length) if use_cache else None
    running = [True] * batch
    start = 0
    while True:
        end = tokens.shape[1]
        mask = causal[start:end, :end] & seen[:, None, :end]
        logits = model(
            tokens[:, start:], positions=positions[:, start:end], mask=mask, cache=cache, last_only=True
        )
        chosen = sample_tokens(logits[:, -1], sampling, generator)
        row: list[int | None] = [None] * batch
        for i, token in enumerate(chosen.tolist()):
            running[i] = running[i] and token not in stops
            if running[i]:
                row[i] = token
        if not any(running):
            return
        yield row
        if end + 1 - width >= sampling.max_new_tokens:
            return
        tokens = torch.cat((tokens, chosen[:, None]), 1)
        start = end if use_cache else 0


class TextStream:
    """Turns one prompt's tokens into text as early as is safe.

    Held back: the beginning of what may become a stop string, and bytes of an unfinished character.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str]) -> None:
        self.tokenizer, self.stop = tokenizer, [s for s in stop if s]
        self.tokens: list[int] = []
        self.emitted = 0
        self.stopped = False

    def add(self, token: int) -> str:
        """The new text that `token` makes certain; nothing once a stop string has come."""
        if self.stopped:
            return ""
        self.tokens.append(token)
        text = self.tokenizer.decode(self.tokens).rstrip("\N{REPLACEMENT CHARACTER}")
        cuts = [at for s in self.stop if (at := text.find(s, max(self.emitted - len(s), 0))) >= 0]
        if cuts:
            self.stopped = True
            return self._emit(text[: min(cuts)])
        held = max((n for s in self.stop for n in range(1, len(s)) if text.endswith(s[:n])), default=0)
        return self._emit(text[: len(text) - held])

    def finish(self) -> str:
        """What was held back, if no stop string came."""
        return "" if self.stopped else self._emit(self.tokenizer.decode(self.tokens))

    def _emit(self, text: str) -> str:
        new = text[self.emitted :]
        self.emitted = max(self.emitted, len(text))
        return new


def stream(
    model: Grok, tokenizer: Tokenizer, prompts: Sequence[str | Sequence[int]], sampling: Sampling
) -> Iterator[list[str]]:
    """Yield, step by step, the new text of every prompt ("" where there is none). Text or token prompts."""
    ids = [tokenizer.encode(p) if isinstance(p, str) else p for p in prompts]
    streams = [TextStream(tokenizer, sampling.stop) for _ in ids]
    ended = [False] * len(ids)
    for row in generate_tokens(model, ids, sampling):
        step = []
        for i, token in enumerate(row):
            if token is None:
                step.append("" if ended[i] else streams[i].finish())
                ended[i] = True
            else:
                step.append(streams[i].add(token))
        yield step
        if all(end or s.stopped for end, s in zip(ended, streams, strict=True)):
            return
    yield ["" if end else s.finish() for end, s in zip(ended, streams, strict=True)]


def generate(
    model: Grok, tokenizer: Tokenizer, prompts: Sequence[str | Sequence[int]], sampling: Sampling
) -> list[str]:
    """The whole continuation of every prompt."""
    texts = [""] * len(prompts)
    for step in stream(model, tokenizer, prompts, sampling):
        texts = [text + new for text, new in zip(texts, step, strict=True)]
    return texts
