"""What chat clients ask of a model beside the question, done without one: a chat's title, tags, suggestions.

Owns recognising such a task, as Open WebUI words it, and doing it with the user's own words alone. Knows nothing of
answers and envelopes.

Open WebUI sends these to the model that is chatted with: instructions, an example of the JSON object it wants, and the
conversation between `<chat_history>` tags, each turn after `USER: ` or `ASSISTANT: `. Put to the posts such a prompt
would be a nonsensical search, and a long one an error.
"""

import re

import msgspec

OPEN, CLOSE = "<chat_history>", "</chat_history>"
WANTED = re.compile(r'\{\s*"(title|tags|follow_ups|queries|text)"\s*:')
_TURN = re.compile(r"^(USER|ASSISTANT): ?", re.MULTILINE)
TITLE = 60
"""Characters of a title at most."""


def done(message: str) -> str | None:
    """The JSON object that a message asks for; None where it is no task. Nobody here can think of tags, of
    suggestions, or of how a sentence goes on: those are empty, and a client shows none."""
    _, opened, rest = message.partition(OPEN)
    history, closed, _ = rest.rpartition(CLOSE)
    wanted = WANTED.search(message) if opened and closed else None
    if not wanted:
        return None
    _, *parts = _TURN.split(history)
    said = [
        " ".join(text.split()) for who, text in zip(parts[::2], parts[1::2], strict=True) if who == "USER"
    ]
    done: dict[str, str | list[str]] = {
        "title": _title(said[0]) if said else "",
        "tags": [],
        "follow_ups": [],
        "queries": said[-1:],
        "text": "",
    }
    return msgspec.json.encode({wanted[1]: done[wanted[1]]}).decode()


def _title(question: str) -> str:
    if len(question) <= TITLE:
        return question
    return question[:TITLE].rsplit(" ", 1)[0] + "…"
