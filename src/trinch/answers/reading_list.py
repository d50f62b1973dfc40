"""The posts that a language model reads for an answer: the evidence for the request, best first, each text once."""

from collections.abc import Iterable, Sequence

from trinch.answers import lexicon
from trinch.answers.evidence import PostGroup, collapse
from trinch.answers.request import Request
from trinch.answers.retrieval import gather
from trinch.answers.types import Answer, Corpus
from trinch.posts.text import tokens

LIMIT = 200
"""Posts retrieved by the words of the topic, where they are asked for once more."""


def reading_list(request: Request, store: Corpus, given: Answer, most: int) -> list[PostGroup]:
    """At most so many posts, in the order of time: those that the answer without a model cites, then the evidence by
    how much it speaks of what is asked and how far it is trusted. Posts that give orders to assistants are left out."""
    found: dict[tuple[str, str], PostGroup] = {}
    cited = {(source.network, source.id) for source in given.sources}
    groups = _groups(request, store, given.as_of)
    for group in (*(g for g in groups if not cited.isdisjoint(_keys(g))), *groups):
        if len(found) < most and not gives_orders(group.best.post.text):
            found.setdefault((group.best.post.network, group.best.post.id), group)
    return sorted(
        found.values(), key=lambda group: (group.best.at, group.best.post.network, group.best.post.id)
    )


def _groups(request: Request, store: Corpus, moment: int) -> Sequence[PostGroup]:
    topics = request.sides or (request.topic,)
    ranked: list[tuple[float, PostGroup]] = []
    if not request.sides:
        evidence = gather(request.question, store, moment)
        ranked += [
            (about * group.weight, group)
            for group, about in zip(evidence.sources, evidence.about, strict=True)
        ]
    for topic in topics:
        hits = [hit for hit in store.retrieve(topic, limit=LIMIT, as_of=moment) if hit.at <= moment]
        ranked += [(0.5 * group.score * group.weight, group) for group in collapse(hits)]
    return [group for _, group in sorted(ranked, key=lambda pair: (-pair[0], pair[1].best.post.id))]


def _keys(group: PostGroup) -> Iterable[tuple[str, str]]:
    return ((hit.post.network, hit.post.id) for hit in group.hits)


def gives_orders(text: str) -> bool:
    """Whether a post gives orders to programs that read it."""
    return len(lexicon.ADDRESSES_ASSISTANTS.intersection(tokens(text))) >= 2
