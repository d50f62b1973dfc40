"""The rerun of the independent reader's requests: what counts as right, refused and wrong, and that the cases are sound."""

import re

import pytest
from benchmarks.eval_independent import CASES, judged
from benchmarks.reader.files import rows

KINDS = {
    "lead answers",
    "partly",
    "lead does not answer",
    "another topic",
    "wrong or old number",
    "false verdict or claim",
    "refused though answerable",
    "refused rightly",
}


def answer(headline: str, *claims: str, outcome: str = "answer") -> dict[str, object]:
    return {"outcome": outcome, "headline": headline, "claims": [{"text": text} for text in claims]}


REFUSED = answer("Not enough evidence.", outcome="not_enough_evidence")


@pytest.mark.parametrize(
    ("case", "given", "verdict"),
    [
        ({"must": ["ten"]}, answer("Dead: 10", "so far", "ten dead"), "right"),
        ({"must": ["ten"]}, answer("Dead: 10", "so far", "later", "ten dead"), "wrong"),
        ({"must": ["ten"], "read": "all"}, answer("Dead: 10", "so far", "later", "ten dead"), "right"),
        ({"must": ["ten"], "must_not": ["nine"]}, answer("Dead: nine", "ten dead"), "wrong"),
        ({"must": ["ten"]}, REFUSED, "refused"),
        ({"withhold": "must"}, REFUSED, "right"),
        ({"withhold": "must"}, answer("Reasons:", "it rained"), "wrong"),
        ({"withhold": "must", "corrects": "never resigned"}, answer("He never resigned"), "right"),
        ({"withhold": "may", "must": ["ten"]}, answer("Dead:", "ten"), "right"),
        ({"chat": True}, answer("Hello!", outcome="chat"), "right"),
        ({"chat": True}, REFUSED, "wrong"),
    ],
)
def test_an_answer_is_judged_by_its_first_lines(case, given, verdict) -> None:
    assert judged(case, given) == verdict


def test_cases_are_split_by_event_and_their_patterns_compile() -> None:
    cases = list(rows(CASES))
    assert len({case["id"] for case in cases}) == len(cases)
    halves: dict[str, set[str]] = {}
    for case in cases:
        halves.setdefault(case["half"], set()).add(case["event"])
        assert case["found"] in KINDS
        assert "must" in case or "withhold" in case or "chat" in case, case["id"]
        for pattern in [*case.get("must", ()), *case.get("must_not", ()), case.get("corrects", "")]:
            re.compile(pattern)
    assert not halves["a"] & halves["b"]
