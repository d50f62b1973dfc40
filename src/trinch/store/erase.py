"""Erase posts for good: from the log, its write-ahead log, the index files and rejected input, with a certificate.

Deleting a post hides it and empties its body at once. Its words then remain in the segments of the index, and its
bytes in the write-ahead log, until both are rewritten; that is what this module makes happen and proves.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from trinch.posts.schema import Deleted, Post
from trinch.posts.text import tokens
from trinch.posts.times import iso, now
from trinch.store import indexer, rejects
from trinch.store.apply_events import key_of
from trinch.store.certificates import Certificate, keep
from trinch.store.database import StoreError
from trinch.store.log import Version
from trinch.store.query import Has, Node, normalized, parse, wanted_words
from trinch.store.query_eval import Candidate, matches
from trinch.store.rejects import REJECTED
from trinch.store.store import Store

WAIT = 600.0
"""Seconds to wait for the process that writes the index, or that reads the log."""


def erase(
    store: Store,
    *,
    id: str = "",
    author: str = "",
    query: str = "",
    dry_run: bool = False,
) -> Certificate:
    """Erase the post with an id, all posts of an author, or all that match a query, hidden or not.

    Exactly one of the three is given. Raises QueryError for a bad query and StoreError if another process keeps
    the files in use for too long; the posts are then deleted and not visible, but not yet erased."""
    started = time.monotonic()
    store.catch_up()
    requested = f"id {id}" if id else f"author {author}" if author else f"query {query}"
    certificate = Certificate(requested, iso(now()) or "", dry_run)
    found = _versions(store, id, author, query)
    keys = dict.fromkeys((v.post.network, v.post.id) for v in found)
    if id and not found:  # unknown: it is barred all the same
        network, _, bare = id.partition(":")
        keys = {(network, bare): None} if bare and network in store.log.networks() else {}
    certificate.ids = [key_of(*key) for key in keys]
    certificate.versions = len(found)
    stored = store.log.stored_bodies([version.seq for version in found])
    if dry_run:
        return certificate
    store.log.append([Deleted(at=now(), network=network, id=one) for network, one in keys])
    if author:
        store.log.erase_handles({key_of(v.post.network, v.post.author_id) for v in found})
    certificate.rejected_lines = _erase_rejected(store.data / REJECTED, id, author, query, found)
    purge(store, [version.seq for version in found] or None)  # none: perhaps an earlier run was cut short
    _verify(certificate, store.data, [version.post for version in found], stored)
    certificate.seconds = round(time.monotonic() - started, 3)
    keep(store.data, _without_request_text(certificate))
    return certificate


def _without_request_text(certificate: Certificate) -> Certificate:
    """The certificate as it is kept: the words of a query may be what was to be erased."""
    kind = certificate.requested.split(" ", 1)[0]
    return msgspec.structs.replace(certificate, requested=kind if kind != "id" else certificate.requested)


def _versions(store: Store, id: str, author: str, query: str) -> list[Version]:
    """All stored versions of the posts asked for, visible or not."""
    if id:
        return list(store.log.versions(store.log.seqs_of(id)).values())
    node: Node = Has("from", author.lower().removeprefix("@")) if author else normalized(parse(query))
    compiled = store.index.queries.compile(node, now(), store.log)
    candidates = store.index.all_positions(compiled)
    moment, found = now(), list[Version]()
    for start in range(0, len(candidates), 1000):
        for version in store.log.versions(candidates[start : start + 1000]).values():
            if matches(node, Candidate(version.post, version.at), moment):
                found += store.log.versions(
                    store.log.seqs_of(key_of(version.post.network, version.post.id))
                ).values()
    return list({version.seq: version for version in found}.values())


def purge(store: Store, seqs: Sequence[int] | None = None) -> None:
    """Remove erased posts from the index files and the write-ahead log, here or in the process that writes them.

    `seqs`: their positions; None: all, after applying the rules of retention. Raises StoreError if others keep the
    files in use for too long."""
    deadline = time.monotonic() + WAIT
    indexer.request_purge(store.data, seqs)
    while not indexer.purge_if_requested(store.log, store.index, store.data):
        if time.monotonic() > deadline:
            raise StoreError(
                "the posts are deleted, but another process keeps the index in use: their words may remain in its"
                " files until that process merges them. Run the same command again later"
            )
        time.sleep(0.2)
    while not store.log.checkpoint():
        if time.monotonic() > deadline:
            raise StoreError(
                "the posts are deleted, but another process keeps reading the log: their bytes may remain in its"
                " write-ahead log. Run the same command again later"
            )
        time.sleep(0.2)


def _erase_rejected(path: Path, id: str, author: str, query: str, found: Sequence[Version]) -> int:
    """Remove from the rejected input every line that contains an erased id, author, text or all words asked for."""
    needles = {version.post.id for version in found} | {version.post.text for version in found}
    needles |= {id.partition(":")[2] or id, author.removeprefix("@")}
    lowered = {needle.lower() for needle in needles if needle}
    words = set(wanted_words(normalized(parse(query)))) if query else set()

    def concerns(text: str) -> bool:
        folded = text.lower()
        return any(needle in folded for needle in lowered) or bool(words and words <= set(tokens(folded)))

    return rejects.erase_lines(path, concerns)


def _verify(certificate: Certificate, folder: Path, posts: Iterable[Post], stored: Iterable[bytes]) -> None:
    """Search every file of the folder for the texts of the erased posts, and for their bodies as the log `stored` them."""
    needles = [needle for post in posts if (needle := msgspec.json.encode(post.text)[1:-1])]
    needles += stored
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        certificate.files_searched += 1
        certificate.bytes_searched += len(content)
        if any(needle in content for needle in needles):
            certificate.files_with_text.append(str(file.relative_to(folder)))
