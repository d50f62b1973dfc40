"""Functions that the templates call: quoted spans of a text, and addresses that are safe to link."""

from typing import Any
from urllib.parse import urlsplit


def quoted_spans(answer: dict[str, Any], n: int) -> list[tuple[int, int]]:
    """The spans (start, end) that an answer quotes from its source number `n`."""
    cited = [citation for claim in answer["claims"] for citation in claim["citations"]]
    return [(citation["start"], citation["end"]) for citation in cited if citation["n"] == n]


def split_marked(text: str, spans: list[tuple[int, int]]) -> list[tuple[bool, str]]:
    """A text in pieces, each with whether it is quoted. Overlapping spans are merged."""
    pieces, at = [], 0
    for start, end in sorted(spans):
        if end > at:
            pieces += [(False, text[at : max(at, start)]), (True, text[max(at, start) : end])]
            at = end
    return [(quoted, piece) for quoted, piece in [*pieces, (False, text[at:])] if piece]


def web_url(url: Any) -> str:
    """The address if it is http or https, else an empty string: a post may hold `javascript:` links."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return ""
    return str(url) if parts.scheme in ("http", "https") and parts.hostname else ""


def host_name(url: str) -> str:
    """The host name of an address, to show."""
    return urlsplit(url).hostname or ""
