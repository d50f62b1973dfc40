"""An answer as one text with citations in it, the way chat clients want it.

Owns the text, its markers `[1]`, and the offsets of every citation in it (code points). Clients show such texts
as Markdown, and posts are hostile: what a post wrote is escaped, so that it is seen as it was typed. Knows nothing
of any vendor's envelope.
"""

import re
from typing import Any, NamedTuple
from urllib.parse import quote

from trinch.answers.question import language
from trinch.posts.text import fold, tokens

NOTHING = {
    "en": "Not enough evidence: no post speaks of what is asked.",
    "fr": "Pas assez d'éléments : aucun message ne parle de ce qui est demandé.",
}
"""What is said instead of an answer, by language of the question."""


class CitedSpan(NamedTuple):
    """One citation of one sentence: the sentence stands at text[start:end]."""

    start: int
    end: int
    title: str
    url: str


class Piece(NamedTuple):
    """One claim as a piece of the text, with its markers and what separates it from the piece before."""

    text: str
    cited: list[CitedSpan]
    """Offsets into the whole text."""


def piece_of(claim: dict[str, Any], at: int, base: str, linked: bool = False) -> Piece:
    """One claim, to stand at an offset of the text."""
    before = "\n\n" if at else ""
    sentence = escape_markdown(claim["text"])
    start = at + len(before)
    marks, cited = [], []
    for citation in claim["citations"]:
        url = post_url(citation, base)
        marks.append(f"[[{citation['n']}]]({url})" if linked else f"[{citation['n']}]")
        cited.append(CitedSpan(start, start + len(sentence), post_title(citation), url))
    return Piece(f"{before}{sentence} {''.join(marks)}", cited)


def no_evidence_text(question: str) -> str:
    """That there is not enough evidence, in the language of the question where we speak it."""
    return NOTHING.get(language(tokens(fold(question))), NOTHING["en"])


def post_title(post: dict[str, Any]) -> str:
    """How a post is called in a list of sources: who and when. The day comes last: clients with little room show
    the ends."""
    who = f"@{post['author']}" if post["author"] else post["network"]
    day, time = post["created_at"][:16].split("T")
    return f"{who}, {time} UTC, {day}"


def post_url(post: dict[str, Any], base: str) -> str:
    """Where a post can be read: on its network, else on this server. Brackets would end a Markdown link."""
    url: str = post["url"] or f"{base}/v1/posts/{quote(post['key'], safe=':/@')}"
    return url.replace("(", "%28").replace(")", "%29")


_MARKUP = re.compile(r"[\\`*\[\]<]|(?<!\w)_|_(?!\w)|~(?=~)|^[#>+-](?=[\s#>]|$)|(?<=^\d)[.)]|(?<=^\d\d)[.)]")


def escape_markdown(text: str) -> str:
    """Text that a Markdown renderer shows as it is: no link, image, tag, emphasis, heading or list."""
    return _MARKUP.sub(lambda match: "\\" + match.group(), text)


def count_words(*texts: str) -> int:
    """What is counted as usage: words, for there is no model whose tokens could be."""
    return sum(len(tokens(text)) for text in texts)
