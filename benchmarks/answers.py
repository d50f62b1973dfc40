"""Answers on the real posts of ../shared/data: are they given when they can be, and withheld when they cannot?

    python -m benchmarks.answers STORE [--split test] [--show]

STORE is a folder filled by `trinch ingest --data STORE ../shared/data/replay/*.zst ../shared/data/social/*.zst`.
Prints, for the split: answerable questions answered, and answered as expected; unanswerable ones withheld; the toll
of the Rana Plaza collapse followed over a month; time per question, and CPU time inside `answers` alone.
"""

import argparse
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.answers_questions import DEV, SPENT, TEST, Case
from trinch.answers.answer import answer
from trinch.answers.quantities import figures
from trinch.answers.render import plain
from trinch.answers.types import Answer
from trinch.store.store import Store

TOLL_QUESTIONS = (
    "how many people died in Savar",
    "death toll Bangladesh building collapse",
    "combien de morts à Savar",
)
TOLL: tuple[tuple[str, int, int], ...] = (
    ("2013-04-24T10:00Z", 60, 82),
    ("2013-04-24T13:00Z", 76, 100),
    ("2013-04-24T18:00Z", 82, 110),
    ("2013-04-24T23:00Z", 87, 125),
    ("2013-04-25T06:00Z", 145, 165),
    ("2013-04-25T12:00Z", 147, 200),
    ("2013-04-25T16:10Z", 191, 240),
    ("2013-04-25T22:00Z", 238, 260),
    ("2013-04-26T08:00Z", 270, 290),
    ("2013-04-26T12:00Z", 285, 304),
    ("2013-04-26T23:00Z", 290, 310),
    ("2013-04-27T09:00Z", 324, 337),
    ("2013-04-27T19:00Z", 350, 355),
    ("2013-04-28T08:00Z", 359, 363),
    ("2013-04-28T14:00Z", 362, 372),
    ("2013-04-29T12:00Z", 370, 400),
    ("2013-04-30T12:00Z", 372, 400),
    ("2013-05-01T06:00Z", 400, 413),
    ("2013-05-02T00:00Z", 400, 413),
    ("2013-05-02T12:00Z", 413, 430),
    ("2013-05-03T05:00Z", 430, 450),
    ("2013-05-03T18:00Z", 450, 510),
    ("2013-05-04T12:00Z", 530, 550),
    ("2013-05-05T05:00Z", 545, 580),
    ("2013-05-05T18:00Z", 600, 620),
    ("2013-05-06T06:00Z", 610, 622),
    ("2013-05-06T18:00Z", 622, 650),
    ("2013-05-07T12:00Z", 675, 710),
    ("2013-05-08T08:00Z", 750, 761),
    ("2013-05-08T20:00Z", 800, 820),
    ("2013-05-09T06:00Z", 892, 912),
    ("2013-05-09T18:00Z", 900, 930),
    ("2013-05-10T03:10Z", 1000, 1006),
    ("2013-05-10T06:00Z", 1006, 1034),
    ("2013-05-10T18:00Z", 1021, 1041),
    ("2013-05-11T20:00Z", 1041, 1119),
    ("2013-05-12T12:00Z", 1100, 1119),
    ("2013-05-13T20:00Z", 1119, 1127),
    ("2013-05-16T00:00Z", 1127, 1127),
    ("2013-05-21T00:00Z", 1127, 1130),
    ("2013-05-30T00:00Z", 1127, 1130),
)
"""Between which numbers the toll stood at a time, read by hand from the posts: the last well-reported count and the
newest one. The rules of `states.py` were made on this curve, so it shows that they hold, not that they transfer."""


class Metered:
    """The store's door with a meter: CPU seconds spent behind it."""

    def __init__(self, store: Store) -> None:
        self.store, self.seconds = store, 0.0

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self.store, name)
        if not callable(inner):
            return inner

        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.process_time()
            try:
                return inner(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - started

        return call


def micros(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1_000_000


def as_expected(case: Case, given: Answer) -> bool:
    if case.expect is None:
        return given.outcome == "not_enough_evidence"
    return (
        given.outcome == "answer"
        and bool(re.search(case.expect, given.answer, re.IGNORECASE))
        and bool(re.search(case.first, given.claims[0].text, re.IGNORECASE))
    )


def sound(given: Answer, store: Store) -> bool:
    """Whether every citation holds when the post is looked up again."""
    for claim in given.claims:
        for citation in claim.citations:
            hit = store.get(citation.id, given.as_of)
            if hit is None or hit.post.text[citation.start : citation.end] != citation.quote:
                return False
    return True


def questions(store: Store, cases: Sequence[Case], show: bool) -> None:
    tally = {"answerable": [0, 0, 0], "unanswerable": [0, 0]}
    wall, cpu, unsound = [], [], 0
    meter = Metered(store)
    for case in cases:
        meter.seconds = 0.0
        started, worked = time.perf_counter(), time.process_time()
        given = answer(meter, case.question, micros(case.as_of))
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - worked - meter.seconds)
        unsound += not sound(given, store)
        good = as_expected(case, given)
        if case.expect is None:
            tally["unanswerable"][0] += 1
            tally["unanswerable"][1] += good
        else:
            tally["answerable"][0] += 1
            tally["answerable"][1] += given.outcome == "answer"
            tally["answerable"][2] += good
        if show or not good:
            print(f"{'ok  ' if good else 'MISS'} {case.question} | {case.as_of}")
            if show or case.expect is None:
                print("     " + plain(given).split("\n\n")[0].replace("\n", "\n     "))
    asked, given_any, right = tally["answerable"]
    barred, withheld = tally["unanswerable"]
    print(
        f"answerable: {asked}, answered {given_any} ({given_any / asked:.1%}), as expected {right} ({right / asked:.1%})"
    )
    print(f"unanswerable: {barred}, withheld {withheld} ({withheld / barred:.1%})")
    print(f"citations that do not hold: {unsound}")
    for name, values in (("wall", wall), ("CPU inside answers", cpu)):
        ordered = sorted(value * 1000 for value in values)
        print(
            f"{name}, ms: p50 {ordered[len(ordered) // 2]:.0f}, p95 {ordered[int(len(ordered) * 0.95)]:.0f}, max {ordered[-1]:.0f}"
        )


def toll(store: Store, show: bool) -> None:
    for question in TOLL_QUESTIONS:
        right = 0
        for as_of, low, high in TOLL:
            given = answer(store, question, micros(as_of))
            stated = figures(given.claims[0].text) if given.claims else ()
            good = any(f.quantity == "dead" and low <= f.value <= high for f in stated)
            right += good
            if show or not good:
                said = given.claims[0].text if given.claims else "nothing"
                print(f"{'ok  ' if good else 'MISS'} {as_of} [{low}, {high}]: {said}")
        print(f"moving toll, {question!r}: {right} of {len(TOLL)}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store")
    parser.add_argument("--split", choices=["dev", "spent", "test"], default="test")
    parser.add_argument("--no-toll", action="store_true")
    parser.add_argument("--show", action="store_true", help="print every answer")
    options = parser.parse_args()
    store = Store.open(options.store)
    questions(store, {"dev": DEV, "spent": SPENT, "test": TEST}[options.split], options.show)
    if not options.no_toll:
        toll(store, options.show)


if __name__ == "__main__":
    main()
