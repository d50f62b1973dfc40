"""Rumours whose truth is known: is a false one passed on, and is its denial in the answer?

    python -m benchmarks.rumours STORE [--split test] [--show]

STORE is a folder filled by `trinch ingest --data STORE ../shared/data/social/*.zst`; the threads are read from
../shared/data/social/rumoureval2017_traindev.jsonl.zst (RumourEval 2017, development data). Each thread starts with a
claim; its replies are labelled support, deny, query or comment, the thread true, false or unverified. Asked is "is it
true" and four of the claim's own words, as of the thread's last post. Of the stories in alphabetical order the odd ones
are for development, the even ones for the test.
"""

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.answers import micros
from trinch.answers.answer import answer
from trinch.answers.negation import denies
from trinch.answers.render import plain
from trinch.posts.text import query_terms, tokens
from trinch.sources.files import Reject, read
from trinch.store.store import Store

THREADS = Path("../shared/data/social/rumoureval2017_traindev.jsonl.zst")


def threads(split: str, path: Path) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """(claim, replies) of each thread with a verdict in the stories of a split."""
    posts = [json.loads(item[1]) for item in read(path) if not isinstance(item, Reject)]
    stories = sorted({post["event"] for post in posts})
    kept = set(stories[0::2] if split == "dev" else stories[1::2])
    replies: dict[str, list[dict[str, Any]]] = {}
    for post in posts:
        if post["role"] == "reply":
            replies.setdefault(post["conv"], []).append(post)
    return [
        (post, replies.get(post["id"], []))
        for post in posts
        if post["role"] == "source" and post["event"] in kept and "veracity" in post["labels"]
    ]


def asked(claim: dict[str, Any], store: Store) -> str:
    """What somebody who has heard of the claim would type: its four rarest words that other posts hold too, in its
    order, in lower case."""
    text = re.sub(r"https?\S+|@\w+|#", " ", claim["text"])
    words = [word for word in dict.fromkeys(tokens(text)) if len(word) > 3 and word.isalpha()]
    frequency = {word: max(map(store.doc_freq, query_terms(word)), default=0) for word in words}
    known = sorted((word for word in words if frequency[word] >= 3), key=frequency.__getitem__)[:4]
    return "is it true " + " ".join(word for word in words if word in known)


def outcome(given: Any, claim: dict[str, Any], stances: dict[str, str]) -> str:
    """`withheld`; `denied` where a denial is quoted, alone or beside the claim; `passed on` where the claim's own
    post, or one labelled as supporting it, is quoted without; `other` where only other posts are."""
    if given.outcome != "answer":
        return "withheld"
    quoted = [claim.citations[0] for claim in given.claims]
    if any(stances.get(c.id) == "deny" or denies(c.quote) for c in quoted):
        return "denied"
    if any(c.id == claim["id"] or stances.get(c.id) == "support" for c in quoted):
        return "passed on"
    return "other"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store")
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument("--threads", type=Path, default=THREADS)
    parser.add_argument("--show", action="store_true", help="print every question and answer")
    options = parser.parse_args()
    store = Store.open(options.store)
    tally: dict[str, Counter[str]] = {}
    for claim, replies in threads(options.split, options.threads):
        stances = {post["id"]: post["labels"]["stance"] for post in replies}
        last = max(post["created_at"] for post in [claim, *replies])
        given = answer(store, asked(claim, store), micros(last) + 1_000_000)
        verdict = claim["labels"]["veracity"]
        found = outcome(given, claim, stances)
        tally.setdefault(verdict, Counter())[found] += 1
        if options.show:
            print(
                f"{verdict:10} {found:9} {list(stances.values()).count('deny')} deny | {asked(claim, store)}"
            )
            print("     " + plain(given).split("\n\n")[0].replace("\n", "\n     "))
    for verdict, counts in sorted(tally.items()):
        shares = ", ".join(f"{name} {counts[name]}" for name in ("denied", "passed on", "other", "withheld"))
        print(f"{verdict}: {sum(counts.values())} threads: {shares}")


if __name__ == "__main__":
    main()
