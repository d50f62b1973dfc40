"""What X says must no longer be shown: the compliance streams (v2 and enterprise) and batch results.

A time that cannot be read is taken for now: it must not keep a removed post visible. Source: X's "Compliance Data
Objects". Ids are read from `id_str`, as `id` of the enterprise form is rounded.
An account's deletion can be taken back for 30 days, so it hides; what X erases for good is `delete`.
"""

from typing import Annotated

import msgspec

from trinch.posts import times
from trinch.posts.notes import Notes
from trinch.posts.schema import (
    AccountHidden,
    AccountRenamed,
    AccountRestored,
    Deleted,
    Event,
    Hidden,
    Malformed,
    PlacesErased,
    Restored,
)
from trinch.posts.wire import Time, moment


class Ref(msgspec.Struct, gc=False):
    id_str: str | None = None
    id: int | str | None = None


class Body(msgspec.Struct):
    """The body of any event of either stream; which fields are there depends on the event."""

    tweet: Ref | None = None
    status: Ref | None = None
    user: Ref | None = None
    id_str: str | None = None
    id: int | str | None = None
    user_id_str: str | None = None
    user_id: int | str | None = None
    edit_tweet_ids: list[str] | None = None
    profile_field: str | None = None
    new_value: str | None = None
    up_to_tweet_id: int | str | None = None
    up_to_tweet_id_str: str | None = None
    up_to_status_id: int | str | None = None
    up_to_status_id_str: str | None = None
    event_at: Time = None
    timestamp_ms: Time = None
    timestampMs: Time = None  # noqa: N815  (X's spelling)


class Batch(msgspec.Struct):
    """One line of a batch compliance job's result."""

    id: Annotated[str, msgspec.Meta(min_length=1)]
    action: str
    reason: str = ""
    redacted_at: Time = None


_HIDE = {"drop": "dropped", "withheld": "withheld", "status_withheld": "withheld"}
_SHOW = {"undrop": "dropped"}
_HIDE_ACCOUNT = {
    "user_delete": "deleted",
    "user_protect": "protected",
    "user_suspend": "suspended",
    "user_withheld": "withheld",
}
_SHOW_ACCOUNT = {"user_undelete": "deleted", "user_unprotect": "protected", "user_unsuspend": "suspended"}
_OTHER = {"delete", "tweet_edit", "scrub_geo", "user_profile_modification"}
KINDS = frozenset({*_HIDE, *_SHOW, *_HIDE_ACCOUNT, *_SHOW_ACCOUNT, *_OTHER})


def events(kind: str, body: Body, notes: Notes | None = None) -> list[Event]:
    """The events of a body; `kind` is one of `KINDS`."""
    at = _at(kind, body, notes)
    if kind == "scrub_geo":
        upto = (
            body.up_to_tweet_id_str or body.up_to_status_id_str or body.up_to_tweet_id or body.up_to_status_id
        )
        return [PlacesErased(at=at, network="x", author_id=_user_id(kind, body), upto=str(upto or ""))]
    if kind == "delete":
        return [Deleted(at=at, network="x", id=_post_id(kind, body))]
    if kind in _HIDE:
        return [Hidden(at=at, network="x", id=_post_id(kind, body), reason=_HIDE[kind])]
    if kind in _SHOW:
        return [Restored(at=at, network="x", id=_post_id(kind, body), reason=_SHOW[kind])]
    if kind in _HIDE_ACCOUNT:
        hide = _HIDE_ACCOUNT[kind]
        return [AccountHidden(at=at, network="x", author_id=_user_id(kind, body), reason=hide)]
    if kind in _SHOW_ACCOUNT:
        show = _SHOW_ACCOUNT[kind]
        return [AccountRestored(at=at, network="x", author_id=_user_id(kind, body), reason=show)]
    if kind == "tweet_edit":
        # The new text comes with the post itself; until then the superseded versions are hidden.
        newest = _post_id(kind, body)
        older = [id for id in body.edit_tweet_ids or () if id and id != newest]
        return [Hidden(at=at, network="x", id=id, reason="edited") for id in older]
    field = (body.profile_field or "").rpartition(".")[2]
    if field in ("screen_name", "username", "handle") and body.new_value:
        author = body.new_value.removeprefix("@")
        return [AccountRenamed(at=at, network="x", author_id=_user_id(kind, body), author=author)]
    return []


def batch_events(batch: Batch, notes: Notes | None = None) -> list[Event]:
    """A result line does not say whether its id is of a post or of an account (the two kinds of job look
    alike), so both are hidden; an id of the other kind matches nothing."""
    redacted_at = moment(batch.redacted_at, "redacted_at", notes)
    at = times.now() if redacted_at is None else redacted_at
    if batch.reason == "scrub_geo":
        return [PlacesErased(at=at, network="x", author_id=batch.id)]
    reason = batch.reason or "deleted"
    account = AccountHidden(at=at, network="x", author_id=batch.id, reason=reason)
    if reason == "deleted":
        return [Deleted(at=at, network="x", id=batch.id), account]
    return [Hidden(at=at, network="x", id=batch.id, reason=reason), account]


def _at(kind: str, body: Body, notes: Notes | None) -> int:
    for name in ("event_at", "timestamp_ms", "timestampMs"):
        at = moment(getattr(body, name), f"{kind}.{name}", notes)
        if at is not None:
            return at
    return times.now()


def _post_id(kind: str, body: Body) -> str:
    return _id(kind, body.tweet or body.status or Ref(body.id_str, body.id))


def _user_id(kind: str, body: Body) -> str:
    return _id(kind, body.user or Ref(body.user_id_str or body.id_str, body.user_id or body.id))


def _id(kind: str, ref: Ref) -> str:
    id = ref.id_str or str(ref.id)
    if not (id.isascii() and id.isdigit()):
        raise Malformed(f"{kind}: expected the id of a post or user, got {id[:40]!r}")
    return id
