"""Source of training posts: a store, or a file that can be ingested; and which of its posts are visible.

Every post has a *place*, its position in the store's log. A file is ingested into a temporary store when a run starts,
so that its edits and deletions count; a store is followed while the run goes on.
"""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from trinch.posts.schema import AccountGone, AccountHidden, Created, Deleted, Edited, Hidden, Post
from trinch.sources import files
from trinch.store.database import DATABASE
from trinch.store.log import Entry, Log
from trinch.store.writer import Writer
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

    `path` is a store's folder, or a file in any format that `trinch ingest` reads.
    """

    def __init__(self, path: str, until: str = "") -> None:
        if not path:
            raise SettingsError(
                "nothing to train on: name a store with --data FOLDER (`trinch ingest FILE --data FOLDER` fills one)"
            )
        self.path, self.until = Path(path), parse_time(until)
        if not self.path.exists():
            raise SettingsError(f"{path} does not exist; `trinch ingest FILE --data {path}` fills a store")
        if self.path.is_dir() and not (self.path / DATABASE).exists():
            raise SettingsError(f"{path} holds no store; `trinch ingest FILE --data {path}` fills one")
        self.follows = self.path.is_dir()
        """Whether the posts come from a store, whose log goes on while a run reads it."""
        self.rejected: list[str] = []
        """Pieces of a file that are no posts: the place and the reason of each."""
        self._temporary = None if self.follows else tempfile.TemporaryDirectory(prefix="trinch-")
        try:
            self.log = Log((self.path if self.follows else self._ingested()) / DATABASE)
        except BaseException:
            self._remove_temporary()
            raise

    def __enter__(self) -> "PostSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.log.close()
        self._remove_temporary()

    def _ingested(self) -> Path:
        """Folder of a temporary store with what the file holds. Raises SettingsError where it holds no posts."""
        assert self._temporary is not None
        folder = Path(self._temporary.name)
        writer = Writer(folder)
        try:
            for item in files.events(self.path):
                if isinstance(item, files.Reject):
                    self.rejected.append(f"{item.file}, line {item.line}: {item.reason}")
                else:
                    writer.take(item)
        finally:
            totals = writer.close()
        if not totals.accepted:
            why = self.rejected[0] if self.rejected else "it is empty or of another kind"
            raise SettingsError(f"{self.path} holds no posts that can be read ({why})")
        return folder

    def _remove_temporary(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    @property
    def position(self) -> int:
        """Last position of the log."""
        return self.log.last_seq

    def posts(self) -> Iterator[PlacedPost]:
        """Every post that is visible at the cut-off, in the order of ingestion."""
        position = 0
        while entries := list(self.log.read(position, CHUNK)):
            seqs = [entry.seq for entry in entries if isinstance(entry.event, Created | Edited)]
            yield from sorted((seq, v.post) for seq, v in self.log.visible(seqs, self.until).items())
            position = entries[-1].seq

    def visible(self, places: Sequence[int]) -> Iterator[PlacedPost]:
        """Those of the posts at these places that are still visible; of a file, whose lines may have moved, all."""
        if not self.follows:
            yield from self.posts()
        else:
            yield from self._at(places)

    def _at(self, places: Sequence[int]) -> Iterator[PlacedPost]:
        for begin in range(0, len(places), CHUNK):
            versions = self.log.visible(places[begin : begin + CHUNK], self.until)
            yield from ((seq, version.post) for seq, version in versions.items())

    def named(self, ids: Sequence[str]) -> dict[str, PlacedPost]:
        """The newest visible version of each of these posts, by its id as given (bare, or `network:id`)."""
        found = {id: list(self._at(self.log.seqs_of(id))) for id in dict.fromkeys(ids)}
        return {id: max(versions, key=lambda v: v[0]) for id, versions in found.items() if versions}


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
