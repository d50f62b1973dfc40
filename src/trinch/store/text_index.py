"""The text index: a tantivy index of every stored version of every post.

It stores no text: a document leads to a position in the log. It may lag behind the log and may contain what the
log has hidden since, so every result is checked against the log (`Log.visible`) before it is shown.
"""

import re
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import tantivy
from tantivy import Query

from trinch.posts import schema as ev
from trinch.posts.text import joined_terms
from trinch.store.database import StoreError
from trinch.store.facets import joined_facets
from trinch.store.log import Entry, Version
from trinch.store.purge_marks import PurgeMarks
from trinch.store.query_compile import QueryCompiler, all_of
from trinch.store.query_eval import number_of, time_of
from trinch.system import lock

HEAP = 128_000_000
"""Bytes tantivy may use before it writes a segment by itself."""

FORMAT = 4
"""Version of the schema below and of the files beside it; an index of another one is built again."""

INDEX = "text"
"""Folder of the index inside the folder of a store."""

_LOCK = ".tantivy-writer.lock"
_SPACE = re.compile(r"[ \t\n\f\r]")
"""Where tantivy's tokenizer `whitespace` splits."""


class Found(NamedTuple):
    """A candidate: its position in the log, its time (`UNDATED` without one), its BM25 score (0 when sorted by time)."""

    seq: int
    at: int
    score: float


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("facets", tokenizer_name="whitespace", index_option="basic")
    builder.add_integer_field("seq", indexed=True, fast=True)
    builder.add_integer_field("at", fast=True)
    builder.add_integer_field("number", fast=True)
    return builder.build()


_analyzed = lru_cache(maxsize=20_000)(joined_terms)  # reposts have the same text again and again


_SCHEMA = _schema()


def document(seq: int, at: int, post: ev.Post) -> tantivy.Document:
    """A post as tantivy indexes it, with its attached texts."""
    values: dict[str, str | int | list[str]] = {
        "text": _analyzed(post.text, post.lang),
        "facets": joined_facets(post),
        "seq": seq,
        "at": time_of(post, at),
    }
    if post.attached:  # values of their own: no phrase reaches over two
        attached = [joined_terms(one.text, post.lang) for one in post.attached]
        values["text"] = [_analyzed(post.text, post.lang), *attached]
    if (number := number_of(post)) is not None:
        values["number"] = number
    return tantivy.Document.from_dict(values, _SCHEMA)  # at once: half the cost of one call a value


def read_position(path: Path) -> int:
    """How far the index in a folder says that it has consumed the log; cheap enough to poll."""
    return _read_number(path / "position")


def read_applied(path: Path) -> int:
    """How far the writer of the index in a folder has read the log, committed or not; cheap enough to poll."""
    return _read_number(path / "applied")


def _read_number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (FileNotFoundError, ValueError):
        return 0


def read_owner(path: Path) -> tuple[int, str]:
    """Format of the index in a folder and identity of the store it was built from; (0, "") if it does not say."""
    try:
        version, owner = (path / "owner").read_text().split()
        return int(version), owner
    except (FileNotFoundError, ValueError):
        return 0, ""


@contextmanager
def _writer_lock(path: Path, trouble: Exception) -> Iterator[None]:
    """Tantivy's own writer lock, while its index cannot be opened. StoreError where another process holds it."""
    with (path / _LOCK).open("a") as file:
        if not lock(file, wait=False):
            reason = f"the index in {path} cannot be used ({trouble}), and another process is writing to it"
            raise StoreError(f"{reason}: end that process, then try again")
        yield


def _is_panic(error: BaseException) -> bool:
    return type(error).__name__ == "PanicException"


@contextmanager
def _panics_as_errors(path: Path) -> Iterator[None]:
    """Tantivy panics on some damaged files; in Python that is not even an Exception. Raises StoreError instead."""
    try:
        yield
    except BaseException as error:
        if not _is_panic(error):
            raise
        raise StoreError(
            f"the index in {path} is damaged ({error}). Nothing is lost: `trinch rebuild` makes it again from the log"
        ) from None


class Links:
    """A temporary folder of symbolic links to the files of an index.

    Tantivy makes lock files beside the files that it reads, also to only read them."""

    def __init__(self, path: Path) -> None:
        """Raises StoreError where there is no folder for temporary files."""
        self._path = path
        try:
            self._temporary = tempfile.TemporaryDirectory(prefix="trinch-index-")
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written, and neither can a folder for temporary files ({error.strerror}): free"
                " some space, or set TMPDIR to a folder that can be written. Nothing was changed"
            ) from None
        self.folder = Path(self._temporary.name)
        self.update()

    def update(self) -> None:
        """Link the files that are new."""
        for file in self._path.iterdir():
            link = self.folder / file.name
            if not file.name.endswith(".lock") and not link.is_symlink():
                link.symlink_to(file.absolute())


class TextIndex:
    """The index in a folder; readable by many processes while one writes."""

    def __init__(self, path: Path) -> None:
        """Open or create the index; a damaged one is emptied, to be built again from the log."""
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._schema = _SCHEMA
        self._links: Links | None = None
        """Set where the folder cannot be written: then the index is opened through links."""
        try:
            self._index = self._open(path)
        except ValueError as error:
            if "Lockfile" in str(error):
                self._index = self._open_read_only(path)
            else:  # of an older version, or damaged: the log has all it takes to build it again
                with _writer_lock(path, error):
                    self._index = self._open_emptied(path)
        self.queries = QueryCompiler(self._schema)
        self._meta = path / "meta.json"
        self._marks = PurgeMarks(path)
        self._stamp: tuple[int, int] | None = None
        self._doc_freqs: dict[str, int] = {}
        self._writer: tantivy.IndexWriter | None = None
        self._uncommitted: set[int] = set()
        """Positions of the documents added since the last commit."""

    def _open(self, path: Path) -> tantivy.Index:
        """Raises ValueError for an index that cannot be used."""
        if not (path / "meta.json").exists() and any(path.glob("*.store")):
            raise ValueError("meta.json is missing")
        try:
            index = tantivy.Index(self._schema, path=str(path))
            index.config_reader(reload_policy="manual")
        except BaseException as error:
            if not _is_panic(error):
                raise
            raise ValueError(f"damaged: {error}") from None
        return index

    def _open_read_only(self, path: Path) -> tantivy.Index:
        """Open an index in a folder that cannot be written. Raises StoreError."""
        self._links = Links(path)
        try:
            return self._open(self._links.folder)
        except ValueError as error:
            raise StoreError(
                f"the index in {path} cannot be used ({error}), and the folder cannot be written, so it cannot be built"
                " again here: copy the store to a folder that can"
            ) from None

    def _open_emptied(self, path: Path) -> tantivy.Index:
        """Delete an unusable index and begin anew; `meta.json` goes last, so that no other process opens a half."""
        try:
            return self._open(path)  # another process was quicker
        except ValueError:
            for file in sorted(path.iterdir(), key=lambda file: file.name == "meta.json"):
                if file.name != _LOCK:
                    file.unlink()
            return self._open(path)

    @property
    def is_read_only(self) -> bool:
        """Whether the folder cannot be written."""
        return self._links is not None

    # ------------------------------------------------------------------ writing

    def try_write(self) -> bool:
        """Become the writer. False when another process is, which then does the work, or in a read-only folder."""
        if self.is_read_only:
            return False
        if self._writer is None:
            try:
                self._writer = self._index.writer(heap_size=HEAP, num_threads=1)
            except ValueError as error:
                if "LockBusy" not in str(error):
                    raise
                return False
        return True

    def position(self) -> int:
        """How far the log was consumed: everything up to here is in the index and committed.

        The file is written after the commit, so it may be behind by one commit but never ahead. A commit is all or
        nothing, so everything up to the newest document is in the index, too.
        """
        newest = self._searcher().search(Query.all_query(), limit=1, count=False, order_by_field="seq").hits
        return max(read_position(self._path), newest[0][0] if newest else 0)

    def belongs_to(self, identity: str) -> bool:
        """Whether the index was built from the store of this identity, in the present format.

        An index that does not say so is taken for one of the store if it is empty."""
        version, owner = read_owner(self._path)
        return (version, owner) == (FORMAT, identity) or (not owner and self.count() == 0)

    def set_owner(self, identity: str) -> None:
        """Note which store the index is built from."""
        self._marks.begin(is_empty=self.count() == 0)
        self._replace_file("owner", f"{FORMAT} {identity}")

    def _replace_file(self, name: str, text: str) -> None:
        temporary = self._path / f"{name}.new"
        temporary.write_text(text)
        temporary.replace(self._path / name)

    def apply(self, entries: Iterable[Entry], current: Callable[[list[int]], dict[int, Version]]) -> None:
        """Apply log entries, in order. `current` returns the present state of posts, hidden or not, by position."""
        writer = self._open_writer()
        counted, erased = set[int](), list[int]()
        for entry in entries:
            match entry.event:
                case ev.Created(post=post) | ev.Edited(post=post):
                    writer.add_document(document(entry.seq, entry.at, post))
                    self._uncommitted.add(entry.seq)
                    counted.update(entry.refs)
                case ev.Deleted() | ev.AccountGone() | None:  # None: erased, or a removal by retention
                    for seq in entry.refs:
                        writer.delete_documents_by_term("seq", seq)
                    erased += entry.refs
                case ev.CountsChanged() | ev.Reacted() | ev.Unreacted():
                    counted.update(entry.refs)
                case ev.PlacesErased():
                    counted.update(entry.refs)
                    erased += entry.refs
                case _:
                    pass  # hiding and restoring concern the log alone
        for version in current(sorted(counted)).values():
            writer.delete_documents_by_term("seq", version.seq)
            writer.add_document(document(*version))
        if erased:
            self._mark_erased(erased)

    def _mark_erased(self, erased: Iterable[int]) -> None:
        """Note the segments of documents whose deletion is about to be committed."""
        searcher, ids = self._searcher_and_segments()
        places: dict[int, str | None] = {}
        for seq in erased:
            query = Query.term_query(self._schema, "seq", seq)
            hits = searcher.search(query, limit=1, count=False).hits
            if hits:
                places[seq] = ids[hits[0][1].segment_ord]
            elif seq in self._uncommitted:  # in no segment yet
                places[seq] = None
        if places:
            self._marks.add(places, ids)

    def _searcher_and_segments(self) -> tuple[tantivy.Searcher, list[str]]:
        """A searcher, and the ids of its segments in its order."""
        while True:
            searcher = self._searcher()
            segments = msgspec.json.decode(self._meta.read_bytes())["segments"]
            if self._stamp == self._read_stamp():  # no merge ended meanwhile
                return searcher, [segment["segment_id"] for segment in segments]

    def commit(self, position: int) -> None:
        """Make what was applied durable and visible, then note how far the log is consumed."""
        self._open_writer().commit()
        self._uncommitted.clear()
        self._replace_file("position", str(position))

    def note_applied(self, position: int) -> None:
        """Note how far the log is read, for whoever appends to it: see `read_applied`."""
        self._replace_file("applied", str(position))

    def clear(self) -> None:
        """Remove all documents."""
        self._open_writer().delete_all_documents()
        self.commit(0)
        self.note_applied(0)
        self._marks.forget(None)

    def purge(
        self, current: Callable[[list[int]], dict[int, Version]], wanted: Collection[int] | None = None
    ) -> int:
        """Remove the terms of erased documents (None: of all) from the files. Returns how many were indexed anew.

        A segment with deleted documents keeps their terms until it is merged. Tantivy's Python binding cannot force
        a merge, so the other documents of such segments are indexed anew from the log: the old segment is then
        empty, and its files are deleted."""
        self._open_writer().commit()
        self._finish_merges()
        writer = self._open_writer()
        seqs = self._beside_erased(wanted)
        for start in range(0, len(seqs), 4000):
            for version in current(seqs[start : start + 4000]).values():
                writer.delete_documents_by_term("seq", version.seq)
                writer.add_document(document(*version))
        writer.commit()
        self._finish_merges()
        self._open_writer().garbage_collect_files()
        self._marks.forget(wanted)
        _analyzed.cache_clear()
        return len(seqs)

    def _finish_merges(self) -> None:
        """Wait for the merges that are under way, then go on writing when it is our turn."""
        self.close()
        while not self.try_write():
            time.sleep(0.1)

    def _beside_erased(self, wanted: Collection[int] | None) -> list[int]:
        """Positions of the documents that share a segment with an erased one."""
        searcher, ids = self._searcher_and_segments()
        marked = self._marks.marked(ids, wanted)
        segments = msgspec.json.decode(self._meta.read_bytes())["segments"]
        touched = {
            place
            for place, segment in enumerate(segments)
            if segment["segment_id"] in marked and (segment["deletes"] or {}).get("num_deleted_docs", 0)
        }
        if not touched:
            return []
        hits = searcher.search(Query.all_query(), limit=max(1, searcher.num_docs), count=False).hits
        addresses = [address for _, address in hits if address.segment_ord in touched]
        return [int(seq or 0) for seq in searcher.fast_field_values("seq", addresses)]

    def close(self) -> None:
        """Let another process write. Merges that are under way are finished first."""
        if self._writer is not None:
            self._writer.wait_merging_threads()
            self._writer = None

    def _open_writer(self) -> tantivy.IndexWriter:
        if self._writer is None:
            raise RuntimeError("call try_write first")
        return self._writer

    # ------------------------------------------------------------------ reading

    def _read_stamp(self) -> tuple[int, int]:
        stat = self._meta.stat()
        return stat.st_mtime_ns, stat.st_ino

    def _searcher(self) -> tantivy.Searcher:
        stamp = self._read_stamp()
        if stamp != self._stamp:
            if self._links is not None:
                self._links.update()
            with _panics_as_errors(self._path):
                self._index.reload()
            self._stamp = stamp
            self._doc_freqs.clear()
        return self._index.searcher()

    def search(self, query: Query, limit: int, *, latest: bool = False) -> list[Found]:
        """The best, or the newest, `limit` candidates."""
        searcher = self._searcher()
        limit = max(1, min(limit, searcher.num_docs))  # tantivy allocates room for `limit`
        order = "at" if latest else None
        with _panics_as_errors(self._path):
            hits = searcher.search(query, limit=limit, count=False, order_by_field=order).hits
            addresses = [address for _, address in hits]
            seqs = searcher.fast_field_values("seq", addresses)
            times = [key for key, _ in hits] if latest else searcher.fast_field_values("at", addresses)
        scores = [0.0 if latest else score for score, _ in hits]
        return [
            Found(int(s or 0), int(t or 0), score) for s, t, score in zip(seqs, times, scores, strict=True)
        ]

    def all_positions(self, query: Query | None) -> list[int]:
        """Positions of all candidates of a query; of all documents if it is None."""
        wanted = query or Query.all_query()
        number = self._searcher().search(wanted, limit=1, count=True).count  # type: ignore[attr-defined]  # missing in its stub
        return [found.seq for found in self.search(wanted, max(1, number or 0))]

    def count(self) -> int:
        """Number of documents."""
        return self._searcher().num_docs

    def doc_freq(self, term: str) -> int:
        """Number of documents that contain a term of `posts.text.terms`."""
        searcher = self._searcher()
        if term not in self._doc_freqs:
            self._doc_freqs[term] = searcher.doc_freq("text", term)
        return self._doc_freqs[term]

    def common_tags(self, limit: int) -> list[str]:
        """The most frequent hashtags, with their sign."""
        return list(self.tag_counts(limit))

    def tag_counts(self, limit: int) -> dict[str, int]:
        """The most frequent hashtags, with their sign, and the number of posts of each."""
        found = self._searcher().terms_with_prefix("text", "#", Query.all_query())
        return dict(sorted(found, key=lambda pair: (-pair[1], pair[0]))[:limit])

    def positions_of_author(self, network: str, author_id: str, seq: int) -> list[int]:
        """Positions before `seq` of posts that an author may have written: all of that id's, and those of anybody
        whose handle looks like it."""
        queries = self.queries
        author = _SPACE.split(f"from:{author_id.lower()}")[0]
        query = all_of([queries.facet(f"net:{network}"), queries.facet(author), queries.before(seq)])
        return self.all_positions(query or Query.empty_query())
