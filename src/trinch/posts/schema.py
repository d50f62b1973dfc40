"""Schema of a post and of everything that can happen to it.

Every wire format turns bytes into these events (see `formats.py`); the log stores them; every index consumes them.

Times are UTC, integer microseconds since 1970. `at` is when the event happened as far as the source says: the time
witnessed by a live relay, else the time written in the payload, else the time of reading. "The store as of T" is
made of the events with `at <= T`.

A post without a time (`created_at` is None) is undated. Its event carries the time of reading, which orders the log and
is never shown as the post's.
"""

from typing import TypeAlias

import msgspec

from trinch.errors import TrinchError

UNDATED = -(2**62)
"""The time of an undated post where times are compared: before every other."""


# Nothing here can be part of a cycle of references, so the garbage collector need not look at it (`gc=False`).


class Attached(msgspec.Struct, frozen=True, gc=False):
    """Text that belongs to a post but is not in its own text."""

    kind: str
    """`poll` (an option), `image` (the description of an image, video or sound), `card` (title or summary of a linked
    page), `note` (a note of the community)."""
    text: str


class Post(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One version of one post, in the same shape whatever network it came from.

    `id` is the network's own id (an X number, an at:// URI, a Mastodon `uri`); (network, id) is unique.
    `text` is plain text: entities and HTML already decoded, short links as written.
    `urls` are the links in their longest known form. Empty string or None: the source does not say.
    """

    network: str
    id: str
    created_at: int | None = None
    """What the author claims; may be wrong. Events carry the time witnessed. None: the post is undated."""
    text: str
    lang: str = "und"
    """ISO 639-1 code (BCP 47 primary subtag), `und` where unknown."""
    author_id: str = ""
    """The network's permanent id of the author; handles change, this does not."""
    author: str = ""
    """Handle, without `@`."""
    author_name: str = ""
    author_followers: int | None = None
    author_verified: bool | None = None
    url: str = ""
    """Where a person can read it."""
    reply_to: str = ""
    """Id of the post answered, same network."""
    reply_to_author: str = ""
    """Handle (or id where the handle is unknown) of the author answered."""
    repost_of: str = ""
    quote_of: str = ""
    conversation_id: str = ""
    urls: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    """Kinds of attached media: `image`, `video`, `gif`, `audio`."""
    mentions: tuple[str, ...] = ()
    """Handles or ids of those mentioned, where the source lists them apart from the text."""
    tags: tuple[str, ...] = ()
    """Hashtags the source lists apart from the text, without `#`."""
    attached: tuple[Attached, ...] = ()
    """Poll options, image descriptions, cards and notes: found by search, shown apart from `text`."""
    place: str = ""
    """Name of the place that the author attached, as the network writes it."""
    country: str = ""
    """Of that place: ISO 3166-1 alpha-2."""
    latitude: float | None = None
    """Degrees north, WGS 84; of the post, else the middle of its place."""
    longitude: float | None = None
    """Degrees east, WGS 84; there is none without `latitude`."""
    sensitive: bool = False
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    quotes: int | None = None


class _Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False, tag_field="kind"):
    at: int
    network: str


class Created(_Event, frozen=True, tag="created"):
    """A post appeared. A second one for the same (network, id) is a duplicate, whatever it holds."""

    post: Post


class Edited(_Event, frozen=True, tag="edited"):
    """A version of a post that was edited. X gives every version an id of its own; other networks keep the id."""

    post: Post
    replaces: tuple[str, ...] = ()
    """All older ids of the post."""
    replaced_by: tuple[str, ...] = ()
    """Newer ids of the post, where the source names them."""


class Deleted(_Event, frozen=True, tag="deleted"):
    """Gone for good: erase every version. The id stays barred, so that a late copy does not come back."""

    id: str


class Hidden(_Event, frozen=True, tag="hidden"):
    """Hidden until a `Restored` with the same reason: `withheld`, `dropped`, `moderated`, `protected`,
    `suspended` … Of reason `edited`: until the newer version arrives."""

    id: str
    reason: str


class Restored(_Event, frozen=True, tag="restored"):
    id: str
    reason: str


class AccountGone(_Event, frozen=True, tag="account_gone"):
    """Erase all posts of this author that precede this event in the log, and refuse late copies of posts from
    before `at`. `diverged` means the source will send again what still exists, so nothing is refused."""

    author_id: str
    diverged: bool = False


class AccountHidden(_Event, frozen=True, tag="account_hidden"):
    """Show nothing of this author until an `AccountRestored` with the same reason: `protected`,
    `suspended`, `deactivated`, `withheld`, `deleted` (where the network allows a return)."""

    author_id: str
    reason: str


class AccountRestored(_Event, frozen=True, tag="account_restored"):
    author_id: str
    reason: str


class AccountRenamed(_Event, frozen=True, tag="account_renamed"):
    """The author is now known by this handle."""

    author_id: str
    author: str


class PlacesErased(_Event, frozen=True, tag="places_erased"):
    """Erase where the posts of this author were written, of those that precede this event in the log. The posts stay."""

    author_id: str
    upto: str = ""
    """Id, a number, of the last post that is meant; empty: all."""


class CountsChanged(_Event, frozen=True, tag="counts_changed"):
    """The counts of a post as seen at `at`; None leaves a count as it was."""

    id: str
    """Empty in the log itself: counts of the posts that the entry refers to crossed a power of two."""
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    quotes: int | None = None


class Reacted(_Event, frozen=True, tag="reacted"):
    """One like or one repost of a known post, as its own record. `record` makes it idempotent."""

    id: str
    """The post liked or reposted."""
    record: str
    what: str
    """`like` or `repost`."""


class Unreacted(_Event, frozen=True, tag="unreacted"):
    """The like or repost of that record was taken back (the source does not repeat what it was of)."""

    record: str


Event: TypeAlias = (
    Created
    | Edited
    | Deleted
    | Hidden
    | Restored
    | AccountGone
    | AccountHidden
    | AccountRestored
    | AccountRenamed
    | PlacesErased
    | CountsChanged
    | Reacted
    | Unreacted
)


class Malformed(TrinchError, ValueError):
    """A line that does not conform to its format. The message is for people and names the field."""
