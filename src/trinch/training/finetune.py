"""Supervised fine-tuning and preference tuning (DPO): rows of conversations, and the preference objective.

The loop, layouts and checkpoints are those of pre-training. A conversation is a JSON line `{"messages": [{"role":
"system" | "user" | "assistant", "content": …}, …]}`; a preference adds `"chosen"` and `"rejected"`, two answers to
those messages. Both may name in `"posts"` the posts they were made from; a row is used only while these are visible.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from trinch.model.tokenizer import Tokenizer
from trinch.posts.wire import UNREADABLE
from trinch.training.batch_order import rows
from trinch.training.chunked_loss import TokenLosses
from trinch.training.data import IGNORE, Batch
from trinch.training.data_selection import account_key
from trinch.training.document_spans import PAD_TOKEN, REMOVED, SPAN, Spans
from trinch.training.post_source import PlacedPost
from trinch.training.settings import Settings, SettingsError
from trinch.training.step import Engine

Line = TypeVar("Line", bound=msgspec.Struct)
LabelledTokens = tuple[list[int], list[bool]]
"""Tokens, and for each whether it is to be learnt."""


class Message(msgspec.Struct):
    """One turn."""

    role: str
    content: str


class Conversation(msgspec.Struct):
    """A conversation to learn."""

    messages: list[Message]
    posts: list[str] = []
    """Ids, bare or `network:id`."""


class Preference(msgspec.Struct):
    """Two answers to the same messages, one better than the other."""

    messages: list[Message]
    chosen: str
    rejected: str
    posts: list[str] = []


class Rows(NamedTuple):
    """Conversations packed into rows."""

    inputs: npt.NDArray[np.int64]
    """(rows, sequence)"""
    targets: npt.NDArray[np.int64]
    named: list[tuple[str, int, int]]
    """(post, first token, number of tokens) of what was made from a post; tokens are counted through the
    rows, each of sequence + 1."""


def read_lines(path: Path, kind: type[Line]) -> list[Line]:
    """Every line of a file of conversations or preferences. Raises SettingsError naming the line."""
    decoder = msgspec.json.Decoder(kind)
    out = []
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                out.append(decoder.decode(line))
            except UNREADABLE as error:
                raise SettingsError(f"{path}, line {number}: {error}") from None
    if not out:
        raise SettingsError(f"{path} is empty")
    return out


def plain(messages: Sequence[Message]) -> list[Mapping[str, str]]:
    """Messages as the tokenizer wants them."""
    return [{"role": m.role, "content": m.content} for m in messages]


def pack(conversations: Sequence[LabelledTokens], sequence: int, posts: Sequence[list[str]] = ()) -> Rows:
    """Conversations end to end, none across two rows.

    Only what is the assistant's own is a target. One longer than a row is cut at the row's end. `posts` are
    those that each was made from.
    """
    width = sequence + 1
    lines: list[LabelledTokens] = []
    named: list[tuple[str, int, int]] = []
    for number, (tokens, own) in enumerate(conversations):
        tokens, own = tokens[:width], own[:width]
        if not lines or len(lines[-1][0]) + len(tokens) > width:
            lines.append(([], []))
        begin = (len(lines) - 1) * width + len(lines[-1][0])
        lines[-1] = lines[-1][0] + tokens, lines[-1][1] + own
        named += [(post, begin, len(tokens)) for post in posts[number]] if posts else []
    both = np.full((len(lines), width), PAD_TOKEN, np.int64)
    learn = np.zeros((len(lines), width), bool)
    for i, (tokens, own) in enumerate(lines):
        both[i, : len(tokens)], learn[i, : len(own)] = tokens, own
    return Rows(both[:, :-1], np.where(learn, both, IGNORE)[:, 1:], named)


def conversation_rows(path: Path, tokenizer: Tokenizer, sequence: int) -> Rows:
    """The rows of a file of conversations."""
    talks = read_lines(path, Conversation)
    encoded = [tokenizer.encode_chat(plain(talk.messages), answer=False) for talk in talks]
    return pack(encoded, sequence, [talk.posts for talk in talks])


def preference_rows(path: Path, tokenizer: Tokenizer, sequence: int) -> Rows:
    """The rows of a file of preferences: chosen and rejected answers by turns. Only the answers are targets.

    Raises SettingsError for a pair that does not fit into a row: half an answer cannot be judged.
    """
    encoded: list[LabelledTokens] = []
    pairs = read_lines(path, Preference)
    for number, pair in enumerate(pairs, 1):
        for answer in (pair.chosen, pair.rejected):
            said = [*plain(pair.messages), {"role": "assistant", "content": answer}]
            tokens, _ = tokenizer.encode_chat(said, answer=False)
            before, _ = tokenizer.encode_chat(plain(pair.messages), answer=True)
            if len(tokens) > sequence + 1:
                raise SettingsError(
                    f"{path}, line {number}: {len(tokens)} tokens, and a row holds {sequence + 1}"
                )
            # Filled up, so that no two share a row.
            room = sequence + 1 - len(tokens)
            own = [i >= len(before) for i in range(len(tokens))]
            encoded.append((tokens + [PAD_TOKEN] * room, own + [False] * room))
    return pack(encoded, sequence, [pair.posts for pair in pairs for _ in range(2)])


class ShuffledRows:
    """Rows in an order that is a pure function of (seed, step); `together` neighbours stay neighbours.

    `placed` are the posts named that are visible; conversations made from any other are removed.
    """

    def __init__(
        self,
        data: Rows,
        settings: Settings,
        together: int = 1,
        placed: Mapping[str, PlacedPost] | None = None,
    ) -> None:
        self.inputs, self.targets = data.inputs.copy(), data.targets.copy()
        self.seed, self.size, self.together = settings.seed, settings.batch, together
        self.numbers: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        """The rows given last."""
        known = placed or {}
        self._spans = np.zeros(len(data.named), SPAN)
        for span, (name, begin, length) in zip(self._spans, data.named, strict=True):
            span["start"], span["length"], span["place"] = begin, length, REMOVED
            if name in known:
                place, post = known[name]
                span["place"], span["author"] = place, account_key(post.network, post.author_id)
        self.redact(self._spans[self._spans["place"] == REMOVED])

    def __call__(self, step: int, part: int, parts: int) -> Batch:
        groups = rows(self.seed, step, self.size // self.together, len(self.inputs) // self.together)
        every = (groups[:, None] * self.together + np.arange(self.together)).reshape(parts, -1)
        self.numbers = every[part]
        return self.inputs[self.numbers], self.targets[self.numbers]

    def spans(self) -> Spans:
        """Spans of conversations by the post they were made from."""
        return self._spans

    def overwrite(self, rows: npt.NDArray[np.int64]) -> None:
        """Mark as removed; the file of conversations itself is the user's and stays."""
        self._spans["place"][rows] = REMOVED

    def redact(self, spans: Spans) -> None:
        """Ignore these conversations from now on."""
        width = self.inputs.shape[1] + 1
        for span in spans:
            row, begin = divmod(int(span["start"]), width)
            end = begin + int(span["length"])
            self.inputs[row, begin:end] = PAD_TOKEN
            self.targets[row, max(0, begin - 1) : end - 1] = IGNORE


class DPO:
    """Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290), rows chosen and rejected by
    turns.

    loss = -log sigmoid(beta * ((chosen - rejected) - (the same under the model it starts from))), mean over
    pairs, of log probabilities of whole answers. The starting model is run once, before the first update.
    """

    def __init__(self, data: ShuffledRows, beta: float, pairs: int) -> None:
        """`pairs`: of one step, over all processes."""
        self.data, self.beta = data, beta
        self.denominator: Tensor | float = float(pairs)
        self._reference = torch.zeros(0)
        self._rows: Iterator[int] = iter(())
        self._sum: Tensor | float = 0.0

    def ready(self, engine: Engine) -> None:
        """Compute the reference log probabilities of every row; each process runs its share of them."""
        if engine.size % 2:
            raise SettingsError(f"micro-batches hold {engine.size} rows; pairs need an even number")
        world, inputs, targets = engine.world, self.data.inputs, self.data.targets
        found = torch.zeros(len(inputs), dtype=torch.float64)
        for number, begin in enumerate(range(0, len(inputs), engine.size)):
            mine = np.arange(begin, begin + engine.size) % len(inputs)
            # All processes run every micro-batch, since those with experts wait for each other; one of them
            # notes it.
            x, y = (torch.from_numpy(part[mine]).to(world.device) for part in (inputs, targets))

            def note(
                losses: TokenLosses, _: Tensor, mine: npt.NDArray[np.int64] = mine, number: int = number
            ) -> Tensor:
                answers = answer_log_probabilities(losses)
                if world.data_rank == number % world.shape.data_ways:
                    found[mine] = answers.double().cpu()
                return answers

            engine.evaluate(x, y, note)
        self._reference = torch.tensor(world.sum(*found.tolist())) / world.shape.tensor

    def begin(self, tokens: Tensor) -> None:
        """The rows that come now are those the data gave last."""
        self._rows = iter(self.data.numbers.tolist())

    def __call__(self, losses: TokenLosses, targets: Tensor) -> Tensor:
        now = answer_log_probabilities(losses)
        was = self._reference[[next(self._rows) for _ in range(len(now))]].to(now)
        was = was * (targets != IGNORE).any(-1)  # a redacted pair has no preference
        of_pairs = dpo_losses(now[0::2], now[1::2], was[0::2], was[1::2], self.beta)
        self._sum = self._sum + of_pairs.detach().double().sum()
        return of_pairs.sum() / self.denominator

    def take(self) -> Tensor | float:
        """Summed loss of the pairs seen."""
        total, self._sum = self._sum, 0.0
        return total


def answer_log_probabilities(losses: TokenLosses) -> Tensor:
    """Log probability of each row's targets together, [B]."""
    return -losses.nll.sum(-1)


def dpo_losses(
    chosen: Tensor, rejected: Tensor, was_chosen: Tensor, was_rejected: Tensor, beta: float
) -> Tensor:
    """Loss of each pair, from log probabilities under the model and under the one it started from."""
    return -F.logsigmoid(beta * ((chosen - rejected) - (was_chosen - was_rejected)))
