"""What is posted about more than before: topics of a window of time that burst against the days before it.

Counts in how many different texts each word occurs, in a sample of the window and of the days before; the words with
the largest growth become topics, each with the posts that hold it and the sentence that says most of them.
"""

import math
from collections import Counter
from collections.abc import Sequence

from trinch.answers import lexicon
from trinch.answers.candidates import QuoteCandidate, manner
from trinch.answers.claims import Picked
from trinch.answers.compose import Draft, gives_orders
from trinch.answers.evidence import PostGroup, collapse
from trinch.answers.quantities import figures
from trinch.answers.ranking import DAY
from trinch.answers.render import minute
from trinch.answers.request import Request
from trinch.answers.spans import spans
from trinch.answers.types import Corpus, Hit
from trinch.posts.text import query_terms, terms

TOPICS = 6
SLICES = 6
PER_SLICE = 120
"""Posts sampled from each slice of the window, the newest of it; as many from each slice of the days before."""
BEFORE = 3
"""How many times as long as the window the time before is that it is compared with."""
SAME_TOPIC = 0.25
"""Share of a topic's posts that must hold a word for it to be one of the topic's words."""

_COMMON = frozenset(
    form
    for word in (lexicon.ANY_STOPWORD | lexicon.PERSONAL | lexicon.POINTERS | lexicon.OPINION)
    for form in query_terms(word)
)


def draft(request: Request, corpus: Corpus, as_of: int) -> Draft:
    """The topics of the window that the request names, a day by default, most talked about first."""
    period = request.question.period
    since = max(period.since, as_of - 31 * DAY) if period and period.since < as_of - DAY // 4 else as_of - DAY
    if as_of - since < DAY // 2:
        since = as_of - DAY
    length = as_of - since
    now = _sample(corpus, since, as_of, as_of)
    before = _sample(corpus, since - BEFORE * length, since, as_of)
    picked = _topics(now, before, request.limit or TOPICS)
    headline = lexicon.frame(request.lang, "trends", since=minute(since), until=minute(as_of))
    return Draft(picked, headline, "answer" if picked else "not_enough_evidence")


def _sample(corpus: Corpus, since: int, until: int, as_of: int) -> list[Hit]:
    """The newest posts of each of `SLICES` parts of a time."""
    found: list[Hit] = []
    for i in range(SLICES):
        start = since + (until - since) * i // SLICES
        end = since + (until - since) * (i + 1) // SLICES
        where = f"since_time:{start // 1_000_000} until_time:{end // 1_000_000 + (i == SLICES - 1)} -filter:retweets"
        hits = corpus.search(where, limit=PER_SLICE, sort="latest", as_of=as_of)
        found += [hit for hit in hits if hit.at <= as_of]
    return found


def _texts(hits: Sequence[Hit]) -> Counter[str]:
    """In how many different texts each term occurs."""
    seen = {tuple(hit.terms[:12]): hit for hit in hits}
    return Counter(term for hit in seen.values() for term in set(hit.terms) if _is_topical(term))


def _is_topical(term: str) -> bool:
    return (
        len(term) >= 3 and term not in _COMMON and term[0] not in "#@$" and not any(c.isdigit() for c in term)
    )


def _topics(now: Sequence[Hit], before: Sequence[Hit], most: int) -> list[Picked]:
    counts, older = _texts(now), _texts(before)
    size, past = max(len(now), 1), max(len(before), 1)
    burst = {
        term: count * math.log((count / size) / ((older[term] + 1) / past))
        for term, count in counts.items()
        if count >= 4 and count / size > 2 * (older[term] + 1) / past
    }
    left = [hit for hit in now if hit.post.lang != "und"]
    picked: list[Picked] = []
    while burst and len(picked) < most:
        top = max(burst, key=lambda term: (round(burst[term], 6), term))
        held = [hit for hit in left if top in hit.terms]
        groups = collapse(held[:200])
        words = _words(groups, burst)
        if quote := _quote(groups, words):
            picked.append(quote)
        gone = {top, *words}
        left = [hit for hit in left if top not in hit.terms and len(gone.intersection(hit.terms)) < 2]
        remaining = Counter(term for hit in left for term in set(hit.terms) if term in burst)
        burst = {
            t: v * remaining[t] / counts[t] for t, v in burst.items() if t not in gone and remaining[t] >= 4
        }
    return picked


def _words(groups: Sequence[PostGroup], burst: dict[str, float]) -> dict[str, float]:
    """The words of a topic: those that burst and that enough of its posts hold."""
    held = Counter(term for group in groups for term in set(group.best.terms) if term in burst)
    need = max(2, SAME_TOPIC * len(groups))
    return {term: burst[term] for term, count in held.items() if count >= need}


def _quote(groups: Sequence[PostGroup], words: dict[str, float]) -> Picked | None:
    """The sentence that says most of a topic's words, put as a report; None for fewer than three different texts."""
    if len(groups) < 3:
        return None
    best: tuple[float, str, QuoteCandidate] | None = None
    for group in groups:
        text = group.best.post.text
        for span in spans(text)[:2]:
            quote = text[span.start : span.end]
            held = frozenset(terms(quote, group.best.post.lang))
            worth = manner(quote) * sum(sorted((words.get(term, 0.0) for term in held), reverse=True)[:6])
            candidate = QuoteCandidate(group, span, quote, held, 1.0, 1.0, 1.0, figures(quote), worth)
            if not gives_orders(candidate) and (best is None or (worth, group.best.post.id) > best[:2]):
                best = (worth, group.best.post.id, candidate)
    if best is None:
        return None
    chosen = best[2]
    return Picked(chosen, [])
