"""Source of training posts: a store, or a file of posts; and which of them are still visible.

Every post has a *place*: its position in the store's log, or its number in the file. A file is read when a run starts;
a store is followed while it runs.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from trinch.posts.schema import AccountGone, AccountHidden, Created, Deleted, Edited, Hidden, Post
from trinch.store.log import Entry, Log
from trinch.training.settings import SettingsError

CHUNK = 5000
"""Posts that the log is asked about at once."""

PlacedPost = tuple[int, Post]
"""(place, post)."""


def parse_time(text: str) -> int | None:
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


class PostSource:
    """A store or a file of posts, as it was at a cut-off. Raises SettingsError when there is none.

    `path` is a store's folder, or a file of `Post` as JSON lines (of which those created by the cut-off are
    given).
    """

    def __init__(self, path: str, until: str = "") -> None:
        if not path:
            raise SettingsError(
                "nothing to train on: name a store with --data FOLDER (`trinch ingest FILE --data FOLDER` fills one)"
            )
        self.path, self.until = Path(path), parse_time(until)
        if not self.path.exists():
            raise SettingsError(f"{path} does not exist; `trinch ingest FILE --data {path}` fills a store")
        if self.path.is_dir() and not (self.path / "ocean.db").exists():
            raise SettingsError(f"{path} holds no store; `trinch ingest FILE --data {path}` fills one")
        self.log = None if self.path.is_file() else Log(self.path / "ocean.db")

    def __enter__(self) -> "PostSource":
        return self

    def __exit__(self, *_: object) -> None:
        if self.log is not None:
            self.log.close()

    @property
    def position(self) -> int:
        """Last position of the log; 0 for a file."""
        return 0 if self.log is None else self.log.last_seq

    def posts(self) -> Iterator[PlacedPost]:
        """Every post that is visible at the cut-off, in the order of ingestion."""
        if self.log is None:
            yield from self._lines()
            return
        position = 0
        while entries := list(self.log.read(position, CHUNK)):
            seqs = [entry.seq for entry in entries if isinstance(entry.event, Created | Edited)]
            yield from sorted((seq, v.post) for seq, v in self.log.visible(seqs, self.until).items())
            position = entries[-1].seq

    def visible(self, places: Sequence[int]) -> Iterator[PlacedPost]:
        """Those of the posts at these places that are still visible; of a file, whose lines may move, all."""
        if self.log is None:
            yield from self._lines()
            return
        for begin in range(0, len(places), CHUNK):
            versions = self.log.visible(places[begin : begin + CHUNK], self.until)
            yield from ((seq, version.post) for seq, version in versions.items())

    def named(self, ids: Sequence[str]) -> dict[str, PlacedPost]:
        """The newest visible version of each of these posts, by its id as given (bare, or `network:id`)."""
        if self.log is None:
            wanted = set(ids)
            names = (
                (name, line)
                for line in self._lines()
                for name in (line[1].id, f"{line[1].network}:{line[1].id}")
            )
            return {name: line for name, line in names if name in wanted}
        found = {id: list(self.visible(self.log.seqs_of(id))) for id in dict.fromkeys(ids)}
        return {id: max(versions, key=lambda v: v[0]) for id, versions in found.items() if versions}

    def _lines(self) -> Iterator[PlacedPost]:
        decoder = msgspec.json.Decoder(Post)
        with open(self.path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    post = decoder.decode(line)
                except msgspec.MsgspecError as error:
                    raise SettingsError(f"{self.path}, line {number}: {error}") from None
                if self.until is None or (post.created_at is not None and post.created_at <= self.until):
                    yield number, post


def affected_posts(log: Log, entries: Sequence[Entry]) -> tuple[set[int], set[tuple[str, str]]]:
    """Positions, and accounts as (network, author id), whose posts these entries may have made
    invisible."""
    seqs: set[int] = set()
    accounts: set[tuple[str, str]] = set()
    for entry in entries:
        event = entry.event
        if event is None or isinstance(event, Deleted):  # None: removed by retention
            seqs.update(entry.refs)
        elif isinstance(event, Hidden):
            seqs.update(log.seqs_of(f"{event.network}:{event.id}"))
        elif isinstance(event, Edited):
            seqs.update(log.seqs_of(f"{event.network}:{event.post.id}"))
        elif isinstance(event, AccountHidden | AccountGone):
            accounts.add((event.network, event.author_id))
    return seqs, accounts
