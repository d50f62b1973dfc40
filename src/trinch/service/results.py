"""Results of the public API that hold many posts or counts: lists and dicts that go into pandas, Polars and Arrow."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trinch import notebook
from trinch.service import export
from trinch.service.serialize import post_json
from trinch.store.store import Hit, Hits

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa


class Posts(Hits):
    """Posts that were found, a list of `Hit`. `partial`: the CPU budget ended the search before all were evaluated."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Each post as plain values, as /v1/search gives it."""
        return [post_json(hit) for hit in self]

    def to_arrow(self) -> "pa.Table":
        """The posts as an Arrow table, a column for each field. Raises ExportError without pyarrow."""
        return export.table(self)

    def to_pandas(self) -> "pd.DataFrame":
        """The posts as a data frame of pandas. Raises ExportError without pyarrow, ImportError without pandas."""
        return self.to_arrow().to_pandas()

    def to_polars(self) -> "pl.DataFrame":
        """The posts as a data frame of Polars. Raises ExportError without pyarrow, ImportError without Polars."""
        import polars as pl

        found = pl.from_arrow(self.to_arrow())
        assert isinstance(found, pl.DataFrame)
        return found

    def __repr__(self) -> str:
        shown = "".join(
            f"\n  @{hit.post.author or hit.post.author_id}: {hit.post.text[:90]!r}" for hit in self[:5]
        )
        return f"<{len(self)} posts{', partial' if self.partial else ''}{shown}>"

    def _repr_html_(self) -> str:
        rows = [
            (
                notebook.link(one["created_at"] or "undated", one["url"] or ""),
                one["author"] or one["author_id"],
                one["text"],
                one["likes"],
                one["reposts"],
            )
            for one in self.to_dicts()
        ]
        caption = f"{len(self):,} posts" + (" (partial)" if self.partial else "")
        return notebook.table(("time", "author", "text", "likes", "reposts"), rows, caption)


class Counts(dict[datetime, int]):
    """Beginning of a minute, hour or day (UTC) -> posts in it, oldest first."""

    @classmethod
    def of(cls, counts: Iterable[dict[str, Any]]) -> "Counts":
        """From the `counts` of /v1/counts."""
        return cls((datetime.fromisoformat(one["start"]), one["posts"]) for one in counts)

    def to_dict(self) -> dict[str, int]:
        """RFC 3339 -> posts."""
        return {start.isoformat().replace("+00:00", "Z"): posts for start, posts in self.items()}

    def to_pandas(self) -> "pd.Series[int]":
        """A series of pandas, indexed by time. Raises ImportError without pandas."""
        import pandas as pd

        return pd.Series(
            list(self.values()), index=pd.DatetimeIndex(list(self), name="start"), name="posts", dtype="int64"
        )

    def to_polars(self) -> "pl.DataFrame":
        """A data frame of Polars with `start` and `posts`. Raises ImportError without Polars."""
        import polars as pl

        columns = [
            pl.Series("start", list(self), pl.Datetime("us", "UTC")),
            pl.Series("posts", list(self.values()), pl.Int64),
        ]
        return pl.DataFrame(columns)

    def _repr_html_(self) -> str:
        return notebook.table(("start", "posts"), list(self.to_dict().items()))


def posts(hits: Iterable[Hit], partial: bool = False) -> Posts:
    """The hits as a result of the public API."""
    return Posts(list(hits), partial)
