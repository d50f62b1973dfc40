"""Cut a stream of bytes into JSON texts: lines, pretty-printed documents, arrays, concatenated texts, text sequences.

A line that is a JSON text by itself comes as it is. Otherwise lines are joined until brackets close, and what holds
several texts is cut between them. No more than `MAX_LINE` of one text is held, however long the stream is.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from trinch.posts.wire import MAX_LINE
from trinch.sources.rejects import Reject

Numbered = tuple[int, bytes]

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[][{}]', re.DOTALL)
"""A string (one that is cut goes to the end) or a bracket."""

_LONG = 2**20
"""Bytes of a line from which on its texts are cut out as they come."""

_PREFIX = re.compile(
    rb"(?:\xef\xbb\xbf|[\x1e\x00 \t\r,;]++)*+(?:(?:window\.|Grailbird\.|var |let |const )[\w.]+\s*=\s*|data:(?=[ \t]*[{\[]))?"
    rb"(?:\xef\xbb\xbf|[ \t])*"
)
"""What may stand before a JSON text: byte order marks, record separators (RFC 7464), commas, the name of a variable as in
X's archives, the field name of a server-sent event."""

_SSE = re.compile(rb"(?:event|id|retry):|:|data:").match
_SSE_REST = re.compile(rb"(?:(?:event|id|retry):|:).*|data:\s*(?:\[DONE\])?").fullmatch
"""Lines of a stream of server-sent events (WHATWG HTML, 9.2) that hold no data."""


def texts(file: str, chunks: Iterator[bytes]) -> Iterator[Numbered | Reject]:
    """(number of its first line, JSON text) of each text of a stream, blank ones left out, or why there is none."""
    return _texts(file, lines(file, chunks))


def lines(file: str, chunks: Iterator[bytes]) -> Iterator[Numbered | Reject]:
    """Numbered lines without their newline, the last one also where it has none. Elements that a very long line
    holds come one by one, with the line's number."""
    number, rest, skipping = 1, b"", False
    due = _LONG  # when the line is next scanned: at twice its length, so that the work is linear
    for chunk in chunks:
        found = (rest + chunk).split(b"\n")
        rest = found.pop()
        for line in found:
            if skipping:
                skipping = False
            elif len(line) > _LONG:
                yield from _long(file, number, line)[0]
            else:
                yield number, line
            number += 1
        if len(rest) > due and not skipping:
            parts, rest = _long(file, number, rest, last=False)
            yield from parts
            due = max(_LONG, 2 * len(rest))
        elif len(rest) <= _LONG:
            due = _LONG
        if len(rest) > MAX_LINE:
            yield too_long(file, number, rest)
            rest, skipping = b"", True
        elif skipping:
            rest = b""
    if rest and not skipping:
        yield from _long(file, number, rest)[0] if len(rest) > _LONG else [(number, rest)]


def _long(file: str, number: int, line: bytes, last: bool = True) -> tuple[list[Numbered | Reject], bytes]:
    """The whole texts of a long line, and what is left of it. An array's rest goes on as one, after a `[`."""
    found: list[Numbered | Reject] = []
    begin = _PREFIX.match(line).end()  # type: ignore[union-attr]  # matches everywhere
    base = 1 if line[begin : begin + 1] == b"[" else 0
    end = begin + base
    for first, after in _spans(line, begin):
        found.append((number, line[first:after]))
        end = after
    rest = line[end:]
    if not last:
        return found, (b"[" if base and found else line[begin : begin + base]) + rest if found else line
    left = rest.strip(b" \t\r\n,;]")
    if len(left) > MAX_LINE:
        found.append(too_long(file, number, left))
    elif left:
        found.append((number, left))
    return found, b""


def _spans(text: bytes, begin: int = 0) -> Iterator[tuple[int, int]]:
    """Where each whole object is that is in no other: the elements of arrays, and texts beside each other."""
    depth, start = 0, 0
    for token in _TOKEN.finditer(text, begin):
        mark = token[0]
        if mark == b"{":
            if depth == 0:
                start = token.start()
            depth += 1
        elif mark == b"}":
            depth -= 1
            if depth == 0:
                yield start, token.end()
            depth = max(depth, 0)
        elif depth:
            depth += 1 if mark == b"[" else -1 if mark == b"]" else 0


def split(text: bytes) -> list[bytes]:
    """The objects beside each other in a text; [] where there are not several, or something else is between them."""
    spans = list(_spans(text))
    if len(spans) < 2:
        return []
    between = text[: spans[0][0]] + b"".join(text[a:b] for (_, a), (b, _) in pairwise(spans))
    return (
        []
        if (between + text[spans[-1][1] :]).strip(b" \t\r\n,;[]\x1e\x00")
        else [text[a:b] for a, b in spans]
    )


def too_long(file: str, number: int, raw: bytes) -> Reject:
    """The reject of a text longer than `MAX_LINE`."""
    return Reject(file, number, f"longer than {MAX_LINE >> 20} MiB", raw[:MAX_LINE])


class _Document:
    """A JSON text of several lines; no more than MAX_LINE of it is held."""

    def __init__(self, number: int, line: bytes) -> None:
        self.number, self.lines, self.size, self.depth = number, [line], len(line), _opened(line)

    def add(self, line: bytes) -> None:
        self.depth += _opened(line)
        if self.size <= MAX_LINE:
            self.lines.append(line)
        self.size += len(line)

    def end(self, file: str) -> Numbered | Reject:
        text = b"\n".join(self.lines).strip().removesuffix(b",")
        return too_long(file, self.number, text) if self.size > MAX_LINE else (self.number, text)


def _opened(text: bytes) -> int:
    """How many more brackets the line opens than it closes."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += 1 if token[0] in b"{[" else -1 if token[0] in b"}]" else 0
    return depth


def _texts(file: str, numbered: Iterator[Numbered | Reject]) -> Iterator[Numbered | Reject]:
    begun: _Document | None = None
    is_sse = False
    for item in numbered:
        if begun and (isinstance(item, Reject) or item[1][:1] == b"{" or item[1][:2] in (b",{", b"[{")):
            # Indented documents have no bracket in the first column: what was begun was a cut line.
            yield begun.end(file)
            begun = None
        if isinstance(item, Reject):
            yield item
            continue
        number, line = item
        if begun:
            begun.add(line)
            if begun.depth <= 0:
                yield begun.end(file)
                begun = None
            continue
        text = line.strip()
        if number == 1 and _SSE(text):
            is_sse = True
        if is_sse and _SSE_REST(text):
            continue
        if text[:1] != b"{":
            text = text[_PREFIX.match(text).end() :]  # type: ignore[union-attr]  # matches everywhere
        whole, begun = _line(number, text, line)
        yield from whole
    if begun:
        yield begun.end(file)


def _line(number: int, text: bytes, line: bytes) -> tuple[list[Numbered], _Document | None]:
    """The texts that a line holds, and the document that it begins."""
    if text[:1] == b"{" and text[-1:] == b"}":
        return [(number, text)], None
    if not text or text in (b"[", b"]", b"];"):
        return [], None
    if text[:1] == b"[":  # an array that goes on behind this line, or ends on it
        inner = text[1:]
        if text.rstrip(b"; \t").endswith(b"]") and _opened(text) == 0:
            found = split(text)
            return [(number, one) for one in found] or (
                [(number, text.rstrip(b"; \t"))] if inner.strip(b" ];\t") else []
            ), None
        return _line(number, inner.strip(), inner)
    ends = text.rstrip(b",;] \t\x00")
    if ends[-1:] == b"}" and text[:1] == b"{" and (ends == text.rstrip(b", \t") or _opened(text) <= 0):
        return [(number, ends)], None
    if text[:1] == b"{" and _opened(text) > 0:
        return [], _Document(number, line)
    return [(number, text)], None
