"""Which claims an answer holds, in which order and under which headline, by the task of the request."""

import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from trinch.answers import lexicon
from trinch.answers.candidates import QuoteCandidate, candidates, fitness, present_states, reports
from trinch.answers.claims import Picked, agreeing, known
from trinch.answers.contradictions import Denied, denied, denies, heard, negates, paired, replaced
from trinch.answers.count_timeline import QUIET, CountState, Report, agrees
from trinch.answers.counts import counted, course
from trinch.answers.evidence import PostGroup
from trinch.answers.question import Question
from trinch.answers.ranking import DAY, Scored, full_names, pick, reports_death, score
from trinch.answers.reading import PostReader, akin_to
from trinch.answers.render import minute
from trinch.answers.request import Request
from trinch.answers.retrieval import Evidence
from trinch.answers.types import Corpus, Outcome
from trinch.posts.schema import UNDATED
from trinch.posts.text import fold, query_terms, tokens
from trinch.reader import Passage
from trinch.reader.tone import tones

SIZES = {"summary": 6, "timeline": 8, "opinions": 6, "list": 5, "said_by": 5, "latest": 5, "changes": 5}
"""Claims by task; `SIZE` for the others."""
SIZE = 4
HOLDS = 0.7
"""Share of a claim's words that a span must hold to say the same."""
PASSED_ON = 0.3
"""Share of a post's own words that no earlier post holds, up to which it only passes on what they say."""
NEGATED = 0.8
"""Share of a claim's words that a sentence must hold for a negation in it to deny the claim."""
READ = 100
"""Sentences read where no rule of a task finds an answer."""
SURE = 0.5
"""Least probability that such a sentence answers."""
NEARLY = 0.6
"""Share of a claim's words that a span must hold to speak of it in other words."""
CLEAR = 0.75
"""Probability from which on the tone of a sentence is praise or blame: of held-out posts 88 % are then rightly sided."""
NAMED = 0.35
"""Share of the topic that a sentence must hold itself for its tone to be one towards the topic."""
SHORT = 4
"""Words from which on a sentence, the topic aside, has a tone."""
CLEAR_POSTS = 5
"""Posts with a clear opinion from which on their shares are given."""
OLD = 7 * DAY
"""Where the newest post is older than this, the answer says so."""
COUNTING = 0.15
"""Share of the posts on a topic that count the dead from which on an answer gives their number."""
FEW = 3
"""Posts on a happening from which on an earlier one of the same name is left out."""


_ROLE = re.compile(
    r"(?i)<\|?/?(?:system|assistant|user|posts|im_\w+)\|?>|\[/?(?:system|assistant|user|inst)\]"
)
"""Marks that chat templates set between the parts of a conversation."""


_PRICE = re.compile(r"[$€£] ?\d|\d ?[€£]|\d+ ?% off\b")


class Draft(NamedTuple):
    picked: list[Picked]
    headline: str
    outcome: Outcome


class Material(NamedTuple):
    """Everything about the evidence that composing looks at."""

    request: Request
    corpus: Corpus
    as_of: int
    found: list[QuoteCandidate]
    reports: dict[str, list[Report]]
    curves: dict[str, list[CountState]]
    weight_of: Callable[[str], float]
    scored: Scored
    reader: PostReader | None = None

    @property
    def topic(self) -> str:
        return self.request.topic or self.request.text

    def frame(self, key: str, **values: object) -> str:
        return lexicon.frame(self.request.lang, key, **values)

    def size(self) -> int:
        return self.request.limit or SIZES.get(self.request.task, SIZE)


def material(
    request: Request, evidence: Evidence, corpus: Corpus, as_of: int, reader: PostReader | None = None
) -> Material:
    """Read the evidence into candidates, reports of counts and scores."""
    found = [c for c in candidates(request.question, evidence, reader) if not gives_orders(c)]
    if request.members:
        found = _members(request, found)
    if not (request.question.period or request.task in ("said_by", "timeline")):
        found = newest_happening(found)
    reported = reports(request.question, evidence, found)
    curves = present_states(reported)
    weight_of = _idf(corpus)
    return Material(
        request,
        corpus,
        as_of,
        found,
        reported,
        curves,
        weight_of,
        score(request, found, curves, weight_of),
        reader,
    )


def _members(request: Request, found: Sequence[QuoteCandidate]) -> list[QuoteCandidate]:
    """The spans that name one of the kind listed; where deaths are listed, that report one of somebody by name."""
    kindred = akin_to(request.members)
    of_kind = [c for c in found if not kindred.isdisjoint(c.source.best.terms)]
    if lexicon.DIED.isdisjoint(tokens(fold(request.topic))):
        return [c for c in of_kind if c.share >= HOLDS and not kindred.isdisjoint(c.terms)]
    aside = frozenset(tokens(fold(request.text)))
    return [
        c
        for c in of_kind
        if not lexicon.DIED.isdisjoint(said := tokens(fold(c.text)))
        and lexicon.CONDITIONAL.isdisjoint(said)
        and lexicon.FEARED.isdisjoint(said)
        and reports_death(c.text, aside)
    ]


def gives_orders(candidate: QuoteCandidate) -> bool:
    """Whether a post addresses a program that reads it: such a post is no evidence."""
    text = candidate.source.best.post.text
    return bool(_ROLE.search(text)) or len(lexicon.ADDRESSES_ASSISTANTS.intersection(tokens(text))) >= 2


def newest_happening(found: Sequence[QuoteCandidate]) -> list[QuoteCandidate]:
    """The candidates since the last silence of `QUIET`, if that parts off at least `FEW` posts."""
    ordered = sorted(found, key=lambda c: (c.source.first, c.source.best.post.id))
    start = 0
    for i in range(1, len(ordered)):
        if ordered[i].source.first - ordered[i - 1].source.first > QUIET:
            posts = {c.source.best.post.id for c in ordered[i:]}
            if len(posts) >= max(FEW, 0.1 * len(ordered)):
                start = i
    since = ordered[start].source.first if ordered else 0
    return [c for c in found if c.source.first >= since]


def _idf(corpus: Corpus) -> Callable[[str], float]:
    size = corpus.num_posts + 1

    @cache
    def weight(term: str) -> float:
        return math.log(size / (corpus.doc_freq(term) + 0.5))

    return weight


def compose(m: Material) -> Draft:
    """The draft of an answer; without claims where nothing fits."""
    if not m.found:
        return Draft([], "", "not_enough_evidence")
    task = m.request.task
    if m.request.question.kind == "count" and m.request.question.measure:
        draft = _toll_over_time(m) if task in ("timeline", "changes") else _count(m)
        if draft.picked or task in ("timeline", "changes"):
            return draft
        if task == "question" and m.request.question.measure != "unit":
            return _in_other_words(m)
    draft = _BY_TASK.get(task, _question)(m)
    return draft if draft.picked or task not in ("question", "explain") else _in_other_words(m)


def _in_other_words(m: Material) -> Draft:
    """The sentences of which the reader is sure that they say what is asked, in whatever words and whatever language."""
    if m.reader is None:
        return Draft([], "", "not_enough_evidence")
    likely = sorted(range(len(m.found)), key=lambda i: (-m.scored.scores[i], i))[:READ]
    passages = [Passage(m.found[i].text, m.found[i].terms, m.found[i].source.best.post.lang) for i in likely]
    chances = m.reader.answers(passages)
    sure = [
        i
        for i, chance in zip(likely, chances, strict=True)
        if chance >= SURE and _states_something(m.found[i].text)
    ]
    chosen = [m.found[i] for i in pick(m.scored, m.size(), among=sure)]
    if not chosen:
        return Draft([], "", "not_enough_evidence")
    against = _against(m, chosen)
    ordered = paired(replaced(chosen, against, m.request.question), against, m.request.question)
    return _draft(m, ordered[: m.size()], _attribution(m, ordered[0]), "answer")


def _states_something(text: str) -> bool:
    """Whether a sentence neither asks nor supposes."""
    return lexicon.CONDITIONAL.isdisjoint(tokens(text)) and not text.rstrip("\"”'").endswith("?")


def _count(m: Material) -> Draft:
    picked, contradicted = counted(m.request.question, m.found, m.reports, m.curves)
    if not picked:
        return Draft([], "", "not_enough_evidence")
    now = m.curves[m.request.question.measure][-1]
    headline = ""
    if m.request.question.measure != "unit" and now.latest != UNDATED:
        headline = m.frame(
            "count",
            quantity=lexicon.name_of(m.request.lang, "quantities", m.request.question.measure).capitalize(),
            value=f"{now.value:,.0f}" if now.value >= 10_000 else f"{now.value:.0f}",
            time=minute(now.latest),
        )
        if now.support < 2 and not known(picked[0].candidate.source.best):
            headline = f"{m.frame('single')} {headline}"
    earlier = course(m.request.question, m.found, m.curves, 2)[:1]
    reported = {p.candidate.source.best.post.id for p in picked}
    rest = (
        [p for p in earlier if p.candidate.source.best.post.id not in reported]
        if m.request.question.newest
        else []
    )
    return Draft(
        [*picked, *rest][: m.request.limit or SIZE], headline, "conflicting" if contradicted else "answer"
    )


def _toll_over_time(m: Material) -> Draft:
    picked = course(m.request.question, m.found, m.curves, m.request.limit or SIZES["timeline"])
    picked.sort(key=lambda p: (p.candidate.source.first, p.candidate.source.best.post.id))
    line = m.curves.get(m.request.question.measure, [])
    if len(picked) < 2 or UNDATED in (line[0].since, line[-1].since):
        return Draft(picked, m.frame("timeline", topic=m.topic), "answer")
    headline = m.frame(
        "count_changed",
        quantity=lexicon.name_of(m.request.lang, "quantities", m.request.question.measure).capitalize(),
        first=f"{line[0].value:.0f}",
        last=f"{line[-1].value:.0f}",
        since=minute(line[0].since),
        until=minute(line[-1].since),
    )
    return Draft(picked, headline, "answer")


def _question(m: Material) -> Draft:
    chosen = _chosen(m, m.size())
    if not chosen:
        return Draft([], "", "not_enough_evidence")
    against = _against(m, chosen)
    chosen = replaced(chosen, against, m.request.question)
    lead = max(chosen[:3], key=lambda c: (c.share >= 0.999, -chosen.index(c)))
    ordered = paired([lead, *(c for c in chosen if c is not lead)], against, m.request.question)
    return _draft(m, ordered[: m.size()], _attribution(m, ordered[0]), "answer")


def _attribution(m: Material, lead: QuoteCandidate) -> str:
    """How many say the first claim."""
    others = agreeing(lead, m.found)
    if not others and len(lead.source.hits) == 1:
        return m.frame("single")
    return m.frame("question", posts=len({h.post.id for c in m.found for h in c.source.hits}))


def _summary(m: Material) -> Draft:
    """The lead answers: the present number of the dead where it is known; then how it came to that, earliest first."""
    chosen = [m.found[i] for i in pick(m.scored, m.size(), among=_current(m))]
    if not chosen:
        return Draft([], "", "not_enough_evidence")
    against = _against(m, chosen)
    chosen = replaced(chosen, against, m.request.question)
    state = m.curves["dead"][-1] if m.curves.get("dead") else None
    if state and state.support >= 2 and _counts_matter(m):
        chosen = _with_count(m, chosen, state)
    ordered = paired(_in_time(m, chosen, state), against, m.request.question)
    return _draft(m, ordered[: m.size()], m.frame("summary", topic=m.topic), "answer")


def _current(m: Material) -> list[int]:
    """The places of the candidates without those that give a number of the dead or injured since replaced; all where
    nothing else is left."""
    lines = {quantity: m.curves[quantity] for quantity in ("dead", "injured") if m.curves.get(quantity)}
    known = {quantity: line[-1].value for quantity, line in lines.items() if line[-1].support >= 2}
    kept = [
        i
        for i, c in enumerate(m.found)
        if all(f.part or f.quantity not in known or agrees(f, known[f.quantity]) for f in c.figures)
    ]
    return kept or list(range(len(m.found)))


def _counts_matter(m: Material) -> bool:
    """Whether the topic is a kind of event, or a part of its posts that cannot be overlooked counts the dead."""
    stating = {c.source.best.post.id for c in m.found for f in c.figures if f.quantity == "dead"}
    named = any(term.role == "event" for term in m.request.question.terms)
    return named or len(stating) >= COUNTING * len({c.source.best.post.id for c in m.found})


def _with_count(m: Material, chosen: list[QuoteCandidate], state: CountState) -> list[QuoteCandidate]:
    """`chosen` with a span that gives the number of the dead, in the language of the request if any does."""
    reported = {(r.source.best.post.id, r.span.start) for r in state.reports}
    options = [c for c in m.found if (c.source.best.post.id, c.span.start) in reported]
    own = [c for c in options if c.source.best.post.lang == m.request.question.lang]
    best = max(
        own or options, key=lambda c: (round(fitness(m.request.question, c), 9), c.source.best.post.id)
    )
    given = [c for c in chosen if _states(c, state)]
    if not given:
        return [*chosen[: m.size() - 1], best]
    if own and best not in given and not any(c in own for c in given):
        return [best if c is given[0] else c for c in chosen if c not in given[1:]]
    return chosen


def _in_time(m: Material, chosen: Sequence[QuoteCandidate], state: CountState | None) -> list[QuoteCandidate]:
    """What a person needs first in front, the others earliest first; of several with one replaced number the first."""
    stating = [c for c in chosen if state and _states(c, state)]
    own = [c for c in stating if c.source.best.post.lang == m.request.question.lang]
    lead = (own or stating or list(chosen))[0]
    reported = {f.value for f in lead.figures if f.quantity == "dead"}
    kept = [lead]
    for candidate in sorted(
        (c for c in chosen if c is not lead), key=lambda c: (c.source.first, c.source.best.post.id)
    ):
        dead = {f.value for f in candidate.figures if f.quantity == "dead"}
        if state is None or not dead or not dead <= reported:
            kept.append(candidate)
        reported |= dead
    return kept


def _states(candidate: QuoteCandidate, state: CountState) -> bool:
    """Whether a span gives that number of the dead, or one that rounds it."""
    return any(f.quantity == "dead" and agrees(f, state.value) for f in candidate.figures)


def _list(m: Material) -> Draft:
    summary = _summary(m)
    picked = summary.picked[: m.size()]
    if len(picked) < m.size() and not m.request.members:
        places = [m.found.index(p.candidate) for p in picked]
        more = pick(m.scored, m.size() - len(picked), chosen=places, worth=0.0)
        picked = [*picked, *(Picked(m.found[i], agreeing(m.found[i], m.found)) for i in more)]
    named = m.frame("listed", members=m.request.members.capitalize()) if m.request.members else ""
    return Draft(picked, named or m.frame("list", topic=m.topic), summary.outcome)


def _timeline(m: Material) -> Draft:
    """One line per development: the best span of each of as many stretches of time as there are to be lines."""
    order = sorted(
        range(len(m.found)), key=lambda i: (m.found[i].source.first, m.found[i].source.best.post.id)
    )
    good = _dated(m, [i for i in order if m.scored.scores[i] >= 0.1 * m.scored.scores.max()])
    chosen: list[int] = []
    for part in (*_by_duration(m, good), *_by_number(m, good)):
        if len(chosen) < m.size():
            chosen += pick(m.scored, 1, among=part, chosen=chosen)
    lines = _undenied(m, [m.found[i] for i in chosen])
    lines.sort(key=lambda c: (c.source.first, c.source.best.post.id))
    return _draft(m, lines, m.frame("timeline", topic=m.topic))


def _dated(m: Material, order: Sequence[int]) -> list[int]:
    """The candidates that have a time; all where none has."""
    return [i for i in order if m.found[i].source.first != UNDATED] or list(order)


def _by_duration(m: Material, order: Sequence[int]) -> list[list[int]]:
    """Candidates in time order, cut into half as many stretches of equal duration as there are to be lines."""
    first, last = m.found[order[0]].source.first, m.found[order[-1]].source.first
    parts: list[list[int]] = [[] for _ in range(max(2, m.size() // 2))]
    for i in order:
        share = (m.found[i].source.first - first) / max(last - first, 1)
        parts[min(int(share * len(parts)), len(parts) - 1)].append(i)
    return [part for part in parts if part]


def _by_number(m: Material, order: Sequence[int]) -> list[list[int]]:
    """Candidates in time order, cut into as many stretches of equally many as there are to be lines."""
    return [part.tolist() for part in np.array_split(np.array(order, dtype=int), min(m.size(), len(order)))]


def _latest(m: Material) -> Draft:
    """The best of the newest, newest first."""
    good = _dated(m, [i for i in range(len(m.found)) if m.scored.scores[i] >= 0.2 * m.scored.scores.max()])
    newest = max((m.found[i].source.first for i in good), default=0)
    for hours in (6, 24, 96, 24 * 365):
        recent = [i for i in good if m.found[i].source.first >= newest - hours * DAY // 24]
        if len({m.found[i].source.best.post.id for i in recent}) >= 2 * m.size():
            break
    chosen = _undenied(m, [m.found[i] for i in pick(m.scored, m.size(), among=recent)])
    chosen.sort(key=lambda c: (-c.source.first, c.source.best.post.id))
    period = m.request.question.period
    if m.request.task == "changes" and period:
        headline = m.frame("changes", topic=m.topic, since=minute(period.since))
    else:
        headline = m.frame("latest", topic=m.topic)
    return _draft(m, chosen, headline)


def _sides(texts: Sequence[str]) -> list[int]:
    """For each text 1 for praise, -1 for blame, 0 where neither is clear: half-hearted, asked, in jest, in mourning or
    an offer."""
    return [
        0 if _is_aside(text) else 1 if praise >= CLEAR else -1 if blame >= CLEAR else 0
        for text, (blame, _, praise) in zip(texts, tones(texts).tolist(), strict=True)
    ]


def _is_aside(text: str) -> bool:
    """Whether the tone of a text says nothing of what its writer thinks of the topic."""
    said = tokens(fold(text))
    jest = not lexicon.JOKES.isdisjoint(said) or not lexicon.MOURNING.isdisjoint(said)
    return len(said) < SHORT or jest or text.rstrip("\"”'").endswith("?") or bool(_PRICE.search(text))


def _without_topic(m: Material, text: str) -> str:
    """A text without the words of the topic: "The Great Gatsby" praises nothing."""
    topic = set(tokens(fold(m.topic)))
    return " ".join(word for word in text.split() if topic.isdisjoint(tokens(fold(word))))


def _opinions(m: Material) -> Draft:
    """Both sides with a quote each, and their shares among the posts with a clear opinion of the topic itself."""
    spoken = [i for i, c in enumerate(m.found) if c.near >= HOLDS / 2 and not c.text.endswith("?")]
    signs = dict(zip(spoken, _sides([_without_topic(m, m.found[i].text) for i in spoken]), strict=True))
    signs = {i: sign if m.found[i].share >= NAMED else 0 for i, sign in signs.items()}
    sides = {sign: [i for i in spoken if signs[i] == sign] for sign in (1, -1, 0)}
    half = max(1, (m.size() + 1) // 2)
    liked = pick(m.scored, half, among=sides[1], worth=0.0)
    disliked = pick(m.scored, half, among=sides[-1], chosen=liked, worth=0.0)
    others = pick(m.scored, m.size() - len(liked) - len(disliked), among=sides[0], chosen=[*liked, *disliked])
    chosen = [*liked, *disliked, *others]
    labels = {1: m.frame("positive"), -1: m.frame("negative"), 0: m.frame("other")}
    picked = [Picked(m.found[i], agreeing(m.found[i], m.found), labels[signs[i]]) for i in chosen]
    posts = [{m.found[i].source.best.post.id for i in sides[sign]} for sign in (1, -1)]
    total = len(posts[0] | posts[1])
    if total < CLEAR_POSTS:
        return Draft(picked, m.frame("mixed", topic=m.topic), "answer")
    positive = round(100 * len(posts[0]) / (len(posts[0]) + len(posts[1])))
    headline = m.frame("opinions", topic=m.topic, positive=positive, negative=100 - positive, total=total)
    return Draft(picked, headline, "answer")


def _explain(m: Material) -> Draft:
    """The spans that give a reason; any on the topic only where none does."""
    own = frozenset(tokens(fold(m.request.text)))
    causal = [i for i, c in enumerate(m.found) if (lexicon.CAUSE - own).intersection(tokens(c.text)[1:])]
    chosen = [m.found[i] for i in pick(m.scored, m.size(), among=causal or None)]
    if not chosen:
        return Draft([], "", "not_enough_evidence")
    against = _against(m, chosen)
    ordered = paired(replaced(chosen, against, m.request.question), against, m.request.question)
    return _draft(m, ordered[: m.size()], m.frame("explain"), "answer")


def _verify(m: Material) -> Draft:
    """The verdict with the number of posts on each side; denials first."""
    names = [term for term in m.request.question.terms if term.role == "name"]
    needed = [term for term in m.request.question.terms if term.needed]
    whole = full_names(m.request.topic)
    about = [
        i
        for i, c in enumerate(m.found)
        if all(not t.forms.isdisjoint(c.source.best.terms) for t in names)
        and (not whole or any(name in fold(c.source.best.post.text) for name in whole))
        and _predicate(m.request.question, frozenset(c.source.best.terms)) >= HOLDS / 2
    ]

    def says_it(candidate: QuoteCandidate) -> bool:
        """Whether the sentence itself holds the claim: two sentences of one post, one with the name and one with the
        word, do not."""
        return _predicate(m.request.question, candidate.terms) >= HOLDS and all(
            not term.forms.isdisjoint(candidate.terms) for term in needed
        )

    claimed = _claimed(m.request.question)
    opposed = _opposed(m.request.question)
    against = [
        i
        for i in about
        if denies(m.found[i].text)
        or (_contradicts(opposed, m.request.question, m.found[i]) and _states_something(m.found[i].text))
        or (
            _predicate(m.request.question, m.found[i].terms) >= NEGATED
            and says_it(m.found[i])
            and negates(m.found[i].text, claimed)
        )
    ]
    said = [
        i
        for i in about
        if m.found[i].share >= HOLDS
        and says_it(m.found[i])
        and i not in against
        and lexicon.CONDITIONAL.isdisjoint(tokens(m.found[i].text))
        and not m.found[i].text.rstrip("\"”'").endswith("?")
    ]
    against = _standing(m, against, said)
    supporting, denying = _voices(m, _unrepeated(m, said)), _voices(m, against)
    if not supporting and not denying:
        return _nearly(m)
    verdict, outcome = _verdict(m, supporting, denying, said)
    first = pick(m.scored, 2, among=against, worth=0.0)
    if verdict == "unverified":
        hedged = [i for i in about if _is_hedged(m.found[i].text) and _states_something(m.found[i].text)]
        first = pick(m.scored, 1, among=hedged, worth=0.0)
    claims = pick(m.scored, m.size() - len(first), among=said, chosen=first)
    headline = m.frame(verdict, supporting=supporting, denying=denying)
    return _draft(m, [m.found[i] for i in [*first, *claims]], headline, outcome)


def _voices(m: Material, places: Sequence[int]) -> int:
    """Posts by authors that are not known to be one and the same."""
    groups = [m.found[i].source for i in places]
    return len({group.voice or group.best.post.id for group in groups})


def _unrepeated(m: Material, places: Sequence[int]) -> list[int]:
    """The places of those posts that say something in words of their own, earliest first: one that holds hardly any
    word, those of the request aside, that no earlier one holds only passes it on."""
    aside = frozenset().union(*(term.forms for term in m.request.question.terms)) | lexicon.REPORTING
    said: set[str] = set()
    kept: list[int] = []
    for i in sorted(places, key=lambda i: (m.found[i].source.first, m.found[i].source.best.post.id)):
        own = m.found[i].terms - aside - lexicon.ANY_STOPWORD
        if not kept or len(own - said) > PASSED_ON * len(own):
            kept.append(i)
        said |= own
    return kept


def _claimed(question: Question) -> frozenset[str]:
    """The index terms of what is claimed: of the words that are no names, or of the names where that is all."""
    said = [term for term in question.terms if term.role in ("word", "event")]
    return frozenset().union(*(term.forms for term in said or question.terms))


def _predicate(question: Question, held: frozenset[str]) -> float:
    """The share of what is claimed, by weight, among the index terms `held`, names left aside; 1 where that is all."""
    said = [term for term in question.terms if term.role in ("word", "event")]
    total = sum(term.weight for term in said)
    return sum(term.weight for term in said if not term.forms.isdisjoint(held)) / total if total else 1.0


def _opposed(question: Question) -> Question | None:
    """The question with the opposite of what it claims ("did the bill pass": fail); None where that has none."""
    terms = [
        term._replace(forms=frozenset(form for word in other for form in query_terms(word)))
        if (other := lexicon.OPPOSITES.get(term.text))
        else term
        for term in question.terms
    ]
    return question._replace(terms=tuple(terms)) if terms != list(question.terms) else None


def _contradicts(opposed: Question | None, question: Question, candidate: QuoteCandidate) -> bool:
    """Whether a sentence says the opposite of the claim, in words of its own."""
    if opposed is None or _predicate(opposed, candidate.terms) < HOLDS:
        return False
    changed = [(a, b) for a, b in zip(opposed.terms, question.terms, strict=True) if a != b]
    return all(
        not a.forms.isdisjoint(candidate.terms) and b.forms.isdisjoint(candidate.terms) for a, b in changed
    )


def _standing(m: Material, against: Sequence[int], said: Sequence[int]) -> list[int]:
    """The denials that hold: not those since which `FEW` posts, and more than deny it since, say that it is so now."""

    def later(places: Sequence[int], at: int) -> int:
        return _voices(m, [i for i in places if m.found[i].source.first > at])

    return [
        i
        for i in against
        if (since := later(said, m.found[i].source.first)) < FEW
        or since <= later(against, m.found[i].source.first)
    ]


def _nearly(m: Material) -> Draft:
    """What is said in other words than the claim's, where that holds most of them."""
    places = [
        i
        for i, c in enumerate(m.found)
        if c.share >= NEARLY
        and _predicate(m.request.question, c.terms) >= NEARLY
        and _states_something(c.text)
    ]
    chosen = [m.found[i] for i in pick(m.scored, m.size(), among=places)]
    if not chosen:
        return Draft([], "", "not_enough_evidence")
    against = _against(m, chosen)
    ordered = paired(replaced(chosen, against, m.request.question), against, m.request.question)
    return _draft(m, ordered[: m.size()], _attribution(m, ordered[0]), "answer")


def _is_hedged(text: str) -> bool:
    """Whether a text passes on hearsay, or asks."""
    return not lexicon.HEARSAY.isdisjoint(tokens(text)) or text.rstrip().endswith("?")


def _verdict(m: Material, supporting: int, denying: int, said: Sequence[int]) -> tuple[str, Outcome]:
    hedged = sum(_is_hedged(m.found[i].text) for i in said)
    if denying and 2 * denying >= supporting:
        return "denied", "conflicting"
    if denying:
        return "disputed", "conflicting"
    if supporting < FEW or 2 * hedged >= supporting:
        return "unverified", "answer"
    return "mentioned", "answer"


def _said_by(m: Material) -> Draft:
    chosen = _chosen(m, m.size(), worth=0.02)
    return _draft(m, chosen, m.frame("said_by", author=_handle(m), topic=m.topic) if chosen else "")


def _handle(m: Material) -> str:
    return next((c.source.best.post.author for c in m.found if c.source.best.post.author), m.request.author)


_BY_TASK: dict[str, Callable[[Material], Draft]] = {
    "summary": _summary,
    "list": _list,
    "timeline": _timeline,
    "latest": _latest,
    "changes": _latest,
    "opinions": _opinions,
    "explain": _explain,
    "verify": _verify,
    "said_by": _said_by,
}


def _chosen(m: Material, limit: int, worth: float = 0.15) -> list[QuoteCandidate]:
    return [m.found[i] for i in pick(m.scored, limit, worth=worth)]


def _against(m: Material, chosen: Sequence[QuoteCandidate]) -> dict[str, Denied]:
    """What is said against the chosen spans, in other posts on the topic and in replies to them."""
    return heard(chosen, m.corpus, m.as_of) | denied(m.request.question, m.found, m.weight_of)


def _undenied(m: Material, chosen: Sequence[QuoteCandidate]) -> list[QuoteCandidate]:
    """`chosen` with the denial in place of each claim that is outweighed."""
    return replaced(chosen, _against(m, chosen), m.request.question)


def _draft(
    m: Material, ordered: Sequence[QuoteCandidate], headline: str, outcome: Outcome = "answer"
) -> Draft:
    picked = [Picked(candidate, agreeing(candidate, m.found)) for candidate in ordered]
    return Draft(picked, headline, outcome if picked else "not_enough_evidence")


def age_note(m: Material, groups: Sequence[PostGroup]) -> str:
    """A sentence on how old the newest evidence is, where it is old; empty where it is not."""
    newest = max((group.first for group in groups), default=m.as_of)
    if (
        newest == UNDATED
        or m.as_of - newest < OLD
        or m.request.question.period
        or m.request.task == "said_by"
    ):
        return ""
    return m.frame("old", time=minute(newest), days=(m.as_of - newest) // DAY)
