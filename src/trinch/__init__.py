"""Trinch: ingest streams of posts, search them, and answer questions in exact, cited quotes.

    import trinch

    with trinch.open("store") as t:
        t.ingest("posts.jsonl.zst")
        print(t.ask("What happened at the harbour?").answer)
        for hit in t.search("harbour since:2026-05-01", sort="latest"):
            print(hit.post.text)

Names below are imported at first use, so that `import trinch` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trinch.alerts.types import AlertError
    from trinch.answers.types import Answer, Citation, CitedPost, Claim
    from trinch.answers.verify.verifier import Verdict
    from trinch.errors import TrinchError
    from trinch.planner.perf.hardware import PlanError
    from trinch.planner.training_plan import TrainingPlan, plan
    from trinch.posts.schema import (
        AccountGone,
        AccountHidden,
        CountsChanged,
        Created,
        Deleted,
        Edited,
        Event,
        Hidden,
        Malformed,
        Post,
    )
    from trinch.service.ask import QuestionError
    from trinch.service.briefs import BriefError
    from trinch.service.export import ExportError
    from trinch.service.ingest import Stopped
    from trinch.service.results import Counts, Posts
    from trinch.service.search import SearchResult
    from trinch.service.session import Session, open
    from trinch.service.stories import WindowError
    from trinch.service.verify import verify
    from trinch.store.pages import CursorError
    from trinch.store.query import QueryError
    from trinch.store.stats import Stats
    from trinch.store.store import Hit
    from trinch.store.writer import Totals

__version__ = "0.1.0"

_MODULES = {
    "trinch.alerts.types": ("AlertError",),
    "trinch.answers.types": ("Answer", "Citation", "CitedPost", "Claim"),
    "trinch.errors": ("TrinchError",),
    "trinch.planner.perf.hardware": ("PlanError",),
    "trinch.planner.training_plan": ("TrainingPlan", "plan"),
    "trinch.posts.schema": (
        "AccountGone",
        "AccountHidden",
        "CountsChanged",
        "Created",
        "Deleted",
        "Edited",
        "Event",
        "Hidden",
        "Malformed",
        "Post",
    ),
    "trinch.service.ask": ("QuestionError",),
    "trinch.service.briefs": ("BriefError",),
    "trinch.service.export": ("ExportError",),
    "trinch.service.ingest": ("Stopped",),
    "trinch.answers.verify.verifier": ("Verdict",),
    "trinch.service.session": ("Session", "open"),
    "trinch.service.stories": ("WindowError",),
    "trinch.service.verify": ("verify",),
    "trinch.service.results": ("Counts", "Posts"),
    "trinch.service.search": ("SearchResult",),
    "trinch.store.pages": ("CursorError",),
    "trinch.store.query": ("QueryError",),
    "trinch.store.stats": ("Stats",),
    "trinch.store.store": ("Hit",),
    "trinch.store.writer": ("Totals",),
}
_ORIGIN = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AccountGone",
    "AccountHidden",
    "AlertError",
    "Answer",
    "BriefError",
    "Citation",
    "CitedPost",
    "Claim",
    "Counts",
    "CountsChanged",
    "Created",
    "CursorError",
    "Deleted",
    "Edited",
    "Event",
    "ExportError",
    "Hidden",
    "Hit",
    "Malformed",
    "PlanError",
    "Post",
    "Posts",
    "QueryError",
    "QuestionError",
    "SearchResult",
    "Session",
    "Stats",
    "Stopped",
    "Totals",
    "TrainingPlan",
    "TrinchError",
    "Verdict",
    "WindowError",
    "__version__",
    "open",
    "plan",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import a public name from the module that defines it."""
    if name not in _ORIGIN:
        raise AttributeError(f"module 'trinch' has no attribute {name!r}")
    value = getattr(import_module(_ORIGIN[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
