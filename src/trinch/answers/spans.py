"""Cut a post into spans that can be quoted.

Owns where a sentence of a post starts and ends, in code points of `post.text`.
A span never holds the `RT @who:` in front, the handles a reply starts with, links, or hashtags trailing behind;
text cut off by "…" loses its broken end. What is left out splits or shortens a span, never changes it.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from trinch.answers import lexicon

MAX_QUOTE = 300
"""Longest span in code points: about the length of a post. Longer ones are cut at a clause."""

MIN_WORDS = 3

REPOST = re.compile(
    r"\s*[\"“”']?\s*(?:RT|MT|QT|via)\b:?\s*@([\w.-]+):?\s*|\s*[\"“”]\s*@([\w.-]+):\s*", re.IGNORECASE
)
"""A repost or quotation written out in the text; group 1 or 2 is who is repeated."""
_INNER_REPOST = re.compile(
    r"(?:^|\s|\()[\"“”]?(?:RT|MT|QT)\b:?\s*[\"“”]?@([\w.-]+):?\s*|(?<!\S)[\"“”'(]*@([\w.-]+):\s+"
)
_HANDLES = re.compile(r"\s*(?:\.?@[\w.-]+[\s,:]+)+")
_LINK = re.compile(
    r"\(?\[?(?:https?:?/{0,2}\S*|www\.\S+|\bpic\.twitter\.com/\S+|\b(?:bit|nyti|t|ow|fb|goo)\.(?:ly|ms|co|me|gl)/\S+)",
    re.IGNORECASE,
)
_DATELINE = re.compile(
    r"[:.]?\s*\b[A-Z][A-Z .'-]{2,}(?:,\s*[A-Z][\w. ]{1,20})?\s*\((?:AP|Reuters|AFP|Reu|UPI|CNN|ANSA|EFE|dpa)\)?\s*(?:[—–-]+\s*)?"
)
"""Where a news agency's headline ends and its story begins: "...: SAVAR, Bangladesh (AP) — "."""
_CUT = re.compile(r"(?:…|\.\.\.+)\s*$")
_STOP = re.compile(r"[.!?。！？]+[\"”’»)\]]*(?=\s|$)|(?<=[。！？])|\n+|\s[|•▪►»]\s|\s//\s|\s~\s|\\+")
_TRAILING = re.compile(
    r"(?:[\s,;:|~–—/\\(\[<>*“&-]|\s(?:[#$]\w+\s*){2,}|[\s(]+(?:via|by|cc|h/t|read|video|photos?|watch|more|lire)\s*:?(?:\s*@[\w.]+)?"
    r"|\s@[\w.]+|(?<=[.!?])\s+[#$]\w+)+$",
    re.IGNORECASE,
)
_DANGLING = re.compile(
    r"(?:^|\s)(?:in|at|on|of|for|from|the|a|an|to|by|with|and|as|is|en|de|del|la|el|le|les|du|des|au|aux|em|no|na|di|a|im|von|mit)$",
    re.IGNORECASE,
)
"""A tag behind one of these is part of the sentence: "explosion reported in #Boston #news"."""
_EMOJI_TAIL = re.compile(r"[\s\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]+$")
_LEADING = re.compile(r"[\s\-–—:;,.|•*>)\]»~/\\\ufe0f]+")
_CLAUSE = re.compile(r"[;:,]\s|\s[-–—]\s|\.{2,}\s")
_WORD = re.compile(r"[^\W_]+(?:[.,'’][^\W_]+)*")


class Span(NamedTuple):
    start: int
    end: int
    cut: bool
    """Whether the post breaks off inside what was this sentence."""


@lru_cache(maxsize=4096)  # one question looks at the same posts several times
def reposted_from(text: str) -> str:
    """The handle a text says it repeats (`RT @who: …`), folded to lower case; empty where it repeats nobody."""
    if "@" not in text:
        return ""
    found = REPOST.match(text) or _INNER_REPOST.search(text)
    return (found[1] or found[2]).lower().strip(".") if found else ""


def _body(text: str) -> Iterator[tuple[int, int]]:
    """Stretches of text between repost prefixes and links."""
    start = 0
    while found := REPOST.match(text, start) or _HANDLES.match(text, start):
        start = found.end()
    marks: list[tuple[int, int]] = []
    if any(sign in text for sign in ("/", "http", "HTTP", "Http", "www", "WWW")):
        marks += [(m.start(), m.end()) for m in _LINK.finditer(text, start)]
    if "(" in text:
        marks += [(m.start(), m.end()) for m in _DATELINE.finditer(text, start)]
    if "@" in text:
        marks += [(m.start(), m.end()) for m in _INNER_REPOST.finditer(text, start)]
    for left, right in sorted(marks):
        if left > start:
            yield start, left
        start = max(start, right)
    if start < len(text):
        yield start, len(text)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Sentences between two offsets; a stop after an abbreviation, an initial or before a lower-case word is none."""
    here = start
    for found in _STOP.finditer(text, start, end):
        mark = found[0]
        if mark.startswith(".") and not mark.startswith(".."):
            before = text[here : found.start()].rsplit(None, 1)[-1:] or [""]
            word = before[0].strip("(\"“'").lower()
            following = text[found.end() : end].lstrip()[:1]
            if word in lexicon.ABBREVIATIONS or (len(word) == 1 and word.isalpha()) or following.islower():
                continue
            if re.fullmatch(r"(?:[a-z]\.)+[a-z]", word) and not following.isupper():
                continue
        if mark.startswith("..") and text[found.end() : end].strip():
            following = text[found.end() : end].lstrip()[:1]
            if following.islower():
                continue
        stop = found.end() if mark.strip() and mark.strip()[0] in '.!?。！？"”' else found.start()
        if stop > here:
            yield here, stop
        here = found.end()
    if here < end:
        yield here, end


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Shorten at both ends until neither holds blanks, trailing tags, handles, dashes or pictures."""
    if found := _LEADING.match(text, start, end):
        start = found.end()
    while True:
        piece = text[start:end]
        shorter = _EMOJI_TAIL.sub("", _TRAILING.sub("", piece)).rstrip()
        if shorter == piece or _DANGLING.search(shorter):
            break
        end = start + len(shorter)
    piece = text[start:end]
    if piece[:1] in '"“' and not re.search(r"[\"”]", piece[1:]):
        start += 1
    elif piece[-1:] in '"”' and not re.search(r"[\"“]", piece[:-1]):
        end -= 1
    while end > start and text[end - 1] in "([{":
        end -= 1
    return start, end


def _clauses(text: str, start: int, end: int) -> int:
    """The end of the last whole clause between two offsets; `start` where there is none."""
    last = start
    for found in _CLAUSE.finditer(text, start, end):
        last = found.start()
    return last


def spans(text: str) -> list[Span]:
    """All spans of `text` fit to be quoted, in order. Each has at least `MIN_WORDS` words."""
    result: list[Span] = []
    for left, right in _body(text):
        for start, end in _sentences(text, left, right):
            piece = text[start:end].rstrip()
            broken = bool(_CUT.search(piece))
            # A link straight behind "..." replaces the rest of the sentence was.
            if broken:
                end = start + _CUT.search(piece).start()  # type: ignore[union-attr]  # searched just above
                end = max(_clauses(text, start, end), start)
            if end - start > MAX_QUOTE:
                end, broken = max(_clauses(text, start, start + MAX_QUOTE), start), True
            start, end = _trim(text, start, end)
            if len(_WORD.findall(text, start, end)) >= MIN_WORDS:
                result.append(Span(start, end, broken))
    return result
