"""The text index: a tantivy index of every visible version of every post.

Owns its schema, how a post becomes a document, how a query tree becomes a tantivy query, and how log entries
are applied. Stores no text: a document leads to a position in the log. It may lag behind the log and may
hold what the log has hidden since; whoever shows a post asks the log first. Knows nothing of ranking.
"""

import fcntl
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import tantivy
from tantivy import FieldType, Occur, Query

from trinch.posts import schema as ev
from trinch.posts.near_duplicates import sketch
from trinch.posts.text import STEMMED, phrase_terms, query_terms, stem, terms, tokens
from trinch.store.facets import facets, level_terms, wanted_url_terms
from trinch.store.log import Entry, Version
from trinch.store.query import And, AtLeast, Between, Has, Node, Not, Or, Phrase, Words
from trinch.store.query_eval import bounds

HEAP = 128_000_000
"""Bytes tantivy may hold before it writes a segment by itself."""


_LOCK = ".tantivy-writer.lock"
_SPACE = re.compile(r"[ \t\n\f\r]")
"""Where tantivy's tokenizer `whitespace` splits."""


class Found(NamedTuple):
    """A candidate: its position in the log, its time, its BM25 score (0 when sorted by time)."""

    seq: int
    at: int
    score: float


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("facets", tokenizer_name="whitespace", index_option="basic")
    builder.add_integer_field("seq", indexed=True, fast=True)
    builder.add_integer_field("at", fast=True)
    return builder.build()


@lru_cache(maxsize=20_000)  # reposts bring the same text again and again
def _read(text: str, lang: str) -> tuple[str, str]:
    """The terms of a text, and of its sketch."""
    words = terms(text, lang)
    return " ".join(words), " ".join(sketch(words))


def document(seq: int, at: int, post: ev.Post) -> tantivy.Document:
    """A post as tantivy holds it. The sketch of its text stands among the facets: near-copies share a term."""
    words, copies = _read(post.text, post.lang)
    found = tantivy.Document()
    found.add_text("text", words)
    found.add_text("facets", " ".join([*facets(post), copies]))
    found.add_integer("seq", seq)
    found.add_integer("at", at)
    return found


def read_position(path: Path) -> int:
    """How far the index in a folder says that it has consumed the log; cheap enough to ask all the time."""
    try:
        return int((path / "position").read_text())
    except (FileNotFoundError, ValueError):
        return 0


@contextmanager
def _only_writer(path: Path, trouble: ValueError) -> Iterator[None]:
    """Tantivy's own lock, for the time that its index cannot be opened. OSError where somebody holds it."""
    with (path / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reason = f"the index in {path} cannot be used ({trouble}), and another process is writing to it"
            raise OSError(f"{reason}: end that process, then try again") from None
        yield


class Known(Protocol):
    """What a query may have to ask the log."""

    def accounts_named(self, handle: str) -> list[str]: ...
    def seqs_of(self, id: str) -> list[int]: ...


class TextIndex:
    """The index in a folder; readable by many processes while one writes."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._schema = _schema()
        try:
            self._index = self._open(path)
        except (
            ValueError
        ) as error:  # of an older version, or damaged: the log has all it takes to build it again
            with _only_writer(path, error):
                self._index = self._open_emptied(path)
        self._position = path / "position"
        self._meta = path / "meta.json"
        self._stamp: tuple[int, int] | None = None
        self._doc_freqs: dict[str, int] = {}
        self._writer: tantivy.IndexWriter | None = None

    def _open(self, path: Path) -> tantivy.Index:
        """Raises ValueError for what cannot be used."""
        index = tantivy.Index(self._schema, path=str(path))
        index.config_reader(reload_policy="manual")
        return index

    def _open_emptied(self, path: Path) -> tantivy.Index:
        """Take away what is unusable, and begin anew; `meta.json` goes last, so that no other takes half for whole."""
        try:
            return self._open(path)  # another process was quicker
        except ValueError:
            for file in sorted(path.iterdir(), key=lambda file: file.name == "meta.json"):
                if file.name != _LOCK:
                    file.unlink()
            return self._open(path)

    # ------------------------------------------------------------------ writing

    def try_write(self) -> bool:
        """Become the writer. False when another process is: then it does the work."""
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

        The file is written after the commit, so it may be behind by one commit but never ahead. Documents
        tell the rest: a commit is all or nothing, so what precedes the newest document is in, too.
        """
        newest = self._searcher().search(Query.all_query(), limit=1, count=False, order_by_field="seq").hits
        return max(read_position(self._position.parent), newest[0][0] if newest else 0)

    def apply(self, entries: Iterable[Entry], current: Callable[[list[int]], dict[int, Version]]) -> None:
        """Take in log entries, in order. `current` tells how posts stand now, hidden or not, to index them anew."""
        writer = self._writer
        assert writer is not None, "call try_write first"
        counted: set[int] = set()
        for entry in entries:
            match entry.event:
                case ev.Created(post=post) | ev.Edited(post=post):
                    writer.add_document(document(entry.seq, entry.at, post))
                    counted.update(entry.refs)
                case ev.Deleted() | ev.AccountGone():
                    for seq in entry.refs:
                        writer.delete_documents_by_term("seq", seq)
                case ev.CountsChanged() | ev.Reacted() | ev.Unreacted():
                    counted.update(entry.refs)
                case _:
                    pass  # hiding and restoring are the log's business alone
        for version in current(sorted(counted)).values():
            writer.delete_documents_by_term("seq", version.seq)
            writer.add_document(document(*version))

    def commit(self, position: int) -> None:
        """Make what was applied durable and visible, then note how far the log is consumed."""
        assert self._writer is not None, "call try_write first"
        self._writer.commit()
        temporary = self._position.with_suffix(".new")
        temporary.write_text(str(position))
        temporary.replace(self._position)

    def clear(self) -> None:
        """Begin anew."""
        assert self._writer is not None, "call try_write first"
        self._writer.delete_all_documents()
        self.commit(0)

    def close(self) -> None:
        """Let another process write. Merges that are under way are finished first."""
        if self._writer is not None:
            self._writer.wait_merging_threads()
            self._writer = None

    # ------------------------------------------------------------------ reading

    def _searcher(self) -> tantivy.Searcher:
        stat = self._meta.stat()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self._stamp:
            self._index.reload()
            self._stamp = stamp
            self._doc_freqs.clear()
        return self._index.searcher()

    def search(self, query: Query, limit: int, *, latest: bool = False) -> list[Found]:
        """The best, or the newest, `limit` candidates."""
        searcher = self._searcher()
        limit = max(1, min(limit, searcher.num_docs))  # room is made for as many as are asked for
        order = "at" if latest else None
        hits = searcher.search(query, limit=limit, count=False, order_by_field=order).hits
        addresses = [address for _, address in hits]
        seqs = searcher.fast_field_values("seq", addresses)
        times = [key for key, _ in hits] if latest else searcher.fast_field_values("at", addresses)
        scores = [0.0 if latest else score for score, _ in hits]
        return [
            Found(int(s or 0), int(t or 0), score) for s, t, score in zip(seqs, times, scores, strict=True)
        ]

    def count(self) -> int:
        """Documents that can be found."""
        return self._searcher().num_docs

    def doc_freq(self, term: str) -> int:
        """In how many documents a term of `posts.text.terms` stands."""
        searcher = self._searcher()
        if term not in self._doc_freqs:
            self._doc_freqs[term] = searcher.doc_freq("text", term)
        return self._doc_freqs[term]

    def breakdown(self, field: str) -> dict[str, int]:
        """Documents by value of a facet, most frequent first."""
        found = self._searcher().terms_with_prefix("facets", f"{field}:", Query.all_query())
        pairs = sorted(found, key=lambda pair: (-pair[1], pair[0]))
        return {term.split(":", 1)[1]: count for term, count in pairs if count}

    def common_tags(self, limit: int) -> list[str]:
        """The hashtags most posts have, with their sign."""
        found = self._searcher().terms_with_prefix("text", "#", Query.all_query())
        return [term for term, _ in sorted(found, key=lambda pair: (-pair[1], pair[0]))[:limit]]

    def days(self) -> dict[str, int]:
        """Documents by UTC day, oldest first."""
        day = 86_400_000_000
        wanted = {"days": {"histogram": {"field": "at", "interval": day, "min_doc_count": 1}}}
        buckets = self._searcher().aggregate(Query.all_query(), wanted)["days"]["buckets"]
        start = date(1970, 1, 1)
        return {
            (start + timedelta(days=round(bucket["key"] / day))).isoformat(): int(bucket["doc_count"])
            for bucket in buckets
        }

    # ------------------------------------------------------------------ queries

    def _term(self, field: str, value: str) -> Query:
        return Query.term_query(self._schema, field, value)

    def _fact(self, value: str) -> Query:
        return Query.const_score_query(Query.term_query(self._schema, "facets", value, "basic"), 0.0)

    def of_author(self, network: str, author_id: str, seq: int, at: int) -> list[int]:
        """Positions of posts before a position and a time that an author may have written: all of that id's, and
        those of anybody whose handle looks like it."""
        before = Query.range_query(self._schema, "seq", FieldType.Integer, upper_bound=seq - 1)
        written = _SPACE.split(f"from:{author_id.lower()}")[0]
        facts = [self._fact(f"net:{network}"), self._fact(written)]
        query = all_of([*facts, before, self._posted(None, at - 1)]) or Query.empty_query()
        return [found.seq for found in self.search(query, limit=max(1, self.count()))]

    def _posted(self, first: int | None, last: int | None) -> Query:
        return Query.const_score_query(
            Query.range_query(self._schema, "at", FieldType.Integer, first, last), 0.0
        )

    def up_to(self, at: int) -> Query:
        """Posts that existed at a time."""
        return self._posted(None, at)

    def weighted(self, weights: dict[str, float]) -> Query:
        """Posts with any of these index terms; the score is the sum of the weights of those they have."""
        return any_of(
            [Query.const_score_query(self._term("text", term), weight) for term, weight in weights.items()]
        )

    def like(self, post_terms: Sequence[str]) -> Query:
        """Posts whose sketch shares a term with the sketch of these terms: candidates for near-copies."""
        return any_of([self._fact(term) for term in sketch(post_terms)])

    def compile(self, node: Node, as_of: int, known: Known) -> Query | None:
        """The candidates of a query tree; None when the index cannot narrow them down.

        May let pass too much, never too little.
        """
        match node:
            case And(items):
                narrow = [self.compile(item, as_of, known) for item in items]
                return all_of([part for part in narrow if part is not None])
            case Or(items):
                parts = [part for item in items if (part := self.compile(item, as_of, known)) is not None]
                return any_of(parts) if len(parts) == len(items) else None
            case Not(Has("is", "engagement" | "self_thread")):
                return None  # the index knows these as of now; as of another time they may be untrue
            case Not(Between() | Has("lang" | "is" | "quoted") as item):
                excluded = self.compile(item, as_of, known)
                everything = Query.const_score_query(Query.all_query(), 0.0)
                return excluded and Query.boolean_query([(Occur.Must, everything), (Occur.MustNot, excluded)])
            case Not(Words(text)) if len(words := tokens(text)) == 1:
                everything = Query.const_score_query(Query.all_query(), 0.0)
                return Query.boolean_query(
                    [(Occur.Must, everything), (Occur.MustNot, self._holding(words[0]))]
                )
            case Not():
                return None
            case Words(text):
                words = tokens(text)
                if len(words) == 1:
                    return best_of([self._term("text", term) for term in query_terms(words[0])])
                return self._sequences(text)
            case Phrase(text):
                return self._sequences(text)
            case Between():
                start, end = bounds(node, as_of)
                return self._posted(start, None if end is None else end - 1)
            case AtLeast(count, n):
                return all_of([self._fact(term) for term in level_terms(count, n)])
            case Has("url", value):
                return all_of([self._fact(f"url:{term}") for term in wanted_url_terms(value)])
            case Has("from", handle):
                return any_of(
                    [self._fact(f"from:{name.lower()}") for name in (handle, *known.accounts_named(handle))]
                )
            case Has("conversation", value):
                begun = [Query.term_query(self._schema, "seq", seq) for seq in known.seqs_of(value)]
                return any_of([self._fact(f"conversation:{value}"), *begun])
            case Has(field, value):
                return self._fact(f"{field}:{value}")

    def _holding(self, word: str) -> Query:
        """Exactly the posts that match a word: they hold the form that it has in their language."""
        spoken: dict[str, list[Query]] = {}
        for lang in STEMMED:
            if (form := stem(word, lang)) != word:
                spoken.setdefault(form, []).append(self._fact(f"lang:{lang}"))
        changed = [(Occur.MustNot, lang) for languages in spoken.values() for lang in languages]
        parts = [Query.boolean_query([(Occur.Must, self._term("text", word)), *changed])]
        for form, languages in spoken.items():
            held = (Occur.Must, self._term("text", form))
            parts.append(Query.boolean_query([held, (Occur.Must, any_of(languages))]))
        return any_of(parts)

    def _sequences(self, text: str) -> Query | None:
        parts = []
        for sequence in phrase_terms(text):
            if len(sequence) == 1:
                parts.append(self._term("text", sequence[0]))
            else:
                parts.append(Query.phrase_query(self._schema, "text", list(sequence)))
        return best_of(parts) if parts else None


def all_of(parts: list[Query]) -> Query | None:
    """Everything asked for at once; None when nothing is."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return Query.boolean_query([(Occur.Must, part) for part in parts])


def any_of(parts: list[Query]) -> Query:
    """At least one; the scores add up. Of nothing, nothing."""
    if not parts:
        return Query.empty_query()
    return parts[0] if len(parts) == 1 else Query.boolean_query([(Occur.Should, part) for part in parts])


def best_of(parts: list[Query]) -> Query:
    """At least one; the best score counts: the parts are spellings of the same thing."""
    return parts[0] if len(parts) == 1 else Query.disjunction_max_query(parts)
