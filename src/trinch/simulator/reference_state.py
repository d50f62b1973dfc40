"""What a store must show after some events: the rules of `posts/schema.py` in the plainest code there is.

Plain dictionaries, everything kept, nothing fast: written to be obviously right and to share no code with
`store/`, so that a test may compare the two.

Where `posts/schema.py` leaves a choice, the choice is here:
- Events take effect in the order in which they were acknowledged. One that repeats an earlier one (same id, same
  time) changes nothing, so replaying a part of the stream changes nothing.
- Posts that went with an account for good are deleted; those of a diverged one come back if sent with another time.
- All ids that an edit names are one post: deleting any of them deletes it for good, hiding any of them hides it.
- A version that replaces more ids is newer; then the one with the later time, then the one that came later.
- Counts replace those so far, unless they are older; each reaction adds to them, once. Counts of and reactions to
  a post that is not stored are dropped.
- A hidden post, and one whose author is hidden, is still stored but not visible. Of each id and reason the last
  event decides; the reason `edited` hides a post only while that id is its newest.
- As of T, events with `at > T` are unknown, except what removes: a post hidden or deleted now is visible for no T.
"""

from collections.abc import Iterable

import msgspec

from trinch.posts import times
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

Key = tuple[str, str]
"""(network, id) of a post, (network, author id) of an account, (network, record) of a reaction."""


class Version(msgspec.Struct):
    at: int
    order: int
    post: Post
    replaces: int


class Family(msgspec.Struct):
    """All ids of one post, and its versions."""

    ids: set[Key]
    versions: list[Version] = []
    deleted: bool = False
    gone_at: set[int] = set()
    """Times of versions that went with a diverged account."""
    went_with: set[Key] = set()
    """Those accounts."""
    counts: dict[str, int] = {}
    counted_at: int = 0

    def ordered(self) -> list[Version]:
        rank = {v.post.id: 0 for v in self.versions}
        for version in self.versions:
            rank[version.post.id] = max(rank[version.post.id], version.replaces)
        return sorted(self.versions, key=lambda v: (rank[v.post.id], v.at, v.order))


class State:
    """The state after the events so far. Read `visible`, `stored`, `counts`, `handle`."""

    def __init__(self) -> None:
        self.families: dict[Key, Family] = {}
        self.order = 0
        self.gone_before: dict[Key, int] = {}
        """Account → its posts from before this time are refused."""
        self.seen: set[tuple[object, ...]] = set()
        """Events that take effect once."""
        self.hidden: dict[tuple[Key, str], bool] = {}
        """(post id, reason) → hidden or not."""
        self.account_hidden: dict[tuple[Key, str], bool] = {}
        self.handles: dict[Key, str] = {}
        self.reactions: dict[Key, tuple[Key, str] | None] = {}
        """Record → (post id, which count); None once taken back."""

    # Applying

    def apply(self, event: Event) -> None:
        self.order += 1
        match event:
            case Created():
                self._created(event)
            case Edited():
                self._edited(event)
            case Deleted():
                self._delete(self._family((event.network, event.id)))
            case CountsChanged():
                self._counted(event)
            case Reacted():
                self._reacted(event)
            case Unreacted():
                record = (event.network, event.record)
                self._react(self.reactions.get(record), -1, event.at)
                self.reactions[record] = None
            case _:
                if self._is_new(event):
                    self._take_effect(event)

    def _is_new(self, event: Event) -> bool:
        seen = msgspec.structs.astuple(event)
        kind = type(event).__name__
        if (kind, *seen) in self.seen:
            return False
        self.seen.add((kind, *seen))
        return True

    def _take_effect(self, event: Event) -> None:
        match event:
            case Hidden() | Restored():
                self.hidden[(event.network, event.id), event.reason] = isinstance(event, Hidden)
            case AccountHidden() | AccountRestored():
                account = (event.network, event.author_id)
                self.account_hidden[account, event.reason] = isinstance(event, AccountHidden)
            case AccountRenamed():
                self.handles[event.network, event.author_id] = event.author
            case AccountGone():
                self._account_gone(event)

    def _family(self, key: Key) -> Family:
        return self.families.setdefault(key, Family({key}))

    def _created(self, event: Created) -> None:
        family = self._family((event.network, event.post.id))
        known = family.deleted or family.versions or self._is_repeated(family, event)
        if not known and not self._refused(event):
            self._store(family, event, 0)

    def _edited(self, event: Edited) -> None:
        if self._refused(event) and not (event.replaces or event.replaced_by):
            return
        ids = (*event.replaces, event.post.id, *event.replaced_by)
        family = self._union([self._family((event.network, id)) for id in ids])
        if family.deleted or self._refused(event):
            self._delete(family)
            return
        if event.replaces or event.replaced_by:
            known = any(version.post.id == event.post.id for version in family.versions)
        else:
            known = any((v.at, v.post) == (event.at, event.post) for v in family.versions)
        if not known and not self._is_repeated(family, event):
            self._store(family, event, len(event.replaces))

    def _union(self, families: list[Family]) -> Family:
        latest = max(families, key=lambda family: (bool(family.counts), family.counted_at))
        one = Family(set(), deleted=any(f.deleted for f in families))
        one.counts, one.counted_at = latest.counts, latest.counted_at
        for family in families:
            one.ids |= family.ids
            one.gone_at |= family.gone_at
            one.went_with |= family.went_with
            one.versions += [v for v in family.versions if v not in one.versions]
        for key in one.ids:
            self.families[key] = one
        if one.deleted:
            self._delete(one)
        return one

    def _store(self, family: Family, event: Created | Edited, replaces: int) -> None:
        family.versions.append(Version(event.at, self.order, event.post, replaces))
        if not family.counts:
            family.counts = {what: getattr(event.post, what) or 0 for what in COUNTS}

    def _delete(self, family: Family) -> None:
        family.deleted = True
        family.versions, family.counts, family.counted_at = [], {}, 0

    def _account_gone(self, event: AccountGone) -> None:
        account = (event.network, event.author_id)
        for family in self._all():
            gone = [v for v in family.versions if (v.post.network, v.post.author_id) == account]
            family.versions = [v for v in family.versions if v not in gone]
            family.gone_at |= {v.at for v in gone}
            if (gone or account in family.went_with) and not event.diverged:
                self._delete(family)
            if gone:
                family.went_with.add(account)
        if not event.diverged:
            self.gone_before[account] = max(event.at, self.gone_before.get(account, event.at))

    def _is_repeated(self, family: Family, event: Created | Edited) -> bool:
        """Whether an event repeats a version that went with its account; a time in the future proves nothing."""
        return event.at in family.gone_at or (bool(family.gone_at) and event.at > times.now())

    def _refused(self, event: Created | Edited) -> bool:
        return event.at < self.gone_before.get((event.network, event.post.author_id), event.at)

    def _counted(self, event: CountsChanged) -> None:
        family = self._family((event.network, event.id))
        if family.versions and event.at >= family.counted_at:
            seen = {what: getattr(event, what) for what in COUNTS}
            family.counts |= {what: count for what, count in seen.items() if count is not None}
            family.counted_at = event.at

    def _reacted(self, event: Reacted) -> None:
        key, record = (event.network, event.id), (event.network, event.record)
        if self._family(key).versions and record not in self.reactions:
            self.reactions[record] = (key, "likes" if event.what == "like" else "reposts")
            self._react(self.reactions[record], 1, event.at)

    def _react(self, reaction: tuple[Key, str] | None, step: int, at: int) -> None:
        if reaction is not None and self._family(reaction[0]).versions:
            family, what = self._family(reaction[0]), reaction[1]
            family.counts[what] = max(0, family.counts[what] + step)
            family.counted_at = max(at, family.counted_at)

    # Reading

    def _all(self) -> list[Family]:
        return list({id(family): family for family in self.families.values()}.values())

    def stored(self) -> int:
        """Number of posts stored, visible or not; all versions of an edited one count as one."""
        return len([family for family in self._all() if family.versions])

    def visible(self, as_of: int | None = None) -> dict[Key, Post]:
        """The version of each visible post that was current at a time, by the (network, id) of that version."""
        shown: dict[Key, Post] = {}
        for family in self._all():
            versions = family.ordered()
            for place, version in enumerate(versions):
                later = [v.at for v in versions[place + 1 :]]
                current = not later if as_of is None else version.at <= as_of < min(later, default=as_of + 1)
                if current and not self._is_hidden(family, version.post):
                    shown[version.post.network, version.post.id] = version.post
        return shown

    def _is_hidden(self, family: Family, post: Post) -> bool:
        newest = family.ordered()[-1].post
        for (key, reason), hidden in self.hidden.items():
            if hidden and key in family.ids and (reason != "edited" or key[1] == newest.id):
                return True
        account = (post.network, post.author_id)
        return any(hidden and key == account for (key, _), hidden in self.account_hidden.items())

    def counts(self, key: Key) -> dict[str, int]:
        """`likes`, `reposts`, `replies`, `quotes` of a stored post now. KeyError if it is not stored."""
        if not self._family(key).versions:
            raise KeyError(key)
        return dict(self._family(key).counts)

    def handle(self, network: str, author_id: str) -> str | None:
        """The handle the author took last, if the events named one."""
        return self.handles.get((network, author_id))


def fold(events: Iterable[Event]) -> State:
    """The state after these events, in the order they were acknowledged."""
    state = State()
    for event in events:
        state.apply(event)
    return state
