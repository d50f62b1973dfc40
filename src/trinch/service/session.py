"""An open store for Python programs: `trinch.open` and what can be done with the result."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from trinch.answers.types import Answer
from trinch.llm.interface import Setting
from trinch.posts.schema import Event, Post
from trinch.service import ask, export, ingest, results, search, volume
from trinch.service.alert_session import Alerts
from trinch.service.briefs import LIMIT, SINCE, Format, brief_json
from trinch.service.config import data_folder
from trinch.service.results import Counts, Posts
from trinch.service.search import SearchResult
from trinch.service.stories import WINDOW, catch_up, stories_json, story_json, trends_json
from trinch.store.query import parse_time
from trinch.store.stats import Stats, stats
from trinch.store.store import Hit, Store
from trinch.store.writer import Totals
from trinch.stories.types import Kind

if TYPE_CHECKING:
    import pyarrow as pa

Time: TypeAlias = str | int | datetime | None
"""A time as text (`2013-04-15T22:00Z`, `19 April 2013`, `yesterday`, `-2h`), microseconds since 1970, or a datetime (UTC where it has no zone); None is now."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open(path: str | Path | None = None) -> "Session":
    """Open the store in a folder; an empty one is created where there is none.

    Without a path that of TRINCH_DATA, of trinch.toml, or the platform's folder for data."""
    return Session(data_folder() if path is None else path)


class Session:
    """An open store. Use one per thread; other processes may have the same folder open."""

    def __init__(self, path: str | Path) -> None:
        self._store = Store.open(path)
        self._store.catch_up()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<trinch store {str(self._store.data)!r}, {self._store.num_posts:,} posts>"

    def close(self) -> None:
        """Close the store."""
        self._store.log.close()

    def ask(
        self,
        question: str,
        *,
        earlier: Sequence[str] = (),
        where: str = "",
        as_of: Time = None,
        model: str = "",
        model_name: str = "",
        style: str = "",
    ) -> Answer:
        """Answer a question in exact quotes from posts; `outcome` is `answer` or `not_enough_evidence`.

        `where` holds search operators that every post must satisfy, `earlier` the questions before this one.
        `model` is the address of an OpenAI-compatible server, a GGUF file or the folder of a Grok: it reads the posts and
        writes the answer, in the `style` wanted; its sentences that pass verification are shown, `written`.
        Raises QuestionError for an empty question, QueryError for operators that cannot be parsed.
        """
        request = ask.interpret(question, earlier=earlier, where=where, as_of=micros(as_of), style=style)
        if ask.needs_stories(self._store, request):
            catch_up(self._store)
        return ask.answer(self._store, request, Setting(model, model_name) if model else None)

    def search(
        self,
        query: str,
        *,
        earlier: Sequence[str] = (),
        where: str = "",
        limit: int = 10,
        sort: Literal["relevance", "latest"] = "relevance",
        as_of: Time = None,
    ) -> Posts:
        """The best or newest posts that match a query of X's operators; `partial` where the CPU budget ended the
        search. Raises QueryError."""
        found = self.page(query, earlier=earlier, where=where, limit=limit, sort=sort, as_of=as_of).hits
        return results.posts(found, found.partial)

    def page(
        self,
        query: str,
        *,
        earlier: Sequence[str] = (),
        where: str = "",
        limit: int = 10,
        sort: Literal["relevance", "latest"] = "relevance",
        as_of: Time = None,
        cursor: str = "",
        total: bool = False,
    ) -> SearchResult:
        """A page of `search`, with the cursor of the `next` one and, if asked for, the `total` of all matches.

        Raises QueryError, and CursorError for a cursor of another search."""
        return search.search(
            self._store, query, earlier=earlier, where=where, limit=limit, sort=sort, as_of=micros(as_of),
            cursor=cursor, total=total,
        )  # fmt: skip

    def matches(self, query: str = "", *, where: str = "", as_of: Time = None) -> Iterator[Hit]:
        """All visible posts that match, in the order of ingestion, in bounded memory. Raises QueryError."""
        return search.matches(self._store, query, where=where, as_of=micros(as_of))

    def table(self, query: str = "", *, where: str = "", as_of: Time = None) -> "pa.Table":
        """All posts that match as an Arrow table, for pandas (`.to_pandas()`), Polars (`pl.from_arrow`) or DuckDB.

        Needs the extra `tables`; raises ExportError without it."""
        return export.table(self.matches(query, where=where, as_of=as_of))

    def counts(
        self,
        query: str = "",
        by: Literal["minute", "hour", "day"] = "day",
        *,
        where: str = "",
        as_of: Time = None,
    ) -> Counts:
        """Posts that match by minute, hour or day (UTC), oldest first; empty ones and undated posts are left out."""
        found = volume.counts_json(self._store, query, by, where=where, as_of=micros(as_of))
        return Counts.of(found["counts"])

    def stories(
        self,
        *,
        window: str = WINDOW,
        about: str = "",
        lang: str = "",
        network: str = "",
        limit: int = 10,
        as_of: Time = None,
    ) -> dict[str, Any]:
        """What is posted about more than before, in the shape of /v1/stories. Raises WindowError, QueryError."""
        catch_up(self._store)
        return stories_json(self._store, micros(as_of), window, limit, about, lang, network)

    def story(self, id: str, *, as_of: Time = None) -> dict[str, Any] | None:
        """One story with its timeline, in the shape of /v1/stories/{id}; None where there is none."""
        catch_up(self._store)
        return story_json(self._store, id, micros(as_of))

    def trends(
        self,
        *,
        window: str = WINDOW,
        kind: Kind | None = None,
        lang: str = "",
        network: str = "",
        limit: int = 20,
        as_of: Time = None,
    ) -> dict[str, Any]:
        """What is used more than on ordinary days, in the shape of /v1/trends. Raises WindowError."""
        catch_up(self._store)
        return trends_json(self._store, micros(as_of), window, limit, kind, lang, network)

    def brief(
        self,
        topics: Sequence[str] = (),
        *,
        since: str = SINCE,
        limit: int = LIMIT,
        format: Format | None = None,
        as_of: Time = None,
    ) -> dict[str, Any]:
        """What happened since a time, by topic, in the shape of /v1/briefs. Raises BriefError, QueryError."""
        catch_up(self._store)
        return brief_json(self._store, topics, since, micros(as_of), limit, format)

    @property
    def alerts(self) -> Alerts:
        """Saved searches that say when something matches: `add`, `list`, `show`, `test`, `remove`, `run`."""
        return Alerts(self._store)

    def get(self, key: str, *, as_of: Time = None) -> Hit | None:
        """The post with an id (bare, or `network:id`), if it is visible."""
        return self._store.get(key, micros(as_of))

    def posts(self, *, as_of: Time = None) -> Iterator[Post]:
        """Every visible post, in the order of ingestion."""
        return self._store.posts(micros(as_of))

    def ingest(
        self, source: str | Path | Iterable[str | Path] | Iterable[Event], format: str = "auto"
    ) -> Totals:
        """Ingest a file, several files, or events; returns when all is durable and searchable.

        Raises Stopped where a file cannot be read; what was read before it stays ingested.
        """
        if isinstance(source, str | Path):
            return ingest.ingest(self._store.data, [str(source)], format)
        items = list(source) if isinstance(source, list | tuple) else source
        if isinstance(items, list) and items and all(isinstance(item, str | Path) for item in items):
            return ingest.ingest(self._store.data, [str(item) for item in items], format)
        return ingest.ingest_events(self._store, items)  # type: ignore[arg-type]

    def stats(self) -> Stats:
        """Posts by network, language and day; how far each index is behind; sizes on disk."""
        return stats(self._store)


def micros(time: Time) -> int | None:
    """Microseconds since 1970. Raises ValueError for a text that is not a time."""
    if isinstance(time, str):
        return parse_time(time)
    if isinstance(time, datetime):
        moment = time if time.tzinfo else time.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1)
    return time
