"""What the files of X's archive say about each other: whose posts they are, and the whole text of long posts."""

from pathlib import Path
from typing import Any

import msgspec

from trinch.posts.schema import Created, Edited, Event
from trinch.posts.wire import UNREADABLE

_BEGINNING = 100
"""Characters by which a long post is found among the notes; `tweets.js` holds the first 275 or so."""


class Archive:
    """Collects the account and the long texts of an archive, and completes its posts with them."""

    def __init__(self, path: str | Path) -> None:
        self.account: dict[str, Any] = {}
        self.long: dict[str, str] = {}
        self.posts = 0
        for name in ("account.js", "note-tweet.js"):
            beside = Path(path).with_name(name)
            if Path(path).name in ("tweets.js", "tweet.js") and beside.exists():
                self._load(beside)

    def _load(self, path: Path) -> None:
        """Take what is in a file that lies beside `tweets.js`. A damaged one is as good as none."""
        try:
            for element in msgspec.json.decode(path.read_bytes().partition(b"=")[2]):
                self.takes(msgspec.json.encode(element))
        except (*UNREADABLE, OSError):
            return

    def takes(self, text: bytes) -> bool:
        """Whether the text is an account or a long text of the archive, which is remembered."""
        if b'"accountId"' not in text and b'"noteTweet"' not in text:
            return False
        try:
            value = msgspec.json.decode(text)
        except UNREADABLE:
            return False
        if isinstance(value, list) and len(value) == 1:  # a file with one element on one line
            value = value[0]
        if not isinstance(value, dict):
            return False
        if isinstance(account := value.get("account"), dict) and "accountId" in account:
            self.account = account
            return True
        if isinstance(note := value.get("noteTweet"), dict):
            whole = (note.get("core") or {}).get("text")
            if isinstance(whole, str):
                self.long[whole[:_BEGINNING]] = whole
            return True
        return False

    def completed(self, events: list[Event]) -> list[Event]:
        """The events with the archive's author where a post has none, and with the whole of long texts."""
        if not self.account and not self.long:
            return events
        return [self._complete(event) if isinstance(event, Created | Edited) else event for event in events]

    def _complete(self, event: Created | Edited) -> Event:
        post, more = event.post, {}
        self.posts += 1
        handle = str(self.account.get("username") or "")
        if not post.author and not post.author_id and post.network == "x" and self.account:
            more = {
                "author": handle,
                "author_id": str(self.account["accountId"]),
                "author_name": str(self.account.get("accountDisplayName") or ""),
                "url": f"https://x.com/{handle or 'i'}/status/{post.id}",
            }
        if len(post.text) > 200 and (whole := self.long.get(post.text[:_BEGINNING])):
            more["text"] = whole
        return msgspec.structs.replace(event, post=msgspec.structs.replace(post, **more)) if more else event
