"""The data types of an answer, and what `answers/` needs of a store.

Owns the shapes only: `Answer`, `Claim`, `Citation`, `CitedPost`, and the two protocols that the store satisfies.
Times are UTC, integer microseconds since 1970.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from trinch.posts.schema import Post

Outcome = Literal["answer", "conflicting", "not_enough_evidence", "chat"]
"""`conflicting` is an answer whose posts contradict each other; `chat` is small talk, answered without posts."""


class Hit(Protocol):
    """A post as the store hands it over."""

    @property
    def post(self) -> Post: ...
    @property
    def at(self) -> int:
        """When this version was witnessed; `UNDATED`, before all others, for an undated post."""
        ...

    @property
    def score(self) -> float: ...
    @property
    def terms(self) -> Sequence[str]:
        """Its index terms, in the vocabulary of `Corpus.doc_freq`."""
        ...


class Corpus(Protocol):
    """Everything ingested, as far as an answer needs to know. `as_of` None is now; nothing later is seen."""

    @property
    def num_posts(self) -> int: ...
    def doc_freq(self, term: str) -> int:
        """How many posts hold that index term."""
        ...

    def retrieve(self, text: str, *, limit: int, as_of: int | None, where: str = "") -> Sequence[Hit]:
        """The posts nearest to free text, best first. `where` holds search operators that must all hold."""
        ...

    def search(self, query: str, *, limit: int, sort: str, as_of: int | None) -> Sequence[Hit]:
        """The posts that match search operators, with `sort` "latest" the newest first."""
        ...

    def copies(self, hit: Hit, *, as_of: int | None) -> Sequence[Hit]:
        """Reposts and near-copies of a post, in the whole store."""
        ...


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A span of a stored post: `quote == post.text[start:end]`, counted in code points."""

    id: str
    network: str
    url: str
    author: str
    created_at: int | None
    """None: the post is undated."""
    at: int
    """When the post was witnessed, which is what as-of compares with; `UNDATED` for an undated post."""
    quote: str
    start: int
    end: int


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence of the answer, and the posts that say the same."""

    text: str
    """The quote of its first citation; where `written`, a model's sentence which its citations together support."""
    as_of: int
    """When the quoted post was witnessed; `UNDATED` for an undated post."""
    authors: int
    """Authors known to be different who say it themselves; reposts and copies add none (see evidence.py)."""
    posts: int
    """Posts that say it, reposts and near-copies included."""
    citations: tuple[Citation, ...]
    written: bool = False
    label: str = ""
    """Which part of the answer it belongs to, in the language of the answer: a side of a comparison, a position."""
    attribution: str = ""
    """That one author alone says it, in the language of the answer; empty where others do too."""


class CitedPost(msgspec.Struct, frozen=True, kw_only=True):
    """A post the answer cites, whole."""

    id: str
    network: str
    url: str
    author: str
    created_at: int | None
    lang: str
    text: str
    copies: int
    """Its reposts and near-copies, itself not counted."""


class WriterSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a language model did for an answer."""

    model: str
    """Its name; empty where it could not even be asked for that."""
    sentences: int
    """Sentences that it proposed."""
    written: int
    """Those in the answer; the others are quotes."""
    repaired: int
    """Those of them that passed verification at the second attempt."""
    dropped: int
    """Sentences that failed verification twice; a quote takes their place where one is at hand."""
    tokens: int
    """Tokens that it wrote; estimated from the characters where its server does not count."""
    seconds: float
    searches: int = 0
    """Searches of its own."""
    error: str = ""
    """Why it ended early or wrote nothing: a code of `trinch.llm.interface.ErrorCode`; empty where it did not."""
    note: str = ""
    """The same for people."""
    refused: tuple[str, ...] = ()
    """Sentences that failed, each with the reason in parentheses; at most ten."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    question: str
    as_of: int
    outcome: Outcome
    answer: str
    claims: tuple[Claim, ...] = ()
    sources: tuple[CitedPost, ...] = ()
    took_ms: float = 0.0
    task: str = "question"
    """What the request wanted: one of `request.TASKS`."""
    headline: str = ""
    """What the claims are, in the language of the answer and in our words. Numbers in it are those of the quotes, or
    counted from the posts found."""
    nearest: tuple[CitedPost, ...] = ()
    """Where there is not enough evidence: posts that speak of a part of what was asked. Not cited, they prove nothing."""
    partial: bool = False
    """The CPU budget ended the searches early: posts that belong in the answer may be missing."""
    writer: WriterSummary | None = None
    """None where no model was asked."""

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values; times in RFC 3339, None for that of an undated post."""
        from trinch.answers.render import as_json

        return as_json(self)

    def __str__(self) -> str:
        """The answer with its sources, as plain text."""
        from trinch.answers.render import plain

        return plain(self)

    def _repr_html_(self) -> str:
        """The claims with their sources, for a notebook."""
        from trinch.notebook import link, table

        rows = [
            (claim.text, link(f"@{one.author}" if one.author else "source", one.url), one.quote)
            for claim in self.claims
            for one in claim.citations[:1]
        ]
        return table(("claim", "source", "quote"), rows, self.headline or self.answer[:200])
