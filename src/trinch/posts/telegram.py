"""Messages of Telegram: the JSON that Telegram Desktop exports, whole (`messages`) or one message a line.

Times in `date` are of the exporting machine's clock without an offset and are read as UTC; `date_unixtime` is exact
and is preferred. A message's id counts within its chat, so the post's id is `chat/message`.
"""

from typing import Any

import msgspec

from trinch.posts import times
from trinch.posts.notes import Notes
from trinch.posts.schema import Attached, Created, Event, Malformed, Post
from trinch.posts.wire import Time, decode, moment


class Piece(msgspec.Struct, gc=False):
    text: str = ""
    type: str = ""
    href: str = ""


class Answer(msgspec.Struct, gc=False):
    text: str = ""


class Poll(msgspec.Struct):
    question: str = ""
    answers: list[Answer] = []


class Message(msgspec.Struct):
    id: int | str
    type: str = "message"
    text: str | list[Piece | str] | None = None
    date: Time = None
    date_unixtime: Time = None
    sender: str | None = msgspec.field(name="from", default=None)
    from_id: str | None = None
    reply_to_message_id: int | str | None = None
    media_type: str | None = None
    photo: str | None = None
    poll: Poll | None = None


class Chat(msgspec.Struct):
    """An export; its messages are read one by one, so that a bad one does not cost the others."""

    messages: list[msgspec.Raw]
    name: str | None = None
    id: int | str | None = None


_MESSAGE = msgspec.json.Decoder(Message)
_CHAT = msgspec.json.Decoder(Chat)


def is_message(found: dict[str, Any]) -> bool:
    """Whether an object with these top-level fields is a message or an export."""
    keys = found.keys()
    if "messages" in keys and bytes(found["messages"])[:1] == b"[":
        return True
    return {"id", "type", "date"} <= keys and bool({"from", "from_id", "text_entities", "actor"} & keys)


def parse(
    line: bytes, notes: Notes | None = None, found: dict[str, msgspec.Raw] | None = None
) -> list[Event]:
    """The post of a message, or the posts of an export; [] for service messages. Raises only `Malformed`."""
    if not line or line.isspace():
        return []
    if b'"messages"' not in line or (found is not None and "messages" not in found):
        return _events(decode(_MESSAGE, line, notes), "", notes)
    chat = decode(_CHAT, line, notes)
    events: list[Event] = []
    for number, raw in enumerate(chat.messages):
        try:
            events += _events(decode(_MESSAGE, bytes(raw), notes), _chat(chat), notes)
        except Malformed as error:
            if notes is None or len(chat.messages) == 1:
                raise
            notes.reject(f"messages[{number}].{error}", bytes(raw))
    return events


def _chat(chat: Chat) -> str:
    return str(chat.id or chat.name or "")


def _events(message: Message, chat: str, notes: Notes | None) -> list[Event]:
    if message.type != "message":
        return []
    written = message.date if message.date_unixtime is None else message.date_unixtime
    created_at = moment(written, "date", notes)
    pieces = message.text if isinstance(message.text, list) else [message.text or ""]
    text = "".join(piece if isinstance(piece, str) else piece.text for piece in pieces)
    options = [
        Attached("poll", one.text) for one in (message.poll.answers if message.poll else ()) if one.text
    ]
    if message.poll and message.poll.question:
        text = f"{text}\n{message.poll.question}".strip()
    if not text and not options and not message.photo and not message.media_type:
        raise Malformed("text: missing from a message")
    links = [
        one.href or one.text for one in pieces if isinstance(one, Piece) and one.type in ("link", "text_link")
    ]
    answered = message.reply_to_message_id
    at = times.now() if created_at is None else created_at
    post = Post(
        network="telegram",
        id=_id(chat, message.id),
        created_at=created_at,
        text=text,
        author_id=message.from_id or "",
        author_name=message.sender or "",
        reply_to="" if answered is None else _id(chat, answered),
        conversation_id=chat,
        urls=tuple(dict.fromkeys(links)),
        media=("image",) if message.photo else ("video",) if message.media_type == "video_file" else (),
        attached=tuple(options),
    )
    return [Created(at=at, network="telegram", post=post)]


def _id(chat: str, number: int | str) -> str:
    return f"{chat}/{number}" if chat else str(number)
