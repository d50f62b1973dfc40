"""Messages of a broker as items of a live source: each holds posts or events in any format that files may have."""

from collections.abc import Iterator

from trinch.posts.formats import AUTO, parser
from trinch.posts.notes import Notes
from trinch.posts.schema import Malformed
from trinch.sources import framing
from trinch.sources.live import Item
from trinch.sources.rejects import Reject

_parse = parser(AUTO)


def items(message: bytes, cursor: str | None) -> Iterator[Item]:
    """The texts of one message: a line, several, or an array. The cursor comes with the last of them."""
    found = [item for text in framing.texts("", iter([message])) for item in _text_items(text)]
    if not found:
        found = [Item((), None, message)]
    yield from found[:-1]
    yield found[-1]._replace(cursor=cursor)


def _text_items(text: tuple[int, bytes] | Reject) -> list[Item]:
    if isinstance(text, Reject):
        return [Item((), None, text.raw, text.reason)]
    notes, raw = Notes(), text[1]
    try:
        events = _parse(raw, notes)
    except Malformed as error:
        return [Item((), None, raw, str(error))]
    return [*(Item((), None, bad, why) for why, bad in notes.take_rejected()), Item(events, None, raw)]
