"""Headline and key points of a story: exact quotes, chosen and cited by the machinery of answers.

A headline is the sentence that holds most of the story's terms, put as a report. Where posts count people (the dead,
the injured), the newest count that can be believed is a key point, and sentences with older counts are not quoted.
"""

from collections.abc import Mapping, Sequence

from trinch.answers import lexicon
from trinch.answers.candidates import QuoteCandidate, manner
from trinch.answers.claims import Picked, agreeing, carriers, claim
from trinch.answers.count_timeline import Report, curve
from trinch.answers.evidence import collapse
from trinch.answers.quantities import figures
from trinch.answers.spans import spans
from trinch.answers.types import Claim
from trinch.posts.text import terms, tokens
from trinch.store.store import Hit, Store
from trinch.stories.texts import Text
from trinch.stories.words import topical

READ = 60
"""Texts of a story that are read for quotes: those with most of its terms."""
SPANS = 2
"""Sentences of a post that may be quoted, from its beginning."""
POINTS = 3
"""Key points beside the headline."""
TERMS = 6
"""Terms of a sentence that count."""
WORTH = 0.3
"""Share of the worth of the best sentence that any other needs."""
ELSEWHERE = 0.4
"""What a sentence is worth that names another leading story: it belongs to that one as much."""
REPEATS = 0.5
"""Share of common terms from which a sentence repeats another."""


def candidates(
    texts: Sequence[Text],
    weights: Mapping[str, float],
    as_of: int,
    others: frozenset[str] = frozenset(),
    most: int = READ,
) -> list[QuoteCandidate]:
    """The sentences of the texts that could be quoted, best first. `manner` of each is its worth.

    `others`: the terms that name other stories."""
    best = sorted(texts, key=lambda text: (-_density(text, weights), text.posts[0].seq))[:most]
    hits = [
        Hit(
            version.post,
            version.at,
            version.seq,
            _density(text, weights),
            terms(version.post.text, version.post.lang),
        )
        for text in best
        for version in text.posts[:1]
        if version.at <= as_of
    ]
    found: list[QuoteCandidate] = []
    for source in collapse(hits):
        text, lang = source.best.post.text, source.best.post.lang
        if len(lexicon.ADDRESSES_ASSISTANTS.intersection(tokens(text))) >= 2:
            continue  # addressed to a program that reads it: no evidence
        for span in spans(text)[:SPANS]:
            quote = text[span.start : span.end]
            held = frozenset(topical(quote, lang))
            worth = sum(sorted((weights.get(term, 0.0) for term in held), reverse=True)[:TERMS])
            worth *= manner(quote) * source.weight * (0.8 if span.cut else 1.0)
            worth *= ELSEWHERE if others & held else 1.0
            found.append(QuoteCandidate(source, span, quote, held, 1.0, 1.0, 1.0, figures(quote), worth))
    found.sort(key=lambda c: (-c.manner, c.source.best.post.id, c.span.start))
    return [candidate for candidate in found if candidate.manner >= WORTH * found[0].manner]


def _density(text: Text, weights: Mapping[str, float]) -> float:
    return float(sum(weights.get(term, 0.0) for term in text.terms) / (6 + len(text.terms)) ** 0.5)


def key_points(found: Sequence[QuoteCandidate], most: int) -> list[QuoteCandidate]:
    """The headline and up to `most` further sentences that do not repeat each other, newest counts first among them."""
    newest, stale = _counts(found)
    chosen: list[QuoteCandidate] = []
    fresh = [candidate for candidate in found if not stale.intersection(_stated(candidate))]
    for candidate in [*fresh[:1], *newest, *fresh[1:]]:
        if len(chosen) > most:
            break
        if not any(repeats(candidate, other) for other in chosen):
            chosen.append(candidate)
    return chosen


def repeats(a: QuoteCandidate, b: QuoteCandidate) -> bool:
    """Whether two sentences say the like: the same post, or REPEATS of the terms of the shorter."""
    if a.source.best.post.id == b.source.best.post.id:
        return True
    return len(a.terms & b.terms) >= REPEATS * max(1, min(len(a.terms), len(b.terms)))


def _stated(candidate: QuoteCandidate) -> set[tuple[str, float]]:
    return {(figure.quantity, figure.value) for figure in candidate.figures if figure.quantity != "unit"}


def _counts(found: Sequence[QuoteCandidate]) -> tuple[list[QuoteCandidate], set[tuple[str, float]]]:
    """The sentences that state the newest believed counts, and the counts that these replaced."""
    reports: dict[str, list[tuple[Report, QuoteCandidate]]] = {}
    for candidate in found:
        for figure in candidate.figures:
            if figure.quantity != "unit":
                report = Report(candidate.source, candidate.span, figure, 1.0)
                reports.setdefault(figure.quantity, []).append((report, candidate))
    latest: dict[str, float] = {}
    stale: set[tuple[str, float]] = set()
    for quantity, made in sorted(reports.items()):
        states = [state for state in curve([report for report, _ in made]) if state.support >= 2]
        if states:
            latest[quantity] = states[-1].value
            stale |= {(quantity, report.figure.value) for report, _ in made} - {(quantity, states[-1].value)}
    newest: list[QuoteCandidate] = []
    for quantity, value in latest.items():
        stating = [candidate for report, candidate in reports[quantity] if report.figure.value == value]
        fresh = [candidate for candidate in stating if not stale.intersection(_stated(candidate))]
        newest += sorted(fresh, key=lambda c: (c.manner, c.source.best.post.id))[-1:]
    return newest, stale


def picked(chosen: Sequence[QuoteCandidate], found: Sequence[QuoteCandidate]) -> list[Picked]:
    """Sentences with the posts that say the like."""
    return [Picked(each, agreeing(each, found)) for each in chosen]


def claims(
    chosen: Sequence[QuoteCandidate], found: Sequence[QuoteCandidate], store: Store, as_of: int
) -> list[Claim]:
    """Sentences as claims, cited."""
    return [claim(each, carriers(each, store, as_of), {}, []) for each in picked(chosen, found)]
