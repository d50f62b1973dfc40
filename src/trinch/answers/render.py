"""An answer as people and machines read it.

Owns three looks: rich for a terminal, plain text for a pipe, plain values for JSON. In JSON quotes stay exact; for
people what could steer a terminal (control characters, escape sequences, direction overrides) is taken out, and
nothing a post says is ever read as markup.
"""

import unicodedata
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from trinch.answers.types import Answer, Citation, Claim, WriterSummary
from trinch.posts.schema import UNDATED
from trinch.posts.times import EARLIEST, LATEST, written

NOTHING = "Not enough evidence: no post as of then speaks of all that the question names."
PARTIAL = (
    "Partial: the CPU budget ended the search, so posts that belong here may be missing. Narrow the request."
)
_TIMES = frozenset({"as_of", "created_at", "at"})
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co"})


def clean(text: str) -> str:
    """`text` on one line, without anything a terminal would obey or that would reorder what is read."""
    kept = (c if c == "\u200d" or unicodedata.category(c) not in _INVISIBLE else " " for c in text)
    return " ".join("".join(kept).split())


def as_json(answer: Answer) -> dict[str, Any]:
    """The answer as plain values; times in RFC 3339, None for that of an undated post; quotes untouched."""

    def plain(value: Any, name: str = "") -> Any:
        if isinstance(value, msgspec.Struct):
            return {field: plain(getattr(value, field), field) for field in value.__struct_fields__}
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        if name in _TIMES:
            return None if value in (None, UNDATED) else rfc3339(value)
        return value

    result: dict[str, Any] = plain(answer)
    return result


def rfc3339(at: int) -> str:
    """Microseconds since 1970 as `2013-04-15T22:00:00Z`; a fraction only where there is one."""
    return written(min(max(at, EARLIEST), LATEST)).replace(".000000Z", "Z")


def minute(at: int) -> str:
    """`2013-04-15 22:00 UTC`, or that there is no time."""
    if at == UNDATED:
        return "undated"
    return rfc3339(at)[:16].replace("T", " ") + " UTC"


def _label(claim: Claim) -> str:
    return "".join(f"{clean(part)}: " for part in (claim.label, claim.attribution) if part)


def _weight(claim: Claim) -> str:
    """When it was said and by how many."""
    parts = [minute(claim.as_of)]
    parts.append("1 author" if claim.authors == 1 else f"{claim.authors} authors")
    if claim.posts > 1:
        parts.append(f"{claim.posts} posts")
    return ", ".join(parts)


def _numbered(answer: Answer) -> tuple[list[Citation], list[list[int]]]:
    """Every citation once, in order of first use, and for each claim the numbers of its citations, from 1."""
    order: dict[tuple[str, str], int] = {}
    listed: list[Citation] = []
    marks: list[list[int]] = []
    for claim in answer.claims:
        marks.append([])
        for citation in claim.citations:
            key = (citation.network, citation.id)
            if key not in order:
                order[key] = len(order) + 1
                listed.append(citation)
            marks[-1].append(order[key])
    return listed, marks


def _behind(answer: Answer, citation: Citation) -> list[str]:
    """The exact words behind the sentences that a model wrote on this post."""
    behind = (c for claim in answer.claims if claim.written for c in claim.citations)
    quotes = [clean(c.quote) for c in behind if (c.network, c.id) == (citation.network, citation.id)]
    return list(dict.fromkeys(quotes))


def _writer(writer: WriterSummary) -> str:
    """Which model wrote how much of it."""
    model = clean(writer.model) or "the model"
    if not writer.written:
        why = clean(writer.note) or "nothing that it wrote passed verification"
        return f"All sentences are quotes: {model} was no help ({why})."
    parts = [f"{writer.written} sentences are written by {model} and verified against the posts they cite"]
    if writer.dropped:
        parts.append(f"{writer.dropped} failed verification and are not shown")
    if writer.error:
        parts.append(f"it ended early ({clean(writer.note)})")
    searches = f" {writer.searches} searches," if writer.searches else ""
    return "; ".join(parts) + f".{searches} {writer.tokens:,} tokens, {writer.seconds:.1f} s."


def _who(citation: Citation) -> str:
    """The author and network, as far as known."""
    return f"@{clean(citation.author)}" if citation.author else f"a post on {clean(citation.network)}"


def _link(citation: Citation) -> str:
    """The web address of a post, where it is one that may be opened."""
    url = clean(citation.url)
    return url if url.startswith(("https://", "http://")) and " " not in url else ""


def plain(answer: Answer) -> str:
    """The answer as text: sentences with [1] marks, date and authors, then the sources."""
    if answer.outcome == "chat":
        return clean(answer.answer)
    if answer.outcome == "not_enough_evidence":
        near = [f"  near: {clean(post.text)}" for post in answer.nearest]
        return "\n".join([f"{clean(answer.headline) or NOTHING} (as of {minute(answer.as_of)})", *near])
    listed, marks = _numbered(answer)
    lines = [clean(answer.headline), ""] if answer.headline else []
    lines += [
        f"{_label(claim)}{clean(claim.text)} {''.join(f'[{n}]' for n in numbers)}  ({_weight(claim)})"
        for claim, numbers in zip(answer.claims, marks, strict=True)
    ]
    lines.append("")
    for number, citation in enumerate(listed, 1):
        where = _link(citation) or clean(citation.id)
        lines.append(f"[{number}] {_who(citation)}, {minute(citation.at)}  {where}")
        lines += [f"    “{quote}”" for quote in _behind(answer, citation)]
    if answer.writer:
        lines += ["", _writer(answer.writer)]
    return "\n".join(lines)


def terminal(answer: Answer) -> RenderableType:
    """The answer for rich: quotes in bold, marks and sources as links (OSC 8) where the post has an address."""
    if answer.outcome == "chat":
        return Text(clean(answer.answer))
    if answer.outcome == "not_enough_evidence":
        said = clean(answer.headline) or NOTHING
        refusal = Text.assemble((said, "yellow"), (f" As of {minute(answer.as_of)}.", "dim"))
        for post in answer.nearest:
            refusal.append(f"\nnear: {clean(post.text)}", style="dim")
        return refusal
    listed, marks = _numbered(answer)
    body: list[RenderableType] = [Text(clean(answer.headline)), Text("")] if answer.headline else []
    for claim, numbers in zip(answer.claims, marks, strict=True):
        line = Text(_label(claim) + clean(claim.text), style="bold")
        for number in numbers:
            line.append(f" [{number}]", style=_style("cyan", listed[number - 1]))
        line.append(f"  {_weight(claim)}", style="not bold dim")
        body.append(Padding(line, (0, 0, 0, 0)))
    body.append(Text(""))
    for number, citation in enumerate(listed, 1):
        source = Text(f"[{number}] ", style="cyan")
        source.append(_who(citation), style=_style("", citation))
        source.append(f"  {minute(citation.at)}", style="dim")
        if link := _link(citation):
            source.append(f"  {link}", style=_style("dim", citation))
        body.append(source)
        body += [Text(f"    “{quote}”", style="dim") for quote in _behind(answer, citation)]
    if answer.writer:
        body.append(Text(_writer(answer.writer), style="yellow" if answer.writer.error else "dim"))
    body.append(Text(f"as of {minute(answer.as_of)}, {answer.took_ms:.0f} ms", style="dim"))
    return Group(*body)


def _style(colour: str, citation: Citation) -> Style:
    link = _link(citation)
    return Style.parse(colour) + Style(link=link) if link else Style.parse(colour)
