"""Near-copies found through the index: as many as by the sketches of `posts/near_duplicates.py`, on real posts."""

import random
from pathlib import Path

import pytest

from tests.posts.test_fingerprint import copied, rows
from trinch.posts import schema as ev
from trinch.posts.near_duplicates import COPY, probes, similar, sketch
from trinch.posts.schema import Post
from trinch.posts.text import terms
from trinch.store.store import Store

NOON = 1_366_000_000_000_000
NUMBER = 400


def test_probes_are_rare_runs_of_the_text_and_all_words_of_a_short_one() -> None:
    df = {"the": 9, "ferry": 2, "sank": 1}.get
    assert probes([], lambda _: 0) == []
    assert probes(["@x", "🙏"], lambda _: 0) == []
    assert probes(["ferry", "@x", "sank"], lambda _: 0) == [("ferry", "sank")]
    assert probes(["a", "b", "#a", "#b"], lambda _: 0) == [("a", "b")], (
        "tags have no running text of their own"
    )
    words = ["the", "old", "ferry", "to", "the", "north", "sank", "in", "the", "night"]
    found = probes(words, lambda term: df(term, 5))
    assert found[:2] == [("the", "old", "ferry"), ("the", "north", "sank")]
    assert len(found) == 6
    assert all(" ".join(run) in " ".join(words) for run in found)


@pytest.mark.needs("social")
@pytest.mark.parametrize("name", ["crisisnlp_crowdflower", "reportedly2015_aug"])
def test_as_many_copies_as_by_sketches(shared: Path, tmp_path: Path, name: str) -> None:
    rng = random.Random(11)
    texts = sorted({str(row["text"]) for row in rows(shared / f"{name}.jsonl.zst")})
    originals = [text for text in rng.sample(texts, NUMBER) if " RT @" not in f" {text}"]
    written = [*originals, *(copied(text, rng) for text in originals)]
    posts = [
        Post(network="x", id=str(n), text=text, lang="en", created_at=NOON) for n, text in enumerate(written)
    ]
    store = Store.open(tmp_path)
    store.ingest([ev.Created(at=NOON, network="x", post=post) for post in posts])
    store.catch_up()
    by_index = by_sketch = 0
    for n in range(len(originals)):
        hit = store.get(f"x:{n}")
        assert hit
        by_index += str(n + len(originals)) in {other.post.id for other in store.copies(hit)}
        one, other = (terms(written[place], "en") for place in (n, n + len(originals)))
        by_sketch += not set(sketch(one)).isdisjoint(sketch(other)) and similar(one, other) >= COPY
    store.close()
    print(f"{name}: {by_index} of {len(originals)} by the index, {by_sketch} by sketches")
    assert by_index >= by_sketch - 0.01 * len(originals)
    assert by_index >= 0.95 * len(originals)
