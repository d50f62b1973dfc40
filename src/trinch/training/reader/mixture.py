"""What the reader is trained on, and what it is measured on: public sets, our labels, TREC topics in six languages."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from trinch.training.reader import labels, retrieved
from trinch.training.reader.examples import Example, public

FROM_PUBLIC = {"trec": 1500, "tweetqa": 2600, "realtimeqa": 1100}
TYPED = 0.25  # share of requests put in lower case without a question mark


class Mixture(NamedTuple):
    """Training pairs, and what is held out: pairs by source, and requests with their candidates."""

    train: list[Example]
    held_pairs: dict[str, list[Example]]
    held_requests: list[retrieved.Request]


def held_out(group: str) -> bool:
    """One group (topic, question) in ten, chosen by its name."""
    return int(hashlib.md5(group.encode(), usedforsecurity=False).hexdigest(), 16) % 10 == 0


def build(data: Path, folder: Path, seed: int = 3) -> Mixture:
    """Read everything. `data` is the shared data folder; `folder` holds events, facets, requests and topics."""
    random_ = random.Random(seed)
    by_source: dict[str, list[Example]] = defaultdict(list)
    held: dict[str, list[Example]] = defaultdict(list)
    everything = public(data / "bench")
    judged = [example for example in everything if example.source == "trec"]
    asked = [e._replace(source="topics") for e in retrieved.topics(folder, judged)]
    for example in [*everything, *asked]:
        (held if held_out(example.group) else by_source)[example.source].append(example)
    train = list(by_source["topics"])
    for source, count in FROM_PUBLIC.items():
        random_.shuffle(by_source[source])
        train += by_source[source][:count]
    train += retrieved.examples(list(retrieved.requests(data, folder, held=False)))
    train += labels.of_events(data / "social", folder, held=False)
    held["events"] = list(labels.of_events(data / "social", folder, held=True))
    for pairs in held.values():
        random_.shuffle(pairs)
    return Mixture(
        [_typed(example, random_) for example in train],
        {source: pairs[:1000] for source, pairs in held.items()},
        list(retrieved.requests(data, folder, held=True)),
    )


def _typed(example: Example, random_: random.Random) -> Example:
    if random_.random() < TYPED:
        return example._replace(request=example.request.lower().rstrip("? "))
    return example
