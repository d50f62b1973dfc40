"""A brief as Markdown, HTML or an e-mail.

Posts are hostile input: what they say is shown as it was typed, without control characters and direction overrides,
and escaped, so that it is no heading, link, tag or header. Only the addresses of the cited posts become links.
"""

import html
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from typing import Any, Literal, NamedTuple

from trinch.answers.render import clean
from trinch.service.serialize import safe_url

QUIET = "No story since then."
PARTIAL = "Partial: the time for this brief ended before everything was read."

Kind = Literal["title", "topic", "story", "facts", "point", "note"]


class Line(NamedTuple):
    """One line of a brief."""

    kind: Kind
    text: str
    sources: tuple[int, ...] = ()


class Source(NamedTuple):
    """A cited post."""

    label: str
    url: str | None


class Document(NamedTuple):
    """The lines of a brief and its sources, which are numbered from 1."""

    lines: list[Line]
    sources: list[Source]


def document(brief: dict[str, Any]) -> Document:
    """The lines of a brief in the shape of `briefs.brief_json`."""
    numbers: dict[str, int] = {}
    sources: list[Source] = []

    def cited(quoted: dict[str, Any]) -> tuple[int, ...]:
        for citation in quoted["citations"]:
            if citation["key"] not in numbers:
                numbers[citation["key"]] = len(numbers) + 1
                who = f"@{citation['author']}" if citation["author"] else f"a post on {citation['network']}"
                sources.append(
                    Source(f"{clean(who)}, {_minute(citation['at'])}", safe_url(citation["url"] or ""))
                )
        return tuple(dict.fromkeys(numbers[citation["key"]] for citation in quoted["citations"][:3]))

    lines = [Line("title", f"Brief: {_minute(brief['since'])} to {_minute(brief['as_of'])}")]
    for section in brief["topics"]:
        lines += [Line("topic", clean(section["topic"]))] if section["topic"] else []
        for story in section["stories"]:
            lines.append(Line("story", clean(story["headline"]), cited(story)))
            lines.append(Line("facts", _facts(story)))
            points = [(clean(point["text"]), point) for point in story["summary"]]
            points += [(f"{_minute(p['at'])}: {clean(p['text'])}", p) for p in story["developments"]]
            lines += [Line("point", text, cited(point)) for text, point in points]
        lines += [Line("point", clean(quote["text"]), cited(quote)) for quote in section["quotes"]]
        if not (section["stories"] or section["quotes"]):
            lines.append(Line("note", QUIET))
    if brief["ended"]:
        lines.append(Line("topic", "No longer posted about"))
        lines += [Line("point", clean(story["headline"]), cited(story)) for story in brief["ended"]]
    if brief["partial"]:
        lines.append(Line("note", PARTIAL))
    return Document(lines, sources)


def _facts(story: dict[str, Any]) -> str:
    """What is known of a story in numbers, in our words."""
    change = "new" if story["change"] == "new" else "continued"
    posts, sources = story["posts"], story["authors"]
    parts = [change, story["status"], f"{posts:,} post{'s' * (posts != 1)}"]
    parts += [f"{sources:,} source{'s' * (sources != 1)}", f"since {_minute(story['first_seen'])}"]
    return ", ".join(dict.fromkeys(parts))


def _minute(time: str) -> str:
    return time[:16].replace("T", " ") + " UTC"


# --- Markdown ----------------------------------------------------------------------------------------------

_MARKUP = re.compile(
    r"[\\`*\[\]<>&|~!]|(?<!\w)_|_(?!\w)|^[#+=-]|(?<=^\d)[.)]|(?<=^\d\d)[.)]|:(?=//)|(?<=www)\.", re.IGNORECASE
)
"""What CommonMark or its GitHub dialect reads as markup in one line, bare links included."""
_IN_URL = str.maketrans({"(": "%28", ")": "%29", "<": "%3C", ">": "%3E", "\\": "%5C"})


def escape_markdown(text: str) -> str:
    """One line of text that a Markdown renderer shows as it is."""
    return _MARKUP.sub(lambda match: "\\" + match.group(), text)


_MARKDOWN: dict[Kind, str] = {
    "title": "# {}",
    "topic": "\n## {}",
    "story": "\n### {}",
    "facts": "\n{}\n",
    "point": "- {}",
    "note": "\n{}",
}


def markdown(brief: dict[str, Any]) -> str:
    """A brief as Markdown; the marks `[1]` of its lines are links to the posts."""
    lines, sources = document(brief)

    def mark(number: int) -> str:
        url = sources[number - 1].url
        return f"[\\[{number}\\]]({url.translate(_IN_URL)})" if url else f"\\[{number}\\]"

    written = [
        _MARKDOWN[line.kind].format(" ".join([escape_markdown(line.text), *map(mark, line.sources)]))
        for line in lines
    ]
    written += ["\n## Sources\n"] if sources else []
    for number, source in enumerate(sources, 1):
        link = f" <{source.url.translate(_IN_URL)}>" if source.url else ""
        written.append(f"{number}. {escape_markdown(source.label)}{link}")
    return "\n".join(written) + "\n"


# --- HTML --------------------------------------------------------------------------------------------------

_HTML: dict[Kind, str] = {
    "title": "<h1>{}</h1>",
    "topic": "<h2>{}</h2>",
    "story": "<h3>{}</h3>",
    "facts": "<p><small>{}</small></p>",
    "point": "<p>• {}</p>",
    "note": "<p><em>{}</em></p>",
}
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'">
<title>{title}</title></head><body>
{body}
</body></html>
"""


def html_page(brief: dict[str, Any]) -> str:
    """A brief as one HTML page without scripts, styles or images."""
    lines, sources = document(brief)
    body = []
    for line in lines:
        marks = "".join(f' <a href="#s{number}">[{number}]</a>' for number in line.sources)
        body.append(_HTML[line.kind].format(f"<bdi>{html.escape(line.text)}</bdi>{marks}"))
    body.append("<ol>")
    for number, source in enumerate(sources, 1):
        label = f"<bdi>{html.escape(source.label)}</bdi>"
        if source.url:
            label = f'<a href="{html.escape(source.url)}" rel="nofollow noopener noreferrer">{label}</a>'
        body.append(f'<li id="s{number}">{label}</li>')
    body.append("</ol>")
    return _PAGE.format(title=html.escape(lines[0].text), body="\n".join(body))


# --- e-mail ------------------------------------------------------------------------------------------------

_PLAIN: dict[Kind, str] = {
    "title": "{}",
    "topic": "\n== {} ==",
    "story": "\n{}",
    "facts": "  ({})",
    "point": "  - {}",
    "note": "\n{}",
}


def plain_text(brief: dict[str, Any]) -> str:
    """A brief as plain text."""
    lines, sources = document(brief)
    written = [
        _PLAIN[line.kind].format(line.text + "".join(f" [{number}]" for number in line.sources))
        for line in lines
    ]
    written += [""] * bool(sources)
    written += [f"[{n}] {source.label}  {source.url or ''}".rstrip() for n, source in enumerate(sources, 1)]
    return "\n".join(written) + "\n"


def email(brief: dict[str, Any]) -> str:
    """A brief as an e-mail (RFC 5322) without recipient, in plain text and in HTML. No header holds text of a post."""
    message = EmailMessage(policy=default)
    message["Subject"] = document(brief).lines[0].text
    message["From"] = "Trinch <trinch@localhost>"
    message["Date"] = format_datetime(datetime.fromisoformat(brief["as_of"].replace("Z", "+00:00")))
    message.set_content(plain_text(brief))
    message.add_alternative(html_page(brief), subtype="html")
    message.set_boundary("=-trinch-brief-=")  # the same brief is the same message
    return message.as_string()


FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {"md": markdown, "html": html_page, "email": email}


def iter_topics(text: str) -> Iterator[str]:
    """The topics of a file: one a line; empty lines and lines that begin with `#` and a space are left out."""
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("# "):
            yield line.strip()
