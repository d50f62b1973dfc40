"""Prepare training data: posts to text to tokens to packed sequences, on disk.

A run's prepared data are `tokenizer.json`, the token files `train.bin` and `held_out.bin`, a table of the tokens of
each post beside each, and `data.json` with the counts. Text of posts is never interpreted: it is scrubbed of personal
data and encoded.
"""

import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from trinch.model.tokenizer import EOS, SPECIAL_TOKENS, Tokenizer, TokenizerError, load_tokenizer
from trinch.training.batch_order import rows
from trinch.training.data_selection import DataSelector
from trinch.training.document_spans import (
    PAD_TOKEN,
    REMOVED,
    SPAN,
    RedactedTokens,
    Spans,
    invisible_rows,
    overwrite,
    read_spans,
    token_type,
)
from trinch.training.post_source import PlacedPost, PostSource
from trinch.training.settings import Data, SettingsError
from trinch.training.tokenizer_training import bytes_of_tokens, train_tokenizer

IGNORE = -100
"""A target that is not to be predicted; torch's cross entropy skips it."""
_TOKENIZER_SAMPLE = 200_000
"""Posts, evenly spread, that the tokenizer learns from: more change few merges."""

Report = Callable[[str], None]
Batch = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""(inputs, targets)."""


@dataclass(frozen=True)
class Tokens:
    """One packed file: posts end to end, each ended by EOS, cut into sequences of `sequence` tokens."""

    path: Path
    sequence: int
    redacted: RedactedTokens = field(default_factory=RedactedTokens)

    @cached_property
    def tokens(self) -> npt.NDArray[np.integer]:
        """All tokens, mapped from disk."""
        return np.memmap(self.path, token_type(self.path), "r")

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.sequence

    def take(self, numbers: npt.NDArray[np.int64]) -> Batch:
        """(inputs, targets), both (rows, sequence); a redacted token is no target."""
        at = numbers[:, None] * self.sequence + np.arange(self.sequence + 1)
        both = np.asarray(self.tokens[at], np.int64)
        both[self.redacted.covers(at)] = PAD_TOKEN
        targets = both[:, 1:].copy()
        targets[targets == PAD_TOKEN] = IGNORE
        return both[:, :-1], targets

    def spans(self) -> Spans:
        """Spans of posts in the file."""
        return read_spans(self.path)

    def overwrite(self, rows: npt.NDArray[np.int64]) -> None:
        """Put padding over these spans, on disk."""
        overwrite(self.path, rows)

    def redact(self, spans: Spans) -> None:
        """Return padding for these spans from now on, whatever the file holds."""
        self.redacted.add(spans)


@dataclass(frozen=True)
class Corpus:
    """The prepared data of a run, read back.

    `source` is the (path, until) of the store that they were made of, where it is to be followed, and
    `position` the position in its log up to which they were last checked.
    """

    folder: Path
    sequence: int
    source: tuple[str, str] | None = None
    position: int = 0

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return load_tokenizer(self.folder / "tokenizer.json")

    @cached_property
    def bytes_of_tokens(self) -> npt.NDArray[np.int64]:
        return bytes_of_tokens(self.folder / "tokenizer.json")

    @cached_property
    def train(self) -> Tokens:
        return Tokens(self.folder / "train.bin", self.sequence)

    @cached_property
    def held_out(self) -> Tokens:
        return Tokens(self.folder / "held_out.bin", self.sequence)

    def batch(self, seed: int, size: int, step: int, part: int = 0, parts: int = 1) -> Batch:
        """(inputs, targets), both (size / parts, sequence), of one part of a step: a pure function of its
        arguments, apart from redacted posts."""
        mine = rows(seed, step, size, len(self.train)).reshape(parts, -1)[part]
        return self.train.take(mine)


def prepare(
    posts: Iterable[PlacedPost], settings: Data, folder: Path, report: Report = lambda _: None
) -> dict[str, object]:
    """Read posts once, choose, train the tokenizer, write the token files; returns what `data.json` holds.

    All or nothing: the folder appears when it is complete; what a killed attempt left is removed. Raises
    SettingsError when there is too little text.
    """
    work = folder.with_name(folder.name + ".draft")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        info = _prepare(posts, settings, work, report)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return info


def _prepare(posts: Iterable[PlacedPost], settings: Data, work: Path, report: Report) -> dict[str, object]:
    ends, places = array("Q", [0]), array("q")
    # An unnamed file: the texts do not outlive this process, however it ends.
    with tempfile.TemporaryFile(dir=work) as spool:

        def read(number: int) -> str:
            spool.seek(ends[number])
            text = spool.read(ends[number + 1] - ends[number]).decode()
            spool.seek(0, os.SEEK_END)
            return text

        selector = DataSelector(settings, read)
        for place, post in posts:
            text = selector.add(post)
            if text is not None:
                ends.append(ends[-1] + spool.write(text.encode("utf-8", "replace")))
                places.append(place)
                if len(ends) % 100_000 == 0:
                    report(f"{len(ends):,} posts read")
        chosen = selector.choose()
        report(f"posts: {chosen.counts}")
        if settings.tokenizer:
            tokenizer = _read_given_tokenizer(Path(settings.tokenizer))
        else:
            step = -(-chosen.train.size // _TOKENIZER_SAMPLE)
            tokenizer = train_tokenizer(map(read, chosen.train[::step].tolist()), settings.vocabulary)
        tokenizer.save(work)
        table = np.zeros(len(places), SPAN)
        table["post"], table["author"], table["place"] = selector.keys(), selector.accounts(), places
        info: dict[str, object] = {
            "counts": chosen.counts,
            "languages": chosen.languages,
            "held_out_from": chosen.held_out_from,
            "vocabulary": tokenizer.vocab_size,
            "settings": msgspec.to_builtins(settings),
        }
        for name, numbers in (("train", chosen.train), ("held_out", chosen.held_out)):
            texts = map(read, numbers.tolist())
            info[f"{name}_tokens"] = _write(work / f"{name}.bin", tokenizer, texts, table[numbers])
            info[f"{name}_bytes"] = int(np.diff(np.array(ends))[numbers].sum())
    (work / "data.json").write_text(json.dumps(info, indent=2) + "\n")
    report(f"{info['train_tokens']:,} tokens to train on, {info['held_out_tokens']:,} held out")
    return info


def _read_given_tokenizer(path: Path) -> Tokenizer:
    try:
        tokenizer = load_tokenizer(path)
        first = [tokenizer.special(token) for token in SPECIAL_TOKENS]
    except (OSError, TokenizerError) as error:
        raise SettingsError(f"data.tokenizer: {error}") from None
    if first != list(range(len(first))):
        raise SettingsError(
            f"data.tokenizer: {path} has {', '.join(SPECIAL_TOKENS)} at {first}, not at 0, 1, 2"
        )
    return tokenizer


def _write(path: Path, tokenizer: Tokenizer, texts: Iterator[str], spans: Spans) -> int:
    """Encode texts into one token file and its table of spans; returns the number of tokens."""
    small = tokenizer.vocab_size <= 1 << 16
    if small:
        path.with_suffix(".u16").touch()
    place, end = 0, tokenizer.special(EOS)
    with open(path, "wb") as out:
        for number, text in enumerate(texts):
            ids = [*tokenizer.encode(text), end]
            out.write(np.array(ids, np.uint16 if small else np.uint32).tobytes())
            spans["start"][number], spans["length"][number] = place, len(ids)
            place += len(ids)
    np.save(path.with_suffix(".npy"), spans)
    return place


def redact_data(folder: Path, source: PostSource) -> int:
    """Overwrite with padding every post that is no longer visible; returns how many spans. All other tokens
    keep their place. Raises SettingsError where none of them is visible: that is another source.

    Called whenever prepared data are taken up again; a run under way follows the log (`erasure`).
    """
    unread, there = {}, 0
    for path in (folder / "train.bin", folder / "held_out.bin"):
        spans = read_spans(path)
        places = np.unique(spans["place"])
        unread[path] = invisible_rows(spans, source.visible(places[places != REMOVED].tolist()))
        there += int(np.count_nonzero(spans["place"] != REMOVED))
    redacted = sum(gone.size for gone in unread.values())
    if there and redacted == there:
        raise SettingsError(
            f"{source.path} shows none of the posts that {folder} was made of: name the source it was made of with "
            f"--data, or remove {folder} if they are gone"
        )
    for path, gone in unread.items():
        if gone.size:
            overwrite(path, gone)
    return redacted
