"""Which values of a JSON object the posts of an answer support."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from trinch.answers.verify import meanings
from trinch.answers.verify.alignment import Alignment, is_content
from trinch.answers.verify.amounts import numbers
from trinch.answers.verify.reading import CitedText, read, read_post
from trinch.answers.verify.verifier import verify
from trinch.posts.language_id import identify

SHORT = 3
"""A string with fewer words that need support is no sentence: a name, a place, a label."""
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?")


class Checked(NamedTuple):
    """The result for one object; paths are written like `events[0].place`."""

    failed: tuple[tuple[str, str], ...]
    """Values that no post supports, each with the reason."""
    unverified: tuple[str, ...]
    """Values that state no fact that a post could hold: of an enumeration, true and false."""


def check_fields(value: Any, schema: Mapping[str, Any], evidence: Sequence[Sequence[CitedText]]) -> Checked:
    """Check every string and number of a value against sets of posts: one of the sets must support it."""
    failed: list[tuple[str, str]] = []
    unverified: list[str] = []
    chosen = set(_constants(schema))
    for path, leaf in _leaves(value, ""):
        if leaf is None or leaf == "":
            continue
        if isinstance(leaf, bool) or leaf in chosen:
            unverified.append(path)
        elif reason := _reason(leaf, evidence):
            failed.append((path, reason))
    return Checked(tuple(failed), tuple(unverified))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{n}]")
    else:
        yield path, value


def _constants(schema: Any) -> Iterator[str | int | float]:
    """The strings and numbers that a schema lists itself."""
    if isinstance(schema, Mapping):
        listed = schema.get("enum", [])
        given = [*(listed if isinstance(listed, list) else []), schema.get("const")]
        yield from (item for item in given if isinstance(item, str | int | float))
        for inner in schema.values():
            yield from _constants(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _constants(inner)


def _reason(leaf: str | int | float, evidence: Sequence[Sequence[CitedText]]) -> str:
    if isinstance(leaf, int | float):
        given = {n.value for posts in evidence for post in posts for n in numbers(read_post(post))}
        return "" if float(leaf) in given else f"no cited post gives the number {leaf:g}"
    if date := _DATE.fullmatch(leaf):
        days = {post.at.date().isoformat() for posts in evidence for post in posts if post.at}
        return "" if "-".join(date.groups()) in days else "no cited post is of that day"
    found = identify(leaf)
    lang = found if found in meanings.LANGUAGES else "en"
    said = read(leaf, lang)
    if sum(is_content(word, lang) for word in said.words) >= SHORT:
        verdicts = [verify(leaf, lang, posts) for posts in evidence]
        return "" if any(verdict.supported for verdict in verdicts) else _first(v.reason for v in verdicts)
    held = (Alignment(said, [read_post(post) for post in posts]) for posts in evidence)
    if any(aligned.content and not aligned.unsupported() for aligned in held):
        return ""
    return "no cited post has it"


def _first(reasons: Iterator[str]) -> str:
    return next(reasons, "no post is cited")
