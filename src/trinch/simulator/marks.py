"""Find links, mentions and hashtags in simulated texts. The texts are ours, so the patterns are simple."""

import re

SHORT_LINK = re.compile(r"https://t\.co/\w{10}\b")
"""How X writes a link."""
SHOWN_LINK = re.compile(r"\b[\w-]+\.example/\w{4}\.\.\.")
"""How Bluesky's clients write a long link."""
MENTION = re.compile(r"@(\w{1,15})\b", re.ASCII)
TAG = re.compile(r"#(\w+)")


def mentions(text: str) -> tuple[str, ...]:
    return tuple(MENTION.findall(text)) if "@" in text else ()


def tags(text: str) -> tuple[str, ...]:
    return tuple(TAG.findall(text)) if "#" in text else ()
