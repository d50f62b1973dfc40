"""The scoreboard of answers: the natural questions of the shared cases, by task, in one process.

    python -m benchmarks.eval --data STORE [--cases DIR] [--beside] [--show]

STORE is a folder filled by `trinch ingest` from the replay and social collections of the shared data, without labels
and without final counts. Rules were made while these cases were looked at, so the numbers are no held-out measure
(`benchmarks.eval_heldout` is one). With --beside the five best keyword matches, untouched, are scored beside it.
"""

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from trinch.answers.render import as_json
from trinch.posts.times import iso
from trinch.service.ask import answer, interpret
from trinch.service.stories import catch_up
from trinch.store.query import parse_time
from trinch.store.store import Store

CASES = Path("../shared/cases")


def scorer(folder: Path) -> ModuleType:
    """The module `score.py` of the cases."""
    spec = importlib.util.spec_from_file_location("score", folder / "score.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"no score.py in {folder}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(store: Store, case: dict[str, Any]) -> dict[str, Any]:
    """The answer to a case, in the native shape."""
    *earlier, question = case["turns"]
    request = interpret(
        question, earlier=earlier, where=case.get("where") or "", as_of=parse_time(case["as_of"])
    )
    return as_json(answer(store, request))


def keyword_matches(store: Store, case: dict[str, Any]) -> dict[str, Any]:
    """The five best keyword matches, as an answer: what any search box would do."""
    moment = parse_time(case["as_of"])
    hits = store.retrieve(case["turns"][-1], limit=5, as_of=moment, where=case.get("where") or "")
    claims = [
        {
            "text": hit.post.text,
            "as_of": iso(hit.at),
            "citations": [
                {
                    "id": hit.post.id,
                    "author": hit.post.author,
                    "created_at": iso(hit.post.created_at),
                    "quote": hit.post.text,
                }
            ],
        }
        for hit in hits
    ]
    return {
        "outcome": "answer" if claims else "not_enough_evidence",
        "answer": "\n".join(hit.post.text for hit in hits),
        "claims": claims,
        "sources": [{"id": hit.post.id, "text": hit.post.text} for hit in hits],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", type=Path, default=CASES)
    parser.add_argument("--only", nargs="*", help="ids of cases")
    parser.add_argument("--show", action="store_true", help="print every answer")
    parser.add_argument("--beside", action="store_true", help="score the five best keyword matches beside it")
    parser.add_argument("--out", type=Path, help="write judged answers as JSON lines")
    options = parser.parse_args()
    score, store = scorer(options.cases), Store.open(options.data)
    catch_up(store)  # the index of terms, of which stories are made
    cases = [
        case
        for case in score.lines(options.cases / "natural" / "dev.jsonl")
        if not options.only or case["id"] in options.only
    ]
    rows, cpu = judged(score, store, cases, asked, options)
    score.natural_table(rows)
    if options.beside:
        dumped, _ = judged(score, store, cases, keyword_matches, argparse.Namespace(show=False, out=None))
        print("\nbeside the five best keyword matches, untouched:")
        print(f"{'task':<14}{'n':>4}{'useful':>8}{'matches':>9}{'on topic %':>12}{'matches':>9}")
        for task in sorted({row["task"] for row in rows}):
            own, other = ([row for row in found if row["task"] == task] for found in (rows, dumped))
            useful = [sum(row["useful"] for row in found) for found in (own, other)]
            topic = [percent(row["on_topic"] for row in found) for found in (own, other)]
            print(f"{task:<14}{len(own):>4}{useful[0]:>8}{useful[1]:>9}{topic[0]:>12}{topic[1]:>9}")
        print("keyword matches: " + summary(dumped))
    print(
        f"{summary(rows)}; CPU p50 {1000 * statistics.median(cpu):.0f} ms, "
        f"p95 {1000 * sorted(cpu)[int(0.95 * (len(cpu) - 1))]:.0f} ms"
    )


def judged(
    score: ModuleType,
    store: Store,
    cases: Sequence[dict[str, Any]],
    system: Callable[[Store, dict[str, Any]], dict[str, Any]],
    options: argparse.Namespace,
) -> tuple[list[dict[str, Any]], list[float]]:
    """The judged answer of a system to each case, and the CPU seconds it took."""
    rows, cpu, lines = [], [], []
    for case in cases:
        started = time.process_time()
        given = system(store, case)
        cpu.append(time.process_time() - started)
        row = score.judged(case, given)
        rows.append(row)
        lines.append(json.dumps(row | {"given": given}, ensure_ascii=False))
        if options.show:
            print(f"\n== {case['id']} {case['turns']} -> {given['outcome']} useful={row['useful']}")
            print(given.get("headline") or "")
            for claim in given["claims"]:
                print(
                    f"  - {claim['label'] or claim['attribution']} {claim['text']}  [{claim['as_of'][:16]}]"
                )
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return rows, cpu


def percent(shares: Iterable[float | None]) -> str:
    """The mean of the shares that are known, in percent."""
    known = [share for share in shares if share is not None]
    return f"{100 * statistics.mean(known):.0f}" if known else "-"


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """Useful answers, false refusals, right ones, and quotes off topic."""
    answerable = [row for row in rows if row["expected"] == "answer"]
    refused = sum(row["outcome"] == "not_enough_evidence" for row in answerable)
    unanswerable = [row for row in rows if row["expected"].startswith("not_enough")]
    withheld = sum(row["outcome_right"] for row in unanswerable)
    topics = [row["on_topic"] for row in rows if row["on_topic"] is not None]
    return (
        f"useful {sum(row['useful'] for row in rows)} of {len(rows)}; false refusals {refused} of {len(answerable)}; "
        f"withheld {withheld} of {len(unanswerable)}; off topic {100 * (1 - statistics.mean(topics or [1])):.0f} %"
    )


if __name__ == "__main__":
    main()
