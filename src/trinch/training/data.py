"""Posts to text to tokens to packed sequences, on disk.

Owns the prepared data of a run: `tokenizer.json`, the token files `train.bin` and `held_out.bin`, for each a
table of which post stands where, and `data.json` with the counts. Knows nothing of models. What the posts say
is never interpreted: it is characters, scrubbed, then numbers.
"""

import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from trinch.model.tokenizer import EOS, PAD, SPECIAL_TOKENS, Tokenizer, TokenizerError, load_tokenizer
from trinch.posts.event import Post
from trinch.training.choose import Chooser, post_key
from trinch.training.order import rows
from trinch.training.settings import Data, SettingsError
from trinch.training.tokenize import bytes_of_tokens, train_tokenizer

IGNORE = -100
"""A target that is not to be predicted; torch's cross entropy skips it."""
PAD_TOKEN = SPECIAL_TOKENS.index(PAD)
"""Overwrites what was struck out; special tokens have the first ids."""
SPAN = np.dtype([("post", "u8"), ("start", "i8"), ("length", "i4")])
_TOKENIZER_SAMPLE = 200_000
"""Posts, evenly spread, that the tokenizer learns from: more change few merges."""

Tell = Callable[[str], None]
Batch = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""(inputs, targets)."""


@dataclass(frozen=True)
class Tokens:
    """One packed file: posts end to end, each ended by EOS, cut into sequences of `sequence` tokens."""

    path: Path
    sequence: int

    @cached_property
    def tokens(self) -> npt.NDArray[np.integer]:
        """All tokens, mapped from disk."""
        kind = np.uint16 if self.path.with_suffix(".u16").exists() else np.uint32
        return np.memmap(self.path, kind, "r")

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.sequence

    def take(self, numbers: npt.NDArray[np.int64]) -> Batch:
        """(inputs, targets), both (rows, sequence); a struck-out token is no target."""
        start = numbers[:, None] * self.sequence + np.arange(self.sequence + 1)
        both = np.asarray(self.tokens[start], np.int64)
        targets = both[:, 1:].copy()
        targets[targets == PAD_TOKEN] = IGNORE
        return both[:, :-1], targets


@dataclass(frozen=True)
class Corpus:
    """The prepared data of a run, read back."""

    folder: Path
    sequence: int

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

    def batch(self, seed: int, step: int, size: int, part: int = 0, parts: int = 1) -> Batch:
        """(inputs, targets), both (size / parts, sequence), of one part of a step: a pure function of its
        arguments."""
        mine = rows(seed, step, size, len(self.train)).reshape(parts, -1)[part]
        return self.train.take(mine)


def prepare(
    posts: Iterable[Post], settings: Data, folder: Path, tell: Tell = lambda _: None
) -> dict[str, object]:
    """Read posts once, choose, train the tokenizer, write the token files; returns what `data.json` holds.

    All or nothing: the folder appears when it is complete. Raises SettingsError when there is too little
    text.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
    try:
        info = _prepare(posts, settings, work, tell)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return info


def _prepare(posts: Iterable[Post], settings: Data, work: Path, tell: Tell) -> dict[str, object]:
    chooser = Chooser(settings)
    ends = array("Q", [0])
    with open(work / "texts", "w+b") as spool:
        for post in posts:
            text = chooser.add(post)
            if text is not None:
                ends.append(ends[-1] + spool.write(text.encode("utf-8", "replace")))
                if len(ends) % 100_000 == 0:
                    tell(f"{len(ends):,} posts read")
        chosen = chooser.choose()
        tell(f"posts: {chosen.counts}")
        spool.flush()
        texts = np.memmap(spool, np.uint8, "r") if ends[-1] else np.zeros(0, np.uint8)

        def read(numbers: npt.NDArray[np.int64]) -> Iterator[str]:
            return (texts[ends[i] : ends[i + 1]].tobytes().decode() for i in numbers.tolist())

        if settings.tokenizer:
            tokenizer = _given_tokenizer(Path(settings.tokenizer))
        else:
            step = -(-chosen.train.size // _TOKENIZER_SAMPLE)
            tokenizer = train_tokenizer(read(chosen.train[::step]), settings.vocabulary)
        tokenizer.save(work)
        keys = chooser.keys()
        info: dict[str, object] = {
            "counts": chosen.counts,
            "languages": chosen.languages,
            "held_out_from": chosen.held_out_from,
            "vocabulary": tokenizer.vocab_size,
            "settings": msgspec.to_builtins(settings),
        }
        for name, numbers in (("train", chosen.train), ("held_out", chosen.held_out)):
            info[f"{name}_tokens"] = _write(work / f"{name}.bin", tokenizer, read(numbers), keys[numbers])
            info[f"{name}_bytes"] = int(np.diff(np.array(ends))[numbers].sum())
    os.unlink(work / "texts")
    (work / "data.json").write_text(json.dumps(info, indent=2) + "\n")
    tell(f"{info['train_tokens']:,} tokens to train on, {info['held_out_tokens']:,} held out")
    return info


def _given_tokenizer(path: Path) -> Tokenizer:
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


def _write(path: Path, tokenizer: Tokenizer, texts: Iterator[str], keys: npt.NDArray[np.uint64]) -> int:
    """Encode texts into one token file and its table of spans; returns the number of tokens."""
    small = tokenizer.vocab_size <= 1 << 16
    if small:
        path.with_suffix(".u16").touch()
    spans = np.zeros(len(keys), SPAN)
    spans["post"] = keys
    place, end = 0, tokenizer.special(EOS)
    with open(path, "wb") as out:
        for number, text in enumerate(texts):
            ids = [*tokenizer.encode(text), end]
            out.write(np.array(ids, np.uint16 if small else np.uint32).tobytes())
            spans["start"][number], spans["length"][number] = place, len(ids)
            place += len(ids)
    np.save(path.with_suffix(".npy"), spans)
    return place


def strike_out(folder: Path, visible: Iterable[Post]) -> int:
    """Overwrite with padding every post that is no longer visible; returns how many. Nothing else moves.

    Called at each start of a run, so that a post erased since the data were prepared is not trained on again.
    """
    keys = np.unique(np.fromiter((post_key(post) for post in visible), np.uint64))
    struck = 0
    for path in (folder / "train.bin", folder / "held_out.bin"):
        spans = np.load(path.with_suffix(".npy"))
        gone = spans[~np.isin(spans["post"], keys)]
        if not gone.size:
            continue
        tokens = np.memmap(path, Tokens(path, 1).tokens.dtype, "r+")
        for span in gone:
            tokens[span["start"] : span["start"] + span["length"]] = PAD_TOKEN
        tokens.flush()
        np.save(path.with_suffix(".npy"), spans[np.isin(spans["post"], keys)])
        struck += gone.size
    return struck
