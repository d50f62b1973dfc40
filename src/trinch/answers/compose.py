"""Which claims an answer holds, in which order and under which headline, by the task of the request."""

from collections.abc import Callable, Sequence

from trinch.answers import lexicon
from trinch.answers.claims import known
from trinch.answers.contradictions import paired, replaced
from trinch.answers.counts import counted, course
from trinch.answers.evidence import PostGroup
from trinch.answers.material import (
    HOLDS,
    SIZE,
    SIZES,
    Draft,
    Material,
    against,
    attribution,
    chosen_spans,
    count_headline,
    draft_of,
    states_something,
    with_denials,
)
from trinch.answers.opinions import opinions
from trinch.answers.overviews import latest, listed, summary, timeline
from trinch.answers.ranking import DAY, pick
from trinch.answers.reasons import explain
from trinch.answers.render import minute
from trinch.answers.verdicts import verify
from trinch.posts.schema import UNDATED
from trinch.posts.text import fold, tokens
from trinch.reader import Passage

READ = 100
"""Sentences read where no rule of a task finds an answer."""
SURE = 0.5
"""Least probability that such a sentence answers."""
OLD = 7 * DAY
"""Where the newest post is older than this, the answer says so."""


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
            return _roughly(m) or _in_other_words(m)
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
        if chance >= SURE and states_something(m.found[i].text)
    ]
    chosen = [m.found[i] for i in pick(m.scored, m.size(), among=sure)]
    if not chosen:
        return Draft([], "", "not_enough_evidence")
    ordered = with_denials(m, chosen)
    return draft_of(m, ordered[: m.size()], attribution(m, ordered[0]), "answer")


def _roughly(m: Material) -> Draft | None:
    """The sentences that count roughly ("dozens killed"), newest first; None where none does."""
    counted = lexicon.MEASURES[m.request.question.measure]
    places = [
        i
        for i, c in enumerate(m.found)
        if not lexicon.ROUGHLY.isdisjoint(said := tokens(fold(c.text)))
        and not counted.isdisjoint(said)
        and states_something(c.text)
        and c.near >= HOLDS
    ]
    chosen = [m.found[i] for i in pick(m.scored, m.size(), among=places)]
    chosen.sort(key=lambda c: (-c.source.first, c.source.best.post.id))
    return draft_of(m, chosen, attribution(m, chosen[0]), "answer") if chosen else None


def _count(m: Material) -> Draft:
    picked, contradicted = counted(m.request.question, m.found, m.reports, m.curves)
    if not picked:
        return Draft([], "", "not_enough_evidence")
    now = m.curves[m.request.question.measure][-1]
    headline = ""
    if m.request.question.measure != "unit":
        headline = count_headline(m, m.request.question.measure)
    if headline and now.support < 2 and not known(picked[0].candidate.source.best):
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
    chosen = chosen_spans(m, m.size())
    if not chosen:
        return Draft([], "", "not_enough_evidence")
    denials = against(m, chosen)
    chosen = replaced(chosen, denials, m.request.question)
    lead = max(chosen[:3], key=lambda c: (c.share >= 0.999, -chosen.index(c)))
    ordered = paired([lead, *(c for c in chosen if c is not lead)], denials, m.request.question)
    return draft_of(m, ordered[: m.size()], attribution(m, ordered[0]), "answer")


def _said_by(m: Material) -> Draft:
    chosen = chosen_spans(m, m.size(), worth=0.02)
    return draft_of(m, chosen, m.frame("said_by", author=_handle(m), topic=m.topic) if chosen else "")


def _handle(m: Material) -> str:
    return next((c.source.best.post.author for c in m.found if c.source.best.post.author), m.request.author)


_BY_TASK: dict[str, Callable[[Material], Draft]] = {
    "summary": summary,
    "list": listed,
    "timeline": timeline,
    "latest": latest,
    "changes": latest,
    "opinions": opinions,
    "explain": explain,
    "verify": verify,
    "said_by": _said_by,
}


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
