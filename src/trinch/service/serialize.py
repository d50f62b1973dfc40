"""Posts and answers as the JSON of docs/api.md, and the last check of an answer against the log."""

import logging
import re
from collections.abc import Iterator
from typing import Any

from trinch.answers.quote_check import SEPARATOR
from trinch.answers.render import as_json
from trinch.answers.types import Answer, Hit
from trinch.llm.interface import Setting
from trinch.posts.schema import UNDATED
from trinch.posts.times import iso
from trinch.service import ask
from trinch.service.ask import AskRequest, answer
from trinch.store.query import parse_time
from trinch.store.store import Store

log = logging.getLogger("trinch.service")


def post_key(network: str, id: str) -> str:
    """The id of a post across networks: `network:id`."""
    return f"{network}:{id}"


def safe_url(url: str) -> str | None:
    """The URL if it is safe to render as a link (http or https, no spaces or quotes), else None."""
    return url if re.fullmatch(r"https?://[^\s\"'<>`\\]+", url) else None


def post_json(hit: Hit) -> dict[str, Any]:
    """A post as search, fetch and the page return it."""
    post = hit.post
    return {
        "key": post_key(post.network, post.id),
        "id": post.id,
        "network": post.network,
        "url": safe_url(post.url),
        "author": post.author or post.author_id or None,
        "author_name": post.author_name or None,
        "created_at": iso(post.created_at),
        "at": None if hit.at == UNDATED else iso(hit.at),
        "undated": hit.at == UNDATED,
        "text": post.text,
        "attached": [{"kind": one.kind, "text": one.text} for one in post.attached],
        "lang": post.lang,
        "place": post.place or None,
        "country": post.country or None,
        "latitude": post.latitude,
        "longitude": post.longitude,
        "score": round(hit.score, 6),
        "likes": post.likes,
        "reposts": post.reposts,
        "replies": post.replies,
    }


def answer_json(store: Store, request: AskRequest, language_model: Setting | None = None) -> dict[str, Any]:
    """The answer to a request in the native shape, rechecked against the log at this instant.

    `language_model` may write the answer; it is opened in this process at its first use.
    """
    return shaped(store, request, answer(store, request, language_model))


def answer_steps(
    store: Store, request: AskRequest, language_model: Setting | None = None
) -> Iterator[dict[str, Any]]:
    """The answer as `answer_json` shapes it, growing by each sentence that a language model has written and that is
    verified; the last is the whole answer."""
    for step in ask.steps(store, request, language_model):
        yield shaped(store, request, step)


def shaped(store: Store, request: AskRequest, given: Answer) -> dict[str, Any]:
    shown = as_json(given)
    if shown["writer"] and shown["writer"]["error"]:
        # The note names internal addresses: it is logged for the operator, not returned to the client.
        log.warning("the language model failed: %s", shown["writer"]["note"])
        shown["writer"]["note"] = "the language model failed"
    for post in [
        *shown["sources"],
        *shown["nearest"],
        *(citation for claim in shown["claims"] for citation in claim["citations"]),
    ]:
        post |= {"key": post_key(post["network"], post["id"]), "url": safe_url(post["url"])}
    shown = number_sources(recheck(store, shown), {})
    shown["claims"] = [claim | {"n": n} for n, claim in enumerate(shown["claims"], 1)]
    return shown | {"question": request.text, "asked": request.question, "where": request.where}


def number_sources(shown: dict[str, Any], sent: dict[str, int]) -> dict[str, Any]:
    """An answer with its sources numbered in the order in which they are cited.

    `sent` maps the keys of sources that a client already has to their numbers, which stay as they are.
    """
    numbers = dict(sent)
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
    """An answer (as by `answer_json`) without what rests on posts that are no longer visible.

    These are claims, citations, nearest posts, and the headline where a claim is gone: it may count that claim."""
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
        # A written sentence rests on all of its posts, a quote on the first.
        if all(map(holds, claim["citations"] if claim["written"] else claim["citations"][:1]))
    ]
    cited = {citation["key"] for claim in claims for citation in claim["citations"]}
    return shown | {
        "outcome": shown["outcome"] if claims or shown["outcome"] == "chat" else "not_enough_evidence",
        "headline": shown["headline"] if len(claims) == len(shown["claims"]) else "",
        "answer": shown["answer"]
        if shown["outcome"] == "chat"
        else SEPARATOR.join(claim["text"] for claim in claims),
        "claims": claims,
        "sources": [source for source in shown["sources"] if source["key"] in cited],
        "nearest": [post for post in shown["nearest"] if store.get(post["key"], as_of)],
        # What was refused may repeat posts that are gone; what it cost counts all the same.
        "writer": shown["writer"] if claims or not shown["writer"] else shown["writer"] | {"refused": []},
    }


def visible_keys(store: Store, keys: list[str], as_of: int | None) -> list[str]:
    """Those of the posts that are visible."""
    return [named for named in keys if store.get(named, as_of) is not None]
