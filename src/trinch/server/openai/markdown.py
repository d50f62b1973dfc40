"""An answer as one Markdown text with citation markers `[1]` and the offsets of each citation (in code points).

Chat clients render such texts as Markdown, and posts are hostile input: the text of posts is escaped, so that a
client shows it as it was typed.
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
"""The text where all claims of an answer were deleted meanwhile, by language of the question."""


PARTIAL = {
    "en": "Partial: the CPU budget ended the search, so posts may be missing. Narrow the question.",
    "fr": "Partiel : le budget de calcul a mis fin à la recherche, des messages peuvent manquer. Précisez la question.",
}
"""The last paragraph of a partial answer, by language of the question."""


class CitedSpan(NamedTuple):
    """One citation of one sentence: the sentence is text[start:end]."""

    start: int
    end: int
    title: str
    url: str


class Piece(NamedTuple):
    """One claim as a piece of the text, with its markers and the separator before it."""

    text: str
    cited: list[CitedSpan]
    """Offsets into the whole text."""


def piece_of(claim: dict[str, Any], at: int, base: str, linked: bool = False) -> Piece:
    """One claim as the piece that begins at offset `at` of the text."""
    before = "\n\n" if at else ""
    before += "".join(f"{escape_markdown(claim[part])}: " for part in ("label", "attribution") if claim[part])
    sentence = escape_markdown(claim["text"])
    start = at + len(before)
    marks, cited = [], []
    for citation in claim["citations"]:
        url = post_url(citation, base)
        marks.append(f"[[{citation['n']}]]({url})" if linked else f"[{citation['n']}]")
        cited.append(CitedSpan(start, start + len(sentence), post_title(citation), url))
    return Piece(f"{before}{sentence} {''.join(marks)}", cited)


def text_without_claims(answer: dict[str, Any], question: str, base: str) -> str:
    """The reply to small talk; else what is missing, and the nearest posts as a list of links."""
    if answer["outcome"] == "chat":
        return escape_markdown(answer["answer"])
    lines = [escape_markdown(answer["headline"]) or _in_language(NOTHING, question)]
    for post in answer["nearest"]:
        text = escape_markdown(" ".join(post["text"].split()))
        lines.append(f"- {text} ([{escape_markdown(post_title(post))}]({post_url(post, base)}))")
    return "\n".join([*lines[:1], "", *lines[1:]]) if lines[1:] else lines[0]


def partial_note(question: str) -> str:
    """The paragraph that says an answer is partial."""
    return f"\n\n{_in_language(PARTIAL, question)}"


def _in_language(texts: dict[str, str], question: str) -> str:
    return texts.get(language(tokens(fold(question))), texts["en"])


def post_title(post: dict[str, Any]) -> str:
    """The title of a post in a list of sources: author and time. The day comes last, because clients that shorten
    a title keep its ends."""
    who = f"@{post['author']}" if post["author"] else post["network"]
    if not post["created_at"]:
        return f"{who}, undated"
    day, time = post["created_at"][:16].split("T")
    return f"{who}, {time} UTC, {day}"


def post_url(post: dict[str, Any], base: str) -> str:
    """The address of a post: on its network, else on this server. Parentheses are encoded: they would end a Markdown
    link."""
    url: str = post["url"] or f"{base}/v1/posts/{quote(post['key'], safe=':/@')}"
    return url.replace("(", "%28").replace(")", "%29")


_MARKUP = re.compile(r"[\\`*\[\]<]|(?<!\w)_|_(?!\w)|~(?=~)|^[#>+-](?=[\s#>]|$)|(?<=^\d)[.)]|(?<=^\d\d)[.)]")


def escape_markdown(text: str) -> str:
    """Text that a Markdown renderer shows as it is: no link, image, tag, emphasis, heading or list."""
    return _MARKUP.sub(lambda match: "\\" + match.group(), text)


def count_words(*texts: str) -> int:
    """The number of words, reported as usage: there is no model whose tokens could be counted."""
    return sum(len(tokens(text)) for text in texts)
