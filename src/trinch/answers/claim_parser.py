"""Read a language model's text into sentences with the numbers of the posts they cite, as it comes.

Tolerant of form: JSON objects, one sentence a line or many, `[1]` in front or behind, `[1][2]`, `[1, 2]`, list marks,
a fence around it all. A line that cites nothing is a sentence without numbers, as far as UNCITED of them.
"""

import json
import re
from typing import NamedTuple

from trinch.answers.render import clean

LONGEST = 600
"""Characters of a sentence; a longer one is passed over."""
MOST = 40
"""Sentences read of one text."""
UNCITED = 12
"""Of these, sentences without numbers."""

SHORTEST = 4
"""Words of a sentence without numbers; what is shorter is a remark such as "Sure!"."""

_MARK = r"\[\s*(?:posts?\s*)?\d{1,3}(?:\s*[,;]\s*\d{1,3})*\s*\]"
_MARKS = re.compile(rf"(?:\s*{_MARK})+")
_LIST_MARK = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
_EMPHASIS = re.compile(r"\*\*|__|`+|^#+\s+")


class Proposed(NamedTuple):
    """A sentence that a model proposes."""

    text: str
    posts: tuple[int, ...]
    """Numbers of posts; empty where it cites none."""


class ClaimParser:
    """Takes the pieces of a text and gives back the sentences that are complete."""

    def __init__(self) -> None:
        self._text = ""
        self._count = self._uncited = 0
        self._json: bool | None = None

    def feed(self, piece: str) -> list[Proposed]:
        """The sentences that a further piece completes."""
        self._text += piece
        if self._json is None and (start := self._text.lstrip()):
            fenced = start.startswith("```")
            if fenced and "\n" not in start:
                return []
            body = start.partition("\n")[2].lstrip() if fenced else start
            if not body:
                return []
            self._json = body[0] == "{" or (
                body[0] == "[" and not re.match(r"\[\s*\d", body) and len(body) > 1
            )
            self._text = body
        if self._json:
            return self._bounded(self._objects()) if "}" in piece else []
        return self._bounded(self._lines(False))

    def finish(self) -> list[Proposed]:
        """The sentences that the end of the text completes."""
        return self._bounded([] if self._json else self._lines(True))

    def _bounded(self, found: list[Proposed]) -> list[Proposed]:
        kept = []
        for each in found:
            self._uncited += not each.posts
            if each.text and self._count < MOST and (each.posts or self._uncited <= UNCITED):
                self._count += 1
                kept.append(each)
        return kept

    def _lines(self, ended: bool) -> list[Proposed]:
        lines = self._text.split("\n")
        self._text = "" if ended else lines.pop()
        return [each for line in lines for each in read_line(line)]

    def _objects(self) -> list[Proposed]:
        """The innermost objects that are complete, whatever encloses them."""
        found, place = [], 0
        for match in re.finditer(r"\{[^{}]*\}", self._text):
            try:
                item = json.loads(match[0])
            except ValueError:
                continue  # a brace inside a string
            place = match.end()
            found.append(_from_object(item))
        self._text = self._text[place:]
        return [each for each in found if each]


def _from_object(item: dict[str, object]) -> Proposed | None:
    text = next((item[key] for key in ("text", "claim", "sentence") if isinstance(item.get(key), str)), None)
    posts = next(
        (item[key] for key in ("posts", "citations", "sources") if isinstance(item.get(key), list)), None
    )
    if not isinstance(text, str) or not isinstance(posts, list):
        return None
    numbers = [
        int(n) for n in posts if isinstance(n, int) or (isinstance(n, str) and n.isdecimal() and len(n) < 4)
    ]
    return Proposed(_tidy(_MARKS.sub("", text)), tuple(dict.fromkeys(numbers)))


def read_line(line: str) -> list[Proposed]:
    """The sentences of a line with the marks behind them, or in front of them where the line begins with one."""
    line = _LIST_MARK.sub("", line)
    marks = list(_MARKS.finditer(line))
    if not marks:
        return [Proposed(_tidy(line), ())] if len(line.split()) >= SHORTEST else []
    leading = not line[: marks[0].start()].strip()
    found = []
    for at, mark in enumerate(marks):
        if leading:
            end = marks[at + 1].start() if at + 1 < len(marks) else len(line)
            text = line[mark.end() : end]
        else:
            start = marks[at - 1].end() if at else 0
            text = line[start : mark.start()]
        numbers = tuple(dict.fromkeys(int(n) for n in re.findall(r"\d+", mark[0])))
        found.append(Proposed(_tidy(text), numbers))
    return found


def _tidy(text: str) -> str:
    """A sentence on one line, without list marks, emphasis and the full stop of the sentence before."""
    text = clean(_EMPHASIS.sub("", text)).lstrip(" .,;:)-–").strip()
    text = _LIST_MARK.sub("", text)
    if not text or len(text) > LONGEST:
        return ""
    return text if text[-1] in '.!?…。”"' else text + "."
