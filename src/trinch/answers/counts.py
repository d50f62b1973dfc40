"""What to quote for a count: its present state, what contradicts it, other quantities beside it, and how it came to be."""

from collections.abc import Mapping, Sequence

from trinch.answers.candidates import QuoteCandidate, fitness
from trinch.answers.claims import Picked
from trinch.answers.count_timeline import HOUR, CountState, Report, agrees
from trinch.answers.count_timeline import states as every_state
from trinch.answers.question import Question

OVERTAKEN = 12 * HOUR
"""A number that nobody has given for so long before the newest one has been replaced."""
CONFLICT = 0.1
"""Two counts that differ by more than this share are shown as a conflict, not as one count seen twice."""


class _Picker:
    """Picks spans that state a count, each from another post."""

    def __init__(
        self,
        asked: Question,
        found: Sequence[QuoteCandidate],
        now: CountState,
        others: Mapping[str, CountState],
    ) -> None:
        self._asked, self._now, self._others = asked, now, others
        self._spans = {(c.source.best.post.id, c.span.start): c for c in found}
        self._used: set[str] = set()
        self.picked: list[Picked] = []

    def _span(self, report: Report) -> QuoteCandidate:
        return self._spans[report.source.best.post.id, report.span.start]

    def add(self, state: CountState, beside: bool = False) -> None:
        """Quote the fittest report of a state; with `beside`, none that gives a replaced number of what is asked."""
        options = [
            r
            for r in state.reports
            if r.source.best.post.id not in self._used
            and not (beside and _is_stale(self._span(r), self._now, self._asked))
        ]
        if not options:
            return
        best = max(
            options,
            key=lambda r: (
                state is not self._now or not _is_outdated(self._span(r), self._others),
                round(fitness(self._asked, self._span(r)), 9),
                r.source.best.post.id,
            ),
        )
        post = best.source.best.post
        agreeing = [
            (r.source, r.span.start, r.span.end) for r in state.reports if r.source.best.post.id != post.id
        ]
        self._used.add(post.id)
        self.picked.append(Picked(self._span(best), agreeing))

    def quotes(self, quantity: str) -> bool:
        """Whether a picked span states that quantity already."""
        return any(f.quantity == quantity for picked in self.picked for f in picked.candidate.figures)


def counted(
    asked: Question,
    found: Sequence[QuoteCandidate],
    reported: dict[str, list[Report]],
    curves: dict[str, list[CountState]],
) -> tuple[list[Picked], bool]:
    """The spans to quote, the present state first; and whether a second count contradicts it."""
    line = curves.get(asked.measure, [])
    if not line:
        return [], False
    now = line[-1]
    others = {
        quantity: states[-1]
        for quantity, states in curves.items()
        if quantity != asked.measure and states and states[-1].support >= 2
    }
    picker = _Picker(asked, found, now, others)
    picker.add(now)
    rivals = sorted(
        _rivals(reported.get(asked.measure, []), line), key=lambda s: (-s.support, -s.since, s.value)
    )
    for rival in rivals[:1]:
        picker.add(rival)
    for quantity in ("missing", "injured"):
        beside = others.get(quantity)
        if (
            asked.measure == "dead"
            and beside
            and beside.latest >= now.since  # an older one may have been overtaken, as the count was
            # Who was missing may be among the dead by now.
            and (quantity != "missing" or beside.latest > now.latest - OVERTAKEN)
            and not picker.quotes(quantity)
        ):
            picker.add(beside, beside=True)
    return picker.picked, bool(rivals)


def _rivals(reported: Sequence[Report], line: Sequence[CountState]) -> list[CountState]:
    """Counts as new as the present one that two sources give and that differ from all believed so far."""
    now = line[-1]
    return [
        state
        for state in every_state(reported)
        if abs(state.value - now.value) > CONFLICT * now.value
        and state.support >= 2
        and state.since > now.since - 3 * HOUR
        and state.latest > now.latest - OVERTAKEN
        and not any(agrees(r.figure, now.value) for r in state.reports)
        and state.value > 0.05 * now.value
        and state.firm in ("exact", "over")
        and not any(agrees(r.figure, older.value) for r in state.reports for older in line[:-1])
        and state.value >= max((older.value for older in line[:-1] if older.value < now.value), default=0.0)
    ]


def course(
    asked: Question, found: Sequence[QuoteCandidate], curves: dict[str, list[CountState]], most: int
) -> list[Picked]:
    """Up to `most` states of a count from its first to its present one, evenly spread, in time order."""
    line = curves.get(asked.measure, [])
    if not line:
        return []
    size = min(most, len(line))
    places = [round(i * (len(line) - 1) / max(size - 1, 1)) for i in range(size)]
    picker = _Picker(asked, found, line[-1], {})
    for place in dict.fromkeys(places):
        picker.add(line[place])
    return picker.picked


def _is_stale(candidate: QuoteCandidate, now: CountState, asked: Question) -> bool:
    """Whether a sentence gives a number of what is asked that has been replaced."""
    stated = [f for f in candidate.figures if f.quantity == asked.measure]
    return bool(stated) and not any(agrees(f, now.value) for f in stated)


def _is_outdated(candidate: QuoteCandidate, present: Mapping[str, CountState]) -> bool:
    """Whether a sentence gives, of anything, a number that has been replaced."""
    return any(
        figure.quantity in present and not agrees(figure, present[figure.quantity].value)
        for figure in candidate.figures
    )
