"""What a firing looks like to whoever receives it: JSON, and text for e-mail.

Posts are looked up when a notification is made, so one that was deleted or hidden meanwhile is in none. A firing whose
posts are all gone is not shown at all.
"""

from collections.abc import Callable, Sequence
from typing import Any

from trinch.alerts.types import Alert, Firing
from trinch.posts.times import iso
from trinch.store.store import Hit, Store

ShowPost = Callable[[Hit], dict[str, Any]]
"""A post as the JSON of the API."""

Numbered = Sequence[tuple[int, Firing]]


def firing_json(store: Store, alert: Alert, n: int, firing: Firing, show: ShowPost) -> dict[str, Any] | None:
    """One firing; None where no post of it is visible any more."""
    posts: list[dict[str, Any]] = []
    for key in firing.posts:
        if hit := store.get(key):
            start, end = firing.spans.get(key, (0, 0))
            posts.append(show(hit) | ({"quote": hit.post.text[start:end]} if end else {}))
    if firing.posts and not posts:
        return None
    facts = {name: iso(value) if name == "since" else value for name, value in firing.facts.items()}
    return {
        "n": n,
        "alert": alert.id,
        "name": alert.name,
        "trigger": firing.kind,
        "at": iso(firing.at),
        "summary": summary(firing),
        "count": firing.count,
        "facts": facts,
        "posts": posts,
    }


def summary(firing: Firing) -> str:
    """What happened, in one sentence without a word of a post."""
    facts, posts = firing.facts, f"{firing.count:,} post{'' if firing.count == 1 else 's'}"
    match firing.kind:
        case "burst":
            return f"{posts} in {facts['window']}; usually {facts['usual']:g}"
        case "story":
            return f"a new story: {posts}"
        case "number":
            before = "" if facts["before"] is None else f" (before: {facts['before']:,g})"
            return f"{facts['quantity']}: {facts['value']:,g}{before}"
        case "denial":
            return f"{posts} deny something"
        case "silence":
            return f"no post for {facts['window']}"
        case _:
            return f"{posts} match{'es' if firing.count == 1 else ''}"


def notification(store: Store, alert: Alert, fired: Numbered, show: ShowPost) -> dict[str, Any] | None:
    """The body of a delivery, in the form of Standard Webhooks; None where nothing of it is visible any more."""
    shown: list[dict[str, Any]] = []
    for n, firing in fired:
        one = firing_json(store, alert, n, firing, show)
        if one is not None:
            shown.append(one)
    if not shown:
        return None
    return {
        "type": "alert.fired",
        "timestamp": shown[-1]["at"],
        "data": {
            "alert": {"id": alert.id, "name": alert.name, "query": alert.query, "trigger": alert.trigger},
            "firings": shown,
        },
    }


def as_text(body: dict[str, Any]) -> tuple[str, str]:
    """Subject and text of an e-mail."""
    alert, fired = body["data"]["alert"], body["data"]["firings"]
    lines: list[str] = []
    for one in fired:
        lines += [f"{one['at']}  {one['summary']}", ""]
        for post in one["posts"]:
            author = f"@{post['author']}" if post["author"] else post["network"]
            text = " ".join((post.get("quote") or post["text"]).split())
            lines += [f"  {author}: {text}", f"  {post['url'] or post['key']}", ""]
    lines += [f"Alert {alert['id']}: {alert['query']}"]
    return f"{alert['name']}: {fired[-1]['summary']}", "\n".join(lines)
