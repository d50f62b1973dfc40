"""The consumer of the log: matches each new post against all alerts and stores what fires with the position reached.

Both are in one transaction, so that a crash at any instant neither loses a firing nor repeats one. Posts are taken as
they are visible when they are matched: one that was deleted meanwhile fires nothing.
"""

import logging
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from trinch.alerts import clock, database
from trinch.alerts.percolator import Percolator
from trinch.alerts.triggers import Match, State, add_history, fire, post_key
from trinch.alerts.types import DAY, Alert, Firing
from trinch.posts.schema import Created, Edited
from trinch.posts.times import now
from trinch.store.log import Entry
from trinch.store.query import QueryError
from trinch.store.query_eval import Candidate
from trinch.store.store import Store

_logger = logging.getLogger(__name__)

BATCH = 1000
"""Log entries that are matched together at most."""

PRUNE_EVERY = 60_000_000
SENT_FOR = DAY
"""How long the times of deliveries are kept."""

LOOK_EVERY = defaultdict(int, story=60_000_000, number=5_000_000)
"""Microseconds between two looks at one alert, by trigger."""

_STATELESS = ("match", "denial")
_state = msgspec.json.Decoder(State).decode


@dataclass(slots=True)
class _Batch:
    """What one step found."""

    found: defaultdict[str, list[Match]] = field(default_factory=lambda: defaultdict(list))
    """Alert -> new matches."""
    fired: list[Firing] = field(default_factory=list)


class Consumer:
    """The alerts of a store and how far its log was matched against them. One per store at a time."""

    def __init__(self, store: Store, db: sqlite3.Connection) -> None:
        self._store, self._db = store, db
        self._lock = threading.Lock()
        """Held while states are changed or stored: `step` and `tick` may run in different threads."""
        self._percolator = Percolator(store.doc_freq)
        self.alerts: dict[str, Alert] = {}
        self._states: dict[str, State] = {}
        self._revisions: dict[str, int] = {}
        self._revision = -1
        self._pruned = 0
        self.is_level = False
        """Whether the last step found nothing new."""
        self._fired_for: dict[str, set[str]] = {}
        """Alert -> posts of its last firings, read when first needed."""
        self._looked: dict[str, int] = {}
        """Alert -> when its trigger was looked at by the clock."""
        self._position = self._start()
        self._load()

    def _start(self) -> int:
        """The position to go on from; the end of the log where it is another log, or a shorter one, than before."""
        log, last = self._store.log, self._store.log.last_seq
        stored = database.meta(self._db, "position")
        is_same = database.meta(self._db, "identity") in (None, log.identity)
        position = int(stored) if stored is not None and is_same and int(stored) <= last else None
        if position is None:
            waiting = [alert.after for alert in database.alerts(self._db)]
            position = min([last, *waiting]) if stored is None else last
            with database.transaction(self._db):
                database.set_meta(self._db, "position", position)
        with database.transaction(self._db):
            database.set_meta(self._db, "identity", log.identity)
        return position

    # ------------------------------------------------------------------ alerts

    def _load(self) -> None:
        """Take over what changed of the alerts, if anything did."""
        revision = database.revision(self._db)
        if revision == self._revision:
            return
        current = database.revisions(self._db)
        for id in self._revisions.keys() - current.keys():
            self._percolator.remove(id)
            self.alerts.pop(id, None)
            self._states.pop(id, None)
            self._looked.pop(id, None)
            self._fired_for.pop(id, None)
        for id, number in current.items():
            if self._revisions.get(id) != number and (alert := database.alert(self._db, id)):
                self._add(alert)
        self._revisions, self._revision = current, revision

    def _add(self, alert: Alert) -> None:
        try:
            self._percolator.add(alert.id, alert.query)
        except QueryError as error:  # saved by a release that read the query otherwise
            _logger.warning("alert %s is left out: %s", alert.id, error)
            return
        self.alerts[alert.id] = alert
        self._states[alert.id] = self._state_of(alert)

    def _state_of(self, alert: Alert) -> State:
        row = self._db.execute("SELECT body FROM state WHERE alert = ?", (alert.id,)).fetchone()
        return _state(row[0]) if row else State(due=alert.trigger == "burst", counted_from=alert.created)

    # ------------------------------------------------------------------ the log

    def step(self) -> int:
        """Match the next entries of the log; how many there were."""
        entries = list(self._store.log.read(self._position, BATCH))
        with self._lock:
            self._load()  # after reading: whatever was saved before these entries were acknowledged is there
            self.is_level = not entries
            if not entries:
                return 0
            batch = self._matched(entries) if self.alerts else _Batch()
            self._commit(batch, entries[-1].seq)
            self._prune()
        return len(entries)

    def _matched(self, entries: Sequence[Entry]) -> _Batch:
        """What the posts of some entries match and fire."""
        batch, clock_now = _Batch(), now()
        posts = {entry.seq: entry for entry in entries if isinstance(entry.event, Created | Edited)}
        recounted = set[int]()
        if self._percolator.counting:
            recounted = {seq for entry in entries for seq in entry.refs if seq != entry.seq}
        for seq, version in sorted(self._store.log.visible(list(posts.keys() | recounted)).items()):
            candidate = Candidate(version.post, version.at)
            keys = [post_key(version.post), *(_older_keys(posts[seq]) if seq in posts else ())]
            is_known = seq in recounted or isinstance(posts[seq].event, Edited)
            for id in self._percolator.matches(candidate, clock_now):
                is_new = seq > self.alerts[id].after or id in self._percolator.counting
                if is_new and not (is_known and self._has_seen(id, keys)):
                    batch.found[id].append(Match(keys[0], candidate.at, version.post))
        for id, found in batch.found.items():
            batch.fired += fire(self.alerts[id], self._states[id], found, clock_now)
        return batch

    def _has_seen(self, id: str, keys: Sequence[str]) -> bool:
        """Whether an alert has met one of these versions of a post: it is among its last firings, or its last matches."""
        if self.alerts[id].trigger not in _STATELESS:
            return not set(keys).isdisjoint(self._states[id].recent)
        if id not in self._fired_for:
            kept = database.newest_firings(self._db, id, database.KEPT_FIRINGS)
            self._fired_for[id] = {key for _, firing in kept for key in firing.posts}
        return not self._fired_for[id].isdisjoint(keys)

    def _commit(self, batch: _Batch, position: int) -> None:
        """Store what fired, what is remembered and the position, all or none."""
        with database.transaction(self._db):
            database.add_firings(self._db, batch.fired)
            self._store_states(batch.found)
            database.set_meta(self._db, "position", position)
            database.count(self._db, {"matched": sum(map(len, batch.found.values()))})
        self._position = position
        for firing in batch.fired:
            if firing.alert in self._fired_for:
                self._fired_for[firing.alert].update(firing.posts)

    def _store_states(self, ids: Iterable[str]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO state VALUES (?, ?)",
            [
                (id, msgspec.json.encode(self._states[id]))
                for id in ids
                if id in self.alerts and self.alerts[id].trigger not in _STATELESS
            ],
        )

    def _prune(self) -> None:
        if now() - self._pruned > PRUNE_EVERY:
            self._pruned = now()
            self._fired_for.clear()
            database.prune(self._db, self._pruned - SENT_FOR)

    # ------------------------------------------------------------------ the clock

    def tick(self, store: Store, find: clock.FindStories) -> bool:
        """With another open store, since a store belongs to one thread. Look at the triggers that do not follow from one post: all that wait for silence, and the next of those with
        a number, a story or the posts of before to look at. Whether there was one of the latter."""
        with self._lock:
            self._fire_silence()
            id = self._next_due()
            if id is None:
                return False
            alert, state = self.alerts[id], self._states[id]
            state.due = False
        # Outside the lock: this may take a second, and the log goes on meanwhile.
        fired, history = list[Firing](), None
        match alert.trigger:
            case "number":
                fired = clock.number(store, alert, state)
            case "story":
                fired = clock.story(store, alert, state, find)
            case "burst":
                history = clock.history(store, alert)
        with self._lock, database.transaction(self._db):
            if id in self.alerts:
                if history:
                    add_history(alert, state, history)
                database.add_firings(self._db, fired)
                self._store_states([id])
        return True

    def _next_due(self) -> str | None:
        """The alert that waits to be looked at and was looked at longest ago."""
        moment = now()
        waiting = [
            id
            for id, state in self._states.items()
            if state.due and moment - self._looked.get(id, 0) >= LOOK_EVERY[self.alerts[id].trigger]
        ]
        if not waiting:
            return None
        id = min(waiting, key=lambda one: self._looked.get(one, 0))
        self._looked[id] = moment
        return id

    def _fire_silence(self) -> None:
        if not self.is_level:
            return  # what is not matched yet may end the silence
        moment, fired = now(), list[Firing]()
        for id, alert in self.alerts.items():
            if alert.trigger == "silence":
                fired += clock.silence(alert, self._states[id], moment)
        if fired:
            with database.transaction(self._db):
                database.add_firings(self._db, fired)
                self._store_states([one.alert for one in fired])


def _older_keys(entry: Entry) -> list[str]:
    """Keys of the versions that an edit replaces."""
    event = entry.event
    return [f"{event.network}:{id}" for id in event.replaces] if isinstance(event, Edited) else []
