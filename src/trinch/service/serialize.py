"""How posts and answers look in JSON, and whether an answer still holds.

Owns the native shapes of docs/api.md and the last look at the log before an answer leaves. Knows nothing of HTTP.
"""

import logging
import re
from typing import Any

from trinch.answers.quote_check import SEPARATOR
from trinch.answers.render import as_json
from trinch.answers.types import Hit
from trinch.llm.interface import Setting
from trinch.posts.times import iso
from trinch.service.ask import AskRequest, answer
from trinch.store.query import parse_time
from trinch.store.store import Store

log = logging.getLogger("trinch.service")


def post_key(network: str, id: str) -> str:
    """How a post is named across networks."""
    return f"{network}:{id}"


def safe_url(url: str) -> str | None:
    """A link that is safe to follow: no `javascript:` and its like, no spaces or quotes. Posts are hostile."""
    return url if re.fullmatch(r"https?://[^\s\"'<>`\\]+", url) else None


def post_json(hit: Hit) -> dict[str, Any]:
    """A post as search, fetch and the page see it."""
    post = hit.post
    return {
        "key": post_key(post.network, post.id),
        "id": post.id,
        "network": post.network,
        "url": safe_url(post.url),
        "author": post.author or post.author_id or None,
        "author_name": post.author_name or None,
        "created_at": iso(post.created_at),
        "at": iso(hit.at),
        "text": post.text,
        "lang": post.lang,
        "score": round(hit.score, 6),
        "likes": post.likes,
        "reposts": post.reposts,
        "replies": post.replies,
    }


def answer_json(store: Store, asked: AskRequest, language_model: Setting | None = None) -> dict[str, Any]:
    """The answer to a question as it may be shown at this instant (native shape, docs/api.md). `language_model` is the model
    that may rewrite it, opened in this process at its first use."""
    shown = as_json(answer(store, asked, language_model))
    if shown["writer"] and shown["writer"]["error"]:
        # What went wrong names addresses inside: it is for who runs the server, not for who asks.
        log.warning("no help from the language model: %s", shown["writer"]["note"])
        shown["writer"]["note"] = "the language model was no help"
    for post in [
        *shown["sources"],
        *(citation for claim in shown["claims"] for citation in claim["citations"]),
    ]:
        post |= {"key": post_key(post["network"], post["id"]), "url": safe_url(post["url"])}
    shown = number_sources(recheck(store, shown), {})
    shown["claims"] = [claim | {"n": n} for n, claim in enumerate(shown["claims"], 1)]
    return shown | {"question": asked.text, "asked": asked.question, "where": asked.where}


def number_sources(shown: dict[str, Any], told: dict[str, int]) -> dict[str, Any]:
    """An answer with its sources numbered in the order in which they are cited. Those told already, by key, keep
    their numbers, so that a source that vanished before it was told leaves no gap."""
    numbers = dict(told)
    for claim in shown["claims"]:
        for citation in claim["citations"]:
            numbers.setdefault(citation["key"], max(numbers.values(), default=0) + 1)

    def number(post: dict[str, Any]) -> dict[str, Any]:
        return post | {"n": numbers[post["key"]]}

    return shown | {
        "claims": [c | {"citations": [number(post) for post in c["citations"]]} for c in shown["claims"]],
        "sources": sorted(map(number, shown["sources"]), key=lambda source: source["n"]),
    }


def recheck(store: Store, shown: dict[str, Any]) -> dict[str, Any]:
    """An answer (as by `answer_json`) without what may not be shown any more; the numbers stay as they were."""
    as_of = parse_time(shown["as_of"])
    texts = {}
    for source in shown["sources"]:
        hit = store.get(source["key"], as_of)
        texts[source["key"]] = hit.post.text if hit else ""

    def holds(citation: dict[str, Any]) -> bool:
        return bool(texts[citation["key"]][citation["start"] : citation["end"]] == citation["quote"])

    claims = [
        claim | {"citations": [citation for citation in claim["citations"] if holds(citation)]}
        for claim in shown["claims"]
        if holds(claim["citations"][0])
    ]
    cited = {citation["key"] for claim in claims for citation in claim["citations"]}
    return shown | {
        "outcome": "answer" if claims else "not_enough_evidence",
        "answer": SEPARATOR.join(claim["text"] for claim in claims),
        "claims": claims,
        "sources": [source for source in shown["sources"] if source["key"] in cited],
        "writer": shown["writer"] if claims else None,
    }


def visible_keys(store: Store, keys: list[str], as_of: int | None) -> list[str]:
    """Those of the posts that may be shown."""
    return [named for named in keys if store.get(named, as_of) is not None]
