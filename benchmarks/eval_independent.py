"""The requests of an independent reader, judged again by patterns of what the posts say.

    python -m benchmarks.eval_independent --data STORE [--sample FOLDER] [--half a|b|sample] [--show]

Somebody who did not write the code typed the requests, read each answer and noted what was found (`found`, of the commit
read then); `benchmarks/data/reader/independent.jsonl` keeps requests, findings, patterns and ids of posts, no text. Half `a` was
given to the authors of the answers, half `b` (other events) was not. The requests of `sample` ask about the bundled sample:
FOLDER is made by `trinch demo --offline --data FOLDER`.

An answer is right if all of `must` match its headline and first two claims (`"read": "all"`: any claim) and nothing of `must_not`
matches its headline and first claim. `withhold` names the requests that no post answers: a refusal is right, or an
answer that matches `corrects`.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.eval import asked
from benchmarks.reader.files import rows
from trinch.store.store import Store

CASES = Path("benchmarks/data/reader/independent.jsonl")


def judged(case: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """`right`, `refused` (a post answers) or `wrong`."""
    if case.get("chat"):
        return "right" if given["outcome"] == "chat" else "wrong"
    claims = [claim["text"] for claim in given["claims"]]
    first, lead, whole = ("\n".join([given["headline"], *claims[:n]]) for n in (1, 2, None))
    if given["outcome"] == "not_enough_evidence":
        return "right" if "withhold" in case else "refused"
    if any(re.search(pattern, first, re.I) for pattern in case.get("must_not", ())):
        return "wrong"
    if case.get("withhold") == "must":
        return "right" if re.search(case.get("corrects", "(?!)"), lead, re.I) else "wrong"
    text = whole if case.get("read") == "all" else lead
    return "right" if all(re.search(pattern, text, re.I) for pattern in case["must"]) else "wrong"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--sample", type=Path, help="the store of `trinch demo`; its requests are left out without"
    )
    parser.add_argument("--half", choices=("a", "b", "sample"))
    parser.add_argument("--show", action="store_true", help="print each answer that is not right")
    options = parser.parse_args()
    stores = {"a": Store.open(options.data)}
    stores["b"] = stores["a"]
    if options.sample:
        stores["sample"] = Store.open(options.sample)
    by_half: dict[str, Counter[str]] = {}
    by_task: dict[str, Counter[str]] = {}
    for case in rows(CASES):
        half = case["half"]
        if half not in stores or options.half not in (None, half):
            continue
        given = asked(stores[half], case)
        verdict = judged(case, given)
        by_half.setdefault(half, Counter())[verdict] += 1
        by_task.setdefault(case["task"], Counter())[verdict] += 1
        if options.show and verdict != "right":
            shown = [given["headline"], *(claim["text"] for claim in given["claims"][:2])]
            asked_for = json.dumps([case["id"], *case["turns"]], ensure_ascii=False)
            print(verdict, asked_for, *shown, sep="\n    ")
    print(f"{'requests':<16}{'n':>5}{'right':>8}{'refused':>9}{'wrong':>8}")
    for name, counts in [*sorted(by_half.items()), *sorted(by_task.items())]:
        print(f"{name:<16}{counts.total():>5}{counts['right']:>8}{counts['refused']:>9}{counts['wrong']:>8}")


if __name__ == "__main__":
    main()
