"""Tasks that a chat client sends to the model besides questions: a title for the chat, tags, suggestions.

Open WebUI sends instructions, an example of the JSON object it wants, and the conversation between `<chat_history>`
tags, each turn after `USER: ` or `ASSISTANT: `. As a question to the posts such a prompt would be a meaningless search,
and a long one an error; so it is recognized, and filled in from the user's own words alone.
"""

import re

import msgspec

OPEN, CLOSE = "<chat_history>", "</chat_history>"
WANTED = re.compile(r'\{\s*"(title|tags|follow_ups|queries|text)"\s*:')
_TURN = re.compile(r"^(USER|ASSISTANT): ?", re.MULTILINE)
MAX_TITLE = 60
"""Characters of a title."""


def run_task(message: str) -> str | None:
    """The JSON object that a message asks for; None when it is no task. Tags, suggestions and completions are empty,
    since no model writes them, and the client shows none."""
    _, opened, rest = message.partition(OPEN)
    history, closed, _ = rest.rpartition(CLOSE)
    wanted = WANTED.search(message) if opened and closed else None
    if not wanted:
        return None
    _, *parts = _TURN.split(history)
    said = [
        " ".join(text.split()) for who, text in zip(parts[::2], parts[1::2], strict=True) if who == "USER"
    ]
    values: dict[str, str | list[str]] = {
        "title": _title(said[0]) if said else "",
        "tags": [],
        "follow_ups": [],
        "queries": said[-1:],
        "text": "",
    }
    return msgspec.json.encode({wanted[1]: values[wanted[1]]}).decode()


def _title(question: str) -> str:
    if len(question) <= MAX_TITLE:
        return question
    return question[:MAX_TITLE].rsplit(" ", 1)[0] + "…"
