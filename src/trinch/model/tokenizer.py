"""Tokenizer and Grok's conversation template.

Loads Hugging Face's `tokenizer.json` and Grok-2's `tokenizer.tok.json` with the `tokenizers` library. Text is data: a
special token spelled out inside it is encoded as plain text, so that nobody can end their turn, or begin another's, by
writing `<|separator|>`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as _Tokenizer

from trinch.errors import TrinchError

PAD, SEPARATOR, EOS = "<|pad|>", "<|separator|>", "<|eos|>"
SPECIAL_TOKENS = (PAD, SEPARATOR, EOS)
"""Of Grok-2, with the ids 0, 1 and 2."""

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Grok-2 cuts text before merging (its `word_split` "V1"): digits stand alone."""

_ROLES = {"system": "System:", "user": "Human:", "assistant": "Assistant:"}

CHAT_TEMPLATE = (
    "{%- set roles = {'system': 'System:', 'user': 'Human:', 'assistant': 'Assistant:'} -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] not in roles -%}"
    "{{- raise_exception('role ' ~ message['role'] ~ ' is none of system, user, assistant') -}}"
    "{%- endif -%}"
    "{%- set content = message['content'].replace('<|separator|>', '') -%}"
    "{%- if message['role'] != 'assistant' -%}{%- set content = content.strip() -%}{%- endif -%}"
    "{{- ('' if loop.first else '\n\n') ~ roles[message['role']] ~ ' ' ~ content ~ '<|separator|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- ('\n\n' if messages else '') ~ 'Assistant:' -}}{%- endif -%}"
)
"""Grok-2's conversation format in Jinja, as `render_chat` writes it."""


class TokenizerError(TrinchError, ValueError):
    """An invalid tokenizer file."""


def split_and_bytes() -> tuple[pre_tokenizers.PreTokenizer, decoders.Decoder]:
    """Grok-2's pre-tokenizer and the decoder that undoes it; also what a tokenizer of our own is trained
    with."""
    split = pre_tokenizers.Split(Regex(SPLIT), behavior="isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([split, to_bytes]), decoders.ByteLevel()


class Tokenizer:
    """A byte-level tokenizer with Grok's special tokens."""

    def __init__(self, tokenizer: _Tokenizer) -> None:
        self._tokenizer = tokenizer
        # Special tokens in text are text; `special` gives their ids.
        tokenizer.encode_special_tokens = True

    @property
    def vocab_size(self) -> int:
        """Number of tokens, the special ones included."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def vocabulary(self) -> dict[str, int]:
        """Ids of all tokens, as the file spells them: byte-level letters, not text."""
        return dict(self._tokenizer.get_vocab(with_added_tokens=True))

    def special(self, token: str) -> int:
        """Id of a special token; TokenizerError if there is none."""
        if (found := self._tokenizer.token_to_id(token)) is None:
            raise TokenizerError(f"this tokenizer has no {token}")
        return int(found)

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, taken literally."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of ids, without special tokens; unfinished characters become U+FFFD."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def save(self, path: Path) -> None:
        """Write `tokenizer.json` (give the folder or the file)."""
        self._tokenizer.save(str(path / "tokenizer.json" if path.is_dir() else path))

    def save_for_transformers(self, folder: Path, max_positions: int) -> None:
        """Write `tokenizer.json` and what `transformers.AutoTokenizer` needs beside it: the class, the special tokens
        and the chat template."""
        self.save(folder)
        special = {"pad_token": PAD, "eos_token": EOS, "additional_special_tokens": [SEPARATOR]}
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": max_positions,
            "clean_up_tokenization_spaces": False,
            "add_bos_token": False,
            "add_eos_token": False,
            "chat_template": CHAT_TEMPLATE,
            **special,
        }
        texts = {"tokenizer_config.json": config, "special_tokens_map.json": special}
        for name, values in texts.items():
            (folder / name).write_text(json.dumps(values, indent=2) + "\n", "utf-8")
        (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, "utf-8")

    def encode_chat(
        self, messages: Iterable[Mapping[str, str]], *, answer: bool = True
    ) -> tuple[list[int], list[bool]]:
        """Ids of a conversation in Grok-2's template, and which of them the assistant wrote.

        A message is {"role": "system" | "user" | "assistant", "content": …}. The assistant's words include
        the separator that ends them, which it must learn to write. `answer` adds the opening of the next
        answer.
        """
        separator = self.special(SEPARATOR)
        tokens: list[int] = []
        own_tokens: list[bool] = []
        for part, own in _parts(messages, answer):
            ids = [separator] if part == SEPARATOR else self.encode(part)
            tokens += ids
            own_tokens += [own] * len(ids)
        return tokens, own_tokens


def _parts(messages: Iterable[Mapping[str, str]], answer: bool) -> Iterator[tuple[str, bool]]:
    """Pieces of a conversation that are encoded one by one, and whether the assistant wrote them."""
    gap = ""
    for message in messages:
        role, content = message["role"], message["content"]
        if role not in _ROLES:
            raise ValueError(f"role {role!r} is none of {', '.join(_ROLES)}")
        if role == "assistant":
            yield f"{gap}{_ROLES[role]}", False
            yield f" {content}", True
        else:
            yield f"{gap}{_ROLES[role]} {content.strip()}", False
        yield SEPARATOR, role == "assistant"
        gap = "\n\n"
    if answer:
        yield f"{gap}{_ROLES['assistant']}", False


def render_chat(messages: Iterable[Mapping[str, str]], *, answer: bool = True) -> str:
    """The conversation as text, for engines that take text. Separators written by people are left out."""
    plain = [{**m, "content": m["content"].replace(SEPARATOR, "")} for m in messages]
    return "".join(part for part, _own in _parts(plain, answer))


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in a file or a model's folder. Raises TokenizerError, or OSError if it cannot be read."""
    if path.is_dir():
        names = ("tokenizer.json", "tokenizer.tok.json")
        found = next((path / name for name in names if (path / name).is_file()), None)
        if found is None:
            hint = (
                " (convert tokenizer.model to tokenizer.json)" if (path / "tokenizer.model").exists() else ""
            )
            raise TokenizerError(f"{path}: none of {', '.join(names)} here{hint}")
        path = found
    text = path.read_text(encoding="utf-8-sig")
    if text.startswith("version https://git-lfs.github.com/"):
        raise TokenizerError(f"{path}: a Git LFS pointer, not the file itself: run `git lfs pull` there")
    try:
        if path.name.endswith(".tok.json"):
            return Tokenizer(_from_ranks(json.loads(text)))
        return Tokenizer(_Tokenizer.from_str(text))
    except TokenizerError:
        raise
    except Exception as error:  # the library raises bare Exception
        raise TokenizerError(f"{path}: not a tokenizer ({error})") from None


def _from_ranks(spec: dict[str, Any]) -> _Tokenizer:
    """A tokenizer from Grok-2's file: tokens as bytes, where a lower id is an earlier merge."""
    if spec.get("word_split") != "V1":
        raise TokenizerError(f"word_split is {spec.get('word_split')!r}; only 'V1' is known")
    ranks = {bytes(item["bytes"]): int(item["token"]) for item in spec["regular_tokens"]}
    letters = _byte_letters()

    def spell(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1 and (pair := _last_merge(token, ranks, rank)):
            merges.append((spell(pair[0]), spell(pair[1])))
    vocab = {spell(token): rank for token, rank in ranks.items()}
    special = {bytes(item["bytes"]).decode(): int(item["token"]) for item in spec["special_tokens"]}
    # A whole word that is a token is taken as such, merges or not, as tiktoken does.
    tokenizer = _Tokenizer(models.BPE(vocab=vocab | special, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer, tokenizer.decoder = split_and_bytes()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return tokenizer


def _last_merge(token: bytes, ranks: Mapping[bytes, int], limit: int) -> tuple[bytes, bytes] | None:
    """The two tokens that `token` is merged from: merge its bytes by rank until two are left."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        pairs = [(ranks.get(a + b, limit), i) for i, (a, b) in enumerate(pairwise(parts))]
        rank, i = min(pairs)
        if rank >= limit:
            return None
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts[0], parts[1]


def _byte_letters() -> dict[int, str]:
    """The printable letter for each byte in byte-level vocabularies (GPT-2's table)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(hidden)}
