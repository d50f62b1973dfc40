"""Word vectors learned from the posts themselves, as means of matching a question's words: are they worth it?

    python -m benchmarks.learned_words STORE

Vectors are those of positive pointwise mutual information within 5 words, reduced by a singular value decomposition (Levy &
Goldberg 2014). A word of a request is met by a post that holds it or one of its nearest words. Recall is the share of
posts of the three days before a request, known by its patterns to answer it, that meet most of the request's words by
weight; false passes are requests about what never was for which some post does. The reader's vectors compete.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.reader.labelled import DEPTH, found, natural
from trinch.reader import load
from trinch.store.query import parse_time
from trinch.store.store import Store
from trinch.training.post_source import PostSource

WORD = re.compile(r"[^\W\d_]{3,}")
WINDOW, FEWEST, MOST, SIZE = 5, 30, 20_000, 128
"""Words each side; posts that must hold a word; words; dimensions."""
DAYS = 3 * 86_400_000_000
NEAREST = 10

Akin = Callable[[str], list[str]]


def words(text: str) -> list[str]:
    """Words of a text, in lower case."""
    return WORD.findall(text.lower())


class Learned(NamedTuple):
    """Words and their unit vectors."""

    rows: dict[str, int]
    names: list[str]
    vectors: np.ndarray

    def akin(self, word: str, least: float) -> list[str]:
        """The nearest words of a word, by a cosine of at least `least`."""
        row = self.rows.get(word)
        if row is None:
            return []
        near = self.vectors @ self.vectors[row]
        best = np.argsort(-near)[1 : NEAREST + 1]
        return [self.names[i] for i in best if near[i] >= least]


def learned(texts: Sequence[str]) -> Learned:
    """Vectors of the words of some texts."""
    split = [words(text) for text in texts]
    counts = Counter(word for each in split for word in set(each))
    names = [word for word, count in counts.most_common(MOST) if count >= FEWEST]
    rows = {word: i for i, word in enumerate(names)}
    # One row of numbers for all texts, with a gap as wide as the window between two.
    gap = [-1] * WINDOW
    line = np.array([i for each in split for i in [*(rows.get(w, -1) for w in each), *gap]], np.int64)
    keys = []
    for apart in range(1, WINDOW + 1):
        a, b = line[:-apart], line[apart:]
        both = (a >= 0) & (b >= 0)
        keys += [a[both] * len(names) + b[both], b[both] * len(names) + a[both]]
    pairs, joint = np.unique(np.concatenate(keys), return_counts=True)
    first, second = pairs // len(names), pairs % len(names)
    total = np.bincount(first, weights=joint, minlength=len(names))
    smooth = total**0.75
    chance = total[first] * smooth[second] / smooth.sum()
    value = np.log(joint / chance)
    kept = value > 0
    matrix = torch.sparse_coo_tensor(
        torch.from_numpy(np.stack([first[kept], second[kept]])),
        torch.from_numpy(value[kept].astype(np.float32)),
        (len(names), len(names)),
    ).coalesce()
    torch.manual_seed(0)
    left, sizes, _ = torch.svd_lowrank(matrix, q=SIZE, niter=3)
    vectors = (left * sizes.sqrt()).numpy()
    return Learned(rows, names, vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9))


class Case(NamedTuple):
    """A request: its weighted words, and the words of the posts that are looked at."""

    held: bool
    nothing: bool
    wanted: list[tuple[str, float]]
    posts: list[frozenset[str]]


def shares(case: Case, akin: Akin) -> list[float]:
    """Of each post, the share of the request's words that it meets, by weight."""
    forms = [(frozenset([word, *akin(word)]), weight) for word, weight in case.wanted]
    total = sum(weight for _, weight in forms) or 1.0
    return [sum(weight for form, weight in forms if form & post) / total for post in case.posts]


def cases(store: Store, moments: np.ndarray, texts: list[str]) -> list[Case]:
    """The English natural requests: those answerable with their answering posts, the others with what a search finds."""
    out = []
    for asked in natural():
        if asked.language != "en":
            continue
        seen = found(asked, store)
        wanted = [(word.text.lower(), word.weight) for word in seen.query.words]
        if asked.nothing:
            posts = [passage.text for passage in seen.passages[:DEPTH]]
        else:
            moment = parse_time(asked.as_of)
            begin, end = np.searchsorted(moments, [moment - DAYS, moment])
            topic, answer = re.compile(asked.topic, re.I), re.compile(asked.answers, re.I)
            posts = [text for text in texts[begin:end] if topic.search(text) and answer.search(text)]
        if posts and wanted:
            out.append(Case(asked.held, asked.nothing, wanted, [frozenset(words(text)) for text in posts]))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    options = parser.parse_args()
    with PostSource(str(options.store)) as source:
        both = sorted((post.created_at or 0, post.text) for _, post in source.posts())
    moments, texts = np.array([moment for moment, _ in both]), [text for _, text in both]
    begun = time.process_time()
    stream = learned(texts)
    print(f"{len(stream.names):,} words of {len(texts):,} posts: {time.process_time() - begun:.0f} s of CPU")
    for word in ("takeover", "quake", "killed", "ceo", "flood"):
        print(f"  {word}: {', '.join(stream.akin(word, 0.0)[:6])}")
    every = cases(Store.open(options.store), moments, texts)
    reader = load()
    means: dict[str, Akin] = {"the words alone": lambda word: []}
    means["the reader's, from .75"] = lambda word: reader.akin([word], 0.75, NEAREST)[0]
    for least in (0.5, 0.6, 0.7, 0.8):
        means[f"learned, from {least}"] = lambda word, least=least: stream.akin(word, least)  # type: ignore[misc]
    print(f"{'means':<26}{'part':<8}{'threshold':>10}{'recall %':>10}{'false passes':>14}")
    for name, akin in means.items():
        for held in (False, True):
            part = [case for case in every if case.held is held]
            measured = [(case, shares(case, akin)) for case in part]
            for threshold in (0.5, 0.6, 0.7):
                recalls = [np.mean(np.array(s) >= threshold) for case, s in measured if not case.nothing]
                passes = [max(s) >= threshold for case, s in measured if case.nothing]
                print(
                    f"{name:<26}{'held' if held else 'free':<8}{threshold:>10}{100 * np.mean(recalls):>10.1f}"
                    f"{sum(passes):>9} of {len(passes)}  ({len(recalls)})"
                )


if __name__ == "__main__":
    main()
