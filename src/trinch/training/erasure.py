"""Erasure during training: posts erased or hidden in the store leave the data of a running run.

A thread of the lead process follows the store's log and overwrites the files on disk at once. What steps read changes
for all processes between the same two steps. A redacted post stays redacted for the run, even if it is shown again.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trinch.training.data_selection import account_key
from trinch.training.document_spans import REMOVED, ColumnIndex, Spans
from trinch.training.parallel import ProcessMesh
from trinch.training.post_source import CHUNK, PostSource, affected_posts

Rows = npt.NDArray[np.int64]
LOOK = 0.1
"""Seconds between two reads of a log without new entries."""


class Posts(Protocol):
    """Data made of posts."""

    def spans(self) -> Spans:
        """Spans of posts in the data; called in the lead process only."""

    def overwrite(self, rows: Rows) -> None:
        """Erase these rows of `spans` on disk, where there are any; called in the lead process only."""

    def redact(self, spans: Spans) -> None:
        """Read nothing of these spans from now on; called in every process at the same step."""


class Erasures:
    """Every process of a run has one, over the same `data` by name. Use as a context manager.

    `source` is None where posts have no log to follow; `position` is where the log stood, or earlier, when
    the data were last known to be clean.
    """

    def __init__(
        self, world: ProcessMesh, data: Mapping[str, Posts], source: tuple[str, str] | None, position: int
    ) -> None:
        self._world, self._data, self._following = world, data, source is not None
        self._found: list[tuple[str, Spans]] = []
        self._failed: BaseException | None = None
        self._still = threading.Lock()
        self._stop, self._level = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        if source is not None and world.rank == 0:
            self._thread = threading.Thread(target=self._run, args=(*source, position), daemon=True)

    def __enter__(self) -> "Erasures":
        if self._thread is not None:
            self._thread.start()
            self._level.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @contextmanager
    def synchronized(self) -> Iterator[bool]:
        """Redact in all processes what was found since the last call; within the context, data do not change.

        Yields whether anything was redacted. Every process must come here equally often. Raises RuntimeError when following the log has failed.
        """
        if not self._following:
            yield False
            return
        with self._still:
            found, self._found = self._found, []
            news, failed = self._world.sum(len(found), self._failed is not None)
            if failed:  # all stop: none waits for the lead's next message
                why = self._failed or "see the lead process"
                raise RuntimeError(f"the log of erasures cannot be read: {why}") from self._failed
            for name, spans in self._world.broadcast(found) if news else []:
                self._data[name].redact(spans)
            yield bool(news)
            self._world.sum(0.0)  # all have read

    def _run(self, path: str, until: str, position: int) -> None:
        try:
            with PostSource(path, until) as source:
                follow(source, position, self._data, self._redact, self._level, self._stop)
        except BaseException as error:  # raised by the next step
            self._failed = error
            self._level.set()

    def _redact(self, name: str, rows: Rows) -> None:
        with self._still:
            spans = np.array(self._data[name].spans()[rows])
            self._data[name].overwrite(rows)
            self._found.append((name, spans))


def follow(
    source: PostSource,
    position: int,
    data: Mapping[str, Posts],
    redact: Callable[[str, Rows], None],
    level: threading.Event,
    stop: threading.Event,
) -> None:
    """Read a store's log from a position on until `stop` is set, calling `redact` with the rows of each data
    whose posts may no longer be read. `level` is set when the end of the log is first reached."""
    log = source.log
    places = {name: ColumnIndex(np.array(posts.spans()["place"])) for name, posts in data.items()}
    authors = {name: ColumnIndex(np.array(posts.spans()["author"])) for name, posts in data.items()}
    while not stop.is_set():
        entries = list(log.read(position, CHUNK))
        if not entries:
            level.set()
            stop.wait(LOOK)
            continue
        seqs, accounts = affected_posts(log, entries)
        for name, posts in data.items():
            rows = places[name].rows(seqs)
            if accounts:
                mine = authors[name].rows(account_key(*account) for account in accounts)
                rows = np.unique(np.concatenate([rows, mine]))
            held = posts.spans()["place"][rows]
            rows, held = rows[held != REMOVED], held[held != REMOVED]
            if rows.size:
                seen = [place for place, _ in source.visible(np.unique(held).tolist())]
                gone = rows[~np.isin(held, seen)]
                if gone.size:
                    redact(name, gone)
        position = entries[-1].seq
