"""Forgetting while training: what is erased or hidden in the store leaves the data of a run under way.

Owns following the log, in a thread of the lead process, and agreeing with the others on what is gone. Does
not know what data look like: they say which posts they hold and strike them out when told. The files on disk
are overwritten as soon as the log says so; what a step reads changes for all processes between two steps.
A thing once struck out stays so for the run, even if its post is shown again later.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trinch.training.data_selection import account_key
from trinch.training.document_spans import GONE, Finder, Spans
from trinch.training.parallel import World
from trinch.training.post_source import CHUNK, Source, touched

Rows = npt.NDArray[np.int64]
LOOK = 0.1
"""Seconds between two looks at a quiet log."""


class Posts(Protocol):
    """Data made of posts."""

    def spans(self) -> Spans:
        """Which post stands where; asked of the lead process only."""

    def overwrite(self, rows: Rows) -> None:
        """Erase these rows of `spans` on disk, where there are any; asked of the lead process only."""

    def strike(self, spans: Spans) -> None:
        """Read nothing of these spans from now on; told to every process at the same step."""


class Erasures:
    """Every process of a run has one, over the same `data` by name. Use as a context manager.

    `source` is None where posts have no log to follow; `position` is where the log stood, or earlier, when
    the data were last known to be clean.
    """

    def __init__(
        self, world: World, data: Mapping[str, Posts], source: tuple[str, str] | None, position: int
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
    def settled(self) -> Iterator[None]:
        """All processes strike out what was found since the last time; within, no data change. Read there.

        Every process must come here equally often. Raises what the follower met.
        """
        if not self._following:
            yield
            return
        with self._still:
            found, self._found = self._found, []
            news, failed = self._world.sum(len(found), self._failed is not None)
            if failed:  # all stop: none waits for the lead's next message
                why = self._failed or "the lead process has said why"
                raise RuntimeError(f"cannot tell what was erased: {why}") from self._failed
            for name, spans in self._world.share(found) if news else []:
                self._data[name].strike(spans)
            yield
            self._world.sum(0.0)  # all have read

    def _run(self, path: str, until: str, position: int) -> None:
        try:
            with Source(path, until) as source:
                follow(source, position, self._data, self._strike, self._level, self._stop)
        except BaseException as error:  # told by the next step
            self._failed = error
            self._level.set()

    def _strike(self, name: str, rows: Rows) -> None:
        with self._still:
            spans = np.array(self._data[name].spans()[rows])
            self._data[name].overwrite(rows)
            self._found.append((name, spans))


def follow(
    source: Source,
    position: int,
    data: Mapping[str, Posts],
    strike: Callable[[str, Rows], None],
    level: threading.Event,
    stop: threading.Event,
) -> None:
    """Read a store's log from a position on until told to stop, calling `strike` with the rows of each data
    whose posts may no longer be read. `level` is set when the end of the log is first reached."""
    log = source.log
    assert log is not None, "a file has no log"
    places = {name: Finder(np.array(posts.spans()["place"])) for name, posts in data.items()}
    authors = {name: Finder(np.array(posts.spans()["author"])) for name, posts in data.items()}
    while not stop.is_set():
        entries = list(log.read(position, CHUNK))
        if not entries:
            level.set()
            stop.wait(LOOK)
            continue
        seqs, accounts = touched(log, entries)
        for name, posts in data.items():
            rows = places[name].rows(seqs)
            if accounts:
                mine = authors[name].rows(account_key(*account) for account in accounts)
                rows = np.unique(np.concatenate([rows, mine]))
            held = posts.spans()["place"][rows]
            rows, held = rows[held != GONE], held[held != GONE]
            if rows.size:
                seen = [place for place, _ in source.visible(np.unique(held).tolist())]
                gone = rows[~np.isin(held, seen)]
                if gone.size:
                    strike(name, gone)
        position = entries[-1].seq
