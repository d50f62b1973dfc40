"""Verify a sentence against posts of a store."""

from collections.abc import Sequence
from datetime import UTC, datetime

from trinch.answers.render import clean
from trinch.answers.spans import MAX_QUOTE
from trinch.answers.types import Hit
from trinch.answers.verify.alignment import Alignment
from trinch.answers.verify.meanings import LANGUAGES
from trinch.answers.verify.reading import CitedText, read, read_post
from trinch.answers.verify.verifier import Verdict, verify
from trinch.posts.language_id import identify
from trinch.posts.schema import UNDATED


def verify_claim(text: str, posts: Sequence[Hit]) -> Verdict:
    """The verdict on a sentence that cites posts, in the language it is written in; English where that is unclear."""
    if text != clean(text) or len(text) > 2 * MAX_QUOTE:
        return Verdict(False, 0.0, "it is too long, or no plain text")
    found = identify(text)
    return verify(text, "en" if found in ("", "und") else found, [cited_text(hit) for hit in posts])


SPOKEN_OF = 0.5
"""Least share of a request's words that posts must hold to speak of it."""


def speaks_of(request: str, posts: Sequence[Hit]) -> bool:
    """Whether posts hold enough of a request's words, by meaning, to be about it."""
    found = identify(request)
    asked = Alignment(
        read(request, found if found in LANGUAGES else "en"), [read_post(cited_text(hit)) for hit in posts]
    )
    return bool(asked.content) and asked.share(asked.content, range(len(posts))) >= SPOKEN_OF


def cited_text(hit: Hit) -> CitedText:
    """A post as the verifier reads it. Its time is when it was witnessed, as in the whole answer."""
    at = None if hit.at == UNDATED else datetime.fromtimestamp(hit.at / 1_000_000, UTC)
    return CitedText(hit.post.text, hit.post.author, at, hit.post.lang)
