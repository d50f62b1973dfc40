"""Which pieces to keep: those that the commonest words of each language are made of, and all single characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from sentencepiece import SentencePieceProcessor
from sentencepiece import sentencepiece_model_pb2 as proto

from trinch.reader.pieces import SPECIAL

# Words asked of wordfreq, commonest first. The first six languages are the ones the reader is trained and measured in.
WORDS = {
    **dict.fromkeys(("en", "fr", "es", "de", "it", "pt"), 20_000),
    **dict.fromkeys(("nl", "ar", "ja", "hi", "tr", "id", "ru", "pl", "fil"), 1_500),
}


def model_of(pieces: Sequence[str], scores: Sequence[float]) -> bytes:
    """A SentencePiece unigram model of these pieces; the first four are the special ones. The text is NFKC already."""
    model: Any = proto.ModelProto()  # type: ignore[attr-defined]  # generated code
    for number, (piece, score) in enumerate(zip(pieces, scores, strict=True)):
        kind = 1 if number >= len(SPECIAL) else 2 if piece == "<unk>" else 3
        model.pieces.add(piece=piece, score=score, type=kind)
    trainer = model.trainer_spec
    trainer.model_type, trainer.vocab_size = 1, len(pieces)
    trainer.bos_id, trainer.pad_id, trainer.eos_id, trainer.unk_id = range(4)
    trainer.pad_piece = "<pad>"
    model.normalizer_spec.name = "identity"
    return bytes(model.SerializeToString())


def keep(pieces: Sequence[str], scores: Sequence[float], words: Iterable[str]) -> list[int]:
    """Ids of the pieces to keep, in order: special ones, single characters in use, whatever the words need."""
    whole = SentencePieceProcessor(model_proto=model_of(pieces, scores))
    kept = set(range(len(SPECIAL)))
    kept.update(number for number, piece in enumerate(pieces) if len(piece) == 1 and not _ideograph(piece))
    for ids in whole.encode(sorted(set(words)), num_threads=1):
        kept.update(ids)
    return sorted(kept)


def common_words() -> list[str]:
    """The commonest words of WORDS as wordfreq counts them, as written and with a capital."""
    from wordfreq import top_n_list

    found = [word for language, count in WORDS.items() for word in top_n_list(language, count)]
    folded = [unicodedata.normalize("NFKC", word) for word in found]
    return folded + [word.capitalize() for word in folded]


def _ideograph(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7a3"
