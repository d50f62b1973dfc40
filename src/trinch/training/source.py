"""Where posts come from: the ocean, or a file of posts.

Owns that one door. Does not know what is done with the posts.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from trinch.posts.event import Post
from trinch.training.settings import SettingsError


def moment(text: str) -> int | None:
    """Microseconds of an ISO 8601 time (UTC where it says nothing else); None for an empty text."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"data.until is {text!r}, which is no ISO 8601 time such as 2025-06-01T00:00Z"
        ) from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def visible_posts(path: str, until: str = "") -> Iterator[Post]:
    """Posts that are visible at the cut-off, in the order of the log. Raises SettingsError when there are
    none to read.

    `path` is an ocean's folder, or a file of `Post` as JSON lines (of which those created by the cut-off are
    given).
    """
    if not path:
        raise SettingsError(
            "nothing to train on: name an ocean with --data FOLDER (`trinch drink` fills one)"
        )
    place, cut = Path(path), moment(until)
    if not place.exists():
        raise SettingsError(f"{path} does not exist; `trinch drink` fills an ocean")
    if place.is_file():
        yield from _from_file(place, cut)
        return
    from trinch.ocean.ocean import Ocean

    yield from Ocean.open(place).posts(until=cut)


def _from_file(path: Path, cut: int | None) -> Iterator[Post]:
    decoder = msgspec.json.Decoder(Post)
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                post = decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise SettingsError(f"{path}, line {number}: {error}") from None
            if cut is None or post.created_at <= cut:
                yield post
