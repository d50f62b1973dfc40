"""What a store must show after these events: the rules of `posts/schema.py` in the plainest code there is.

Owns `fold`. Plain dictionaries, everything held, nothing fast: written to be obviously right and to share
no code with `store/`, so that a test may compare the two.

Where `posts/schema.py` leaves a choice, the choice is here:
- The order of events is the order acknowledged, except where a source repeats itself: of two versions of one
  post, or of a hiding and a restoring with one reason, the later `at` wins, so replaying a stretch of the
  stream changes nothing. A version is known by its id, or where an edit keeps the id by its time.
- A count received replaces the count so far, unless it is older than that; each reaction adds to it, once.
  Counts and reactions of a post that is not held are dropped.
- All ids of an edited post are one post: hiding or deleting any of them hides or deletes it.
- A post that is hidden, or whose author is, is still there (it counts in `stored`) but not visible.
- As of T, events with `at > T` are unknown, except what takes away: what is hidden or deleted now is shown
  for no T.
"""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from trinch.posts.schema import (
    AccountGone,
    AccountHidden,
    AccountRenamed,
    AccountRestored,
    CountsChanged,
    Created,
    Deleted,
    Edited,
    Event,
    Hidden,
    Post,
    Reacted,
    Restored,
    Unreacted,
)

COUNTS = ("likes", "reposts", "replies", "quotes")
K = TypeVar("K")
V = TypeVar("V")

Key = tuple[str, str]
"""(network, id) of a post, (network, author id) of an account, (network, record) of a reaction."""


class Version(msgspec.Struct):
    at: int
    post: Post


class State:
    """Everything the events so far say. Read `visible`, `stored`, `counts`, `handle`."""

    def __init__(self) -> None:
        self.versions: dict[Key, list[Version]] = {}
        """First known id → versions in order of time; the last is current."""
        self.first: dict[Key, Key] = {}
        """Any id → the first known id of the same post."""
        self.barred: set[Key] = set()
        self.gone_before: dict[Key, int] = {}
        """Account → posts of it witnessed before this time stay away."""
        self.hidden: dict[tuple[Key, str], tuple[int, bool]] = {}
        """(post, reason) → (as of when, hidden or not)."""
        self.account_hidden: dict[tuple[Key, str], tuple[int, bool]] = {}
        self.handles: dict[Key, tuple[int, str]] = {}
        self.counted: dict[Key, dict[str, int]] = {}
        """First known id → its counts now."""
        self.counted_at: dict[Key, int] = {}
        self.reactions: dict[Key, tuple[Key, str] | None] = {}
        """Record → (first known id, which count); None once taken back."""

    # Applying

    def apply(self, event: Event) -> None:
        match event:
            case Created():
                self._created(event)
            case Edited():
                self._edited(event)
            case Deleted():
                self._erase(self._root((event.network, event.id)))
                self.barred.add((event.network, event.id))
            case Hidden() | Restored():
                _latest(
                    self.hidden,
                    ((event.network, event.id), event.reason),
                    event.at,
                    isinstance(event, Hidden),
                )
            case AccountGone():
                self._account_gone(event)
            case AccountHidden() | AccountRestored():
                account = (event.network, event.author_id)
                hides = isinstance(event, AccountHidden)
                _latest(self.account_hidden, (account, event.reason), event.at, hides)
            case AccountRenamed():
                _latest(self.handles, (event.network, event.author_id), event.at, event.author)
            case CountsChanged():
                self._counted(event)
            case Reacted():
                self._reacted(event)
            case Unreacted():
                record = (event.network, event.record)
                self._react(self.reactions.get(record), -1, event.at)
                self.reactions[record] = None

    def _created(self, event: Created) -> None:
        key = (event.network, event.post.id)
        if not self._barred(key, event.post, event.at) and self._root(key) not in self.versions:
            self.first[key] = key
            self._hold(key, event)

    def _edited(self, event: Edited) -> None:
        network, post = event.network, event.post
        ids = [*[(network, old) for old in event.replaces], (network, post.id)]
        if any(self._barred(key, post, event.at) for key in ids):
            for key in ids:
                self._erase(self._root(key))
                self.barred.add(key)
            return
        roots = [self._root(key) for key in ids]
        root = next((known for known in roots if known in self.versions), ids[0])
        for key in ids:
            self.first[key] = root
        held = self.versions.get(root, [])
        same = [one for one in held if one.post.id == post.id]
        if not any(event.replaces or (one.at == event.at and one.post == post) for one in same):
            self._hold(root, event)

    def _hold(self, root: Key, event: Created | Edited) -> None:
        versions = self.versions.setdefault(root, [])
        versions.append(Version(event.at, event.post))
        versions.sort(key=lambda version: version.at)
        if root not in self.counted:
            self.counted[root] = {what: getattr(event.post, what) or 0 for what in COUNTS}

    def _account_gone(self, event: AccountGone) -> None:
        account = (event.network, event.author_id)
        for root, versions in list(self.versions.items()):
            post, created = versions[0].post, versions[0].at
            if (post.network, post.author_id) == account and created < event.at:
                ids = [key for key, known in self.first.items() if known == root]
                self._erase(root)
                if event.diverged:
                    self.barred.difference_update(ids)
        if not event.diverged:
            self.gone_before[account] = max(event.at, self.gone_before.get(account, event.at))

    def _counted(self, event: CountsChanged) -> None:
        root = self._root((event.network, event.id))
        if root in self.versions and event.at >= self.counted_at.get(root, event.at):
            counts = {what: getattr(event, what) for what in COUNTS}
            self.counted[root] |= {what: count for what, count in counts.items() if count is not None}
            self.counted_at[root] = event.at

    def _reacted(self, event: Reacted) -> None:
        root, record = self._root((event.network, event.id)), (event.network, event.record)
        if root in self.versions and record not in self.reactions:
            self.reactions[record] = (root, "likes" if event.what == "like" else "reposts")
            self._react(self.reactions[record], 1, event.at)

    def _react(self, reaction: tuple[Key, str] | None, step: int, at: int) -> None:
        if reaction is not None and reaction[0] in self.versions:
            root, what = reaction
            self.counted[root][what] = max(0, self.counted[root][what] + step)
            self.counted_at[root] = max(at, self.counted_at.get(root, at))

    def _root(self, key: Key) -> Key:
        return self.first.get(key, key)

    def _barred(self, key: Key, post: Post, at: int) -> bool:
        gone = self.gone_before.get((key[0], post.author_id), -(1 << 62))
        return key in self.barred or self._root(key) in self.barred or at < gone

    def _erase(self, root: Key) -> None:
        self.versions.pop(root, None)
        self.counted.pop(root, None)
        self.counted_at.pop(root, None)
        self.barred.update(key for key, known in self.first.items() if known == root)

    # Reading

    def stored(self) -> int:
        """Posts held, visible or not, edited ones once."""
        return len(self.versions)

    def visible(self, as_of: int | None = None) -> dict[Key, Post]:
        """Current version of each post that may be shown, by its current (network, id), at that time."""
        shown: dict[Key, Post] = {}
        for root, versions in self.versions.items():
            known = [version for version in versions if as_of is None or version.at <= as_of]
            if known and not self._is_hidden(root, known[-1].post):
                post = known[-1].post
                shown[post.network, post.id] = post
        return shown

    def _is_hidden(self, root: Key, post: Post) -> bool:
        account = (post.network, post.author_id)
        return any(
            hidden and self._root(key) == root for (key, _), (_, hidden) in self.hidden.items()
        ) or any(hidden and key == account for (key, _), (_, hidden) in self.account_hidden.items())

    def counts(self, key: Key) -> dict[str, int]:
        """`likes`, `reposts`, `replies`, `quotes` of a post held, as known now. KeyError if it is not."""
        return dict(self.counted[self._root(key)])

    def handle(self, network: str, author_id: str) -> str | None:
        """The handle the author was last said to have, if a renaming said so."""
        return self.handles.get((network, author_id), (0, None))[1]


def _latest(table: dict[K, tuple[int, V]], key: K, at: int, value: V) -> None:
    if key not in table or table[key][0] <= at:
        table[key] = (at, value)


def fold(events: Iterable[Event]) -> State:
    """The state after these events, in the order they were acknowledged."""
    state = State()
    for event in events:
        state.apply(event)
    return state
