"""Erase posts for good: from the log, its write-ahead log, the index files and rejected input, with a certificate.

Deleting a post hides it and empties its body at once. Its words then remain in the segments of the index, and its
bytes in the write-ahead log, until both are rewritten; that is what this module makes happen and proves.
"""

import base64
import binascii
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from trinch.posts.schema import Deleted, Post
from trinch.posts.text import tokens
from trinch.posts.times import iso, now
from trinch.store import indexer
from trinch.store.apply_events import key_of
from trinch.store.database import StoreError
from trinch.store.log import Version
from trinch.store.query import Has, Node, normalized, parse, wanted_words
from trinch.store.query_eval import Candidate, matches
from trinch.store.store import Store
from trinch.store.writer import REJECTED

CERTIFICATES = "erasures.jsonl"
"""File name of the certificates inside the folder of a store."""

WAIT = 600.0
"""Seconds to wait for the process that writes the index, or that reads the log."""


class Certificate(msgspec.Struct):
    """What was erased, when, and how that was verified."""

    requested: str
    at: str
    dry_run: bool = False
    ids: list[str] = []
    """Network and id of each post."""
    versions: int = 0
    rejected_lines: int = 0
    seconds: float = 0.0
    files_searched: int = 0
    bytes_searched: int = 0
    files_with_text: list[str] = []
    """Files of the folder that still contain the text of an erased post; empty is the proof."""


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
    if dry_run:
        return certificate
    store.log.append([Deleted(at=now(), network=network, id=one) for network, one in keys])
    if author:
        store.log.erase_handles({key_of(v.post.network, v.post.author_id) for v in found})
    _purge(store)
    certificate.rejected_lines = _erase_rejected(store.data / REJECTED, id, author, query, found)
    _verify(certificate, store.data, [version.post for version in found])
    certificate.seconds = round(time.monotonic() - started, 3)
    with (store.data / CERTIFICATES).open("ab") as file:
        file.write(msgspec.json.encode(_without_request_text(certificate)) + b"\n")
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


def _purge(store: Store) -> None:
    """Remove deleted posts from the index files and the write-ahead log, here or in the process that writes them."""
    deadline = time.monotonic() + WAIT
    indexer.request_purge(store.data)
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
    if not path.exists():
        return 0
    needles = {version.post.id for version in found} | {version.post.text for version in found}
    needles |= {id.partition(":")[2] or id, author.removeprefix("@")}
    lowered = {needle.lower() for needle in needles if needle}
    words = set(wanted_words(normalized(parse(query)))) if query else set()
    kept, removed = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        text = _readable(line).lower()
        if any(needle in text for needle in lowered) or (words and words <= set(tokens(text))):
            removed += 1
        else:
            kept.append(line)
    if removed:
        temporary = path.with_suffix(".new")
        temporary.write_bytes(b"".join(kept))
        temporary.replace(path)
    return removed


def _readable(line: bytes) -> str:
    """A rejected line with its raw input decoded, escapes included."""
    try:
        record = msgspec.json.decode(line, type=dict[str, str | int | None])
        raw = str(record.get("raw") or "")
        raw += base64.b64decode(str(record.get("raw_base64") or "")).decode(errors="replace")
    except (msgspec.DecodeError, binascii.Error):
        return line.decode(errors="replace")
    unescaped = raw.encode("ascii", "backslashreplace").decode("unicode_escape", errors="replace")
    return f"{raw}\n{unescaped}"


def _verify(certificate: Certificate, folder: Path, posts: Iterable[Post]) -> None:
    """Search every file of the folder for the texts of the erased posts."""
    needles = [needle for post in posts if (needle := msgspec.json.encode(post.text)[1:-1])]
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        certificate.files_searched += 1
        certificate.bytes_searched += len(content)
        if any(needle in content for needle in needles):
            certificate.files_with_text.append(str(file.relative_to(folder)))
