"""Answers to labelled requests about events that no rule was made on, judged by the patterns of the labels.

    python -m benchmarks.eval_heldout --data STORE --shared DATA [--all] [--without-reader]

STORE is the store of `benchmarks.eval`, DATA the shared data folder. Without --all only the requests are asked that the
reader was not trained on either. A question is useful if one of the first two claims is on the topic and matches the
pattern of the answer; a summary or an opinion if four fifths of its claims are on the topic; a request about something
that never was if it is refused. Not every question has an answer in the store: `found` counts those for which a
matching post is among the 100 best of a plain search.
"""

import argparse
import json
import re
import time
from pathlib import Path
from typing import Any

import trinch.answers.answer as answering
from benchmarks.reader.labelled import Asked, events, found, natural, requests
from trinch.answers.render import as_json
from trinch.service.ask import answer, interpret
from trinch.store.query import parse_time
from trinch.store.store import Store

EVERY = 2
"""Natural requests are all asked. Of the others in one language about one event and facet, every so many are asked."""


def judged(asked: Asked, given: dict[str, Any]) -> dict[str, Any]:
    """Which claims are on the topic and answer, and whether the whole is useful."""
    posts = {source["id"]: source["text"] for source in given["sources"]}
    topic, answers = [], []
    for claim in given["claims"]:
        text = posts.get(claim["citations"][0]["id"], claim["text"]) if claim["citations"] else claim["text"]
        topic.append(bool(re.search(asked.topic, text, re.I)))
        answers.append(topic[-1] and bool(re.search(asked.answers, claim["text"], re.I)))
    answered = given["outcome"] in ("answer", "conflicting")
    if asked.nothing:
        useful = not answered
    elif asked.facet in ("summary", "opinions", "reactions"):
        useful = answered and bool(topic) and sum(topic) >= 0.8 * len(topic)
    else:
        useful = answered and any(answers[:2])
    return {"answered": answered, "useful": useful, "topic": topic, "answers": answers}


def kind(asked: Asked) -> str:
    """The row of the table a request belongs to."""
    if asked.nothing:
        return "natural never was" if asked.group.startswith("n0-") else "never was"
    facet = (
        asked.facet
        if asked.facet in ("summary", "opinions")
        else "opinions"
        if asked.facet == "reactions"
        else "question"
    )
    typed = "natural " if asked.group.startswith("n-") else ""
    return f"{typed}{facet}, {'English' if asked.language == 'en' else 'other'}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--all", action="store_true", help="ask also what the reader was trained on")
    parser.add_argument("--without-reader", action="store_true", help="let the rules alone decide")
    parser.add_argument("--out", type=Path, help="write judged answers as JSON lines")
    options = parser.parse_args()
    store = Store.open(options.data)
    if options.without_reader:
        answering.PostReader = lambda request: None  # type: ignore[assignment, misc]  # nothing is read
    every = [*natural(), *list(requests())[::EVERY], *list(events(options.shared / "social"))[::EVERY]]
    table: dict[str, list[dict[str, Any]]] = {}
    lines = []
    for asked in every:
        if not (asked.held or options.all):
            continue
        answerable = asked.nothing or bool(found(asked, store).labels[:, 1].any())
        started = time.process_time()
        given = as_json(answer(store, interpret(asked.text, as_of=parse_time(asked.as_of))))
        row = judged(asked, given) | {"cpu": time.process_time() - started, "found": answerable}
        table.setdefault(kind(asked), []).append(row)
        claims = [claim["text"] for claim in given["claims"]]
        shown = {"headline": given["headline"], "task": given["task"], "claims": claims}
        lines.append(json.dumps(asked._asdict() | row | shown, ensure_ascii=False))
    print(f"{'request':<22}{'n':>5}{'found':>7}{'answered':>10}{'useful':>8}{'on topic %':>12}{'CPU ms':>8}")
    for name, rows in sorted(table.items()):
        on = [each for row in rows for each in row["topic"]]
        print(
            f"{name:<22}{len(rows):>5}{sum(row['found'] for row in rows):>7}{sum(row['answered'] for row in rows):>10}"
            f"{sum(row['useful'] for row in rows):>8}{100 * sum(on) / max(len(on), 1):>12.0f}"
            f"{1000 * sum(row['cpu'] for row in rows) / len(rows):>8.0f}"
        )
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
