"""Ranking on TREC Microblog 2011 (development) and 2012 (test): the whole chain of the searcher, measured.

    python benchmarks/trec.py ../shared/data/bench/trec_microblog --year 2011

Posts are indexed as the store indexes them; each topic is asked as of its `latest_pool_time`. With --run, an
existing TREC run file is evaluated instead.
"""

import argparse
import csv
import io
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tantivy
import zstandard

from trinch.posts.language_id import identify
from trinch.posts.schema import Post
from trinch.posts.text import terms, tokens
from trinch.store import scoring

Qrels = dict[str, dict[str, int]]
Run = dict[str, list[str]]


# --- evaluation --------------------------------------------------------------------------------------------


def evaluate(run: Mapping[str, Sequence[str]], qrels: Qrels) -> dict[str, dict[str, float]]:
    """Measures per topic that has a relevant post, as trec_eval defines them (relevant: score > 0)."""
    measures = {}
    for topic, judged in qrels.items():
        relevant = sum(score > 0 for score in judged.values())
        if not relevant:
            continue
        gains = np.array([judged.get(post, 0) > 0 for post in run.get(topic, [])[:1000]], float)
        ranks = np.arange(1, len(gains) + 1)
        discount = 1 / np.log2(np.arange(2, 12))
        measures[topic] = {
            "P@30": gains[:30].sum() / 30,
            "MAP": (gains.cumsum() / ranks * gains).sum() / relevant,
            "P@5": gains[:5].sum() / 5,
            "P@10": gains[:10].sum() / 10,
            "NDCG@10": (gains[:10] * discount[: len(gains[:10])]).sum() / discount[:relevant].sum(),
            "R@1000": gains.sum() / relevant,
        }
    return measures


def means(measures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    names = next(iter(measures.values()))
    return {name: float(np.mean([m[name] for m in measures.values()])) for name in names}


def read_run(path: Path) -> Run:
    """TREC format `topic Q0 id rank score tag`, ordered by score."""
    rows: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for line in path.read_text().splitlines():
        topic, _, post, _, score, _ = line.split()
        rows[topic].append((-float(score), post))
    return {
        topic: [post for _, post in sorted(found, key=lambda row: row[0])] for topic, found in rows.items()
    }


# --- data --------------------------------------------------------------------------------------------------


def microseconds(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1e6)


def read_posts(path: Path) -> Iterable[Post]:
    """Posts of the corpus, with the brackets that its tokenizer spelled out put back."""
    with zstandard.open(path, "rb") as file:
        for line in io.TextIOWrapper(file):
            row = json.loads(line.replace("-LRB-", "(").replace("-RRB-", ")"))
            yield Post(
                network="x",
                id=row["id"],
                created_at=microseconds(row["created_at"]),
                text=row["text"],
                lang=identify(row["text"]),
                urls=tuple(row.get("urls", ())),
            )


def read_qrels(path: Path, topics: Iterable[str]) -> Qrels:
    qrels: Qrels = {topic: {} for topic in topics}
    with path.open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["query-id"] in qrels:
                qrels[row["query-id"]][row["corpus-id"]] = int(row["score"])
    return qrels


# --- the chain ---------------------------------------------------------------------------------------------


class Store:
    """The least that ranking needs of an index: posts in memory, their terms in tantivy."""

    def __init__(self, posts: Iterable[Post]) -> None:
        schema = tantivy.SchemaBuilder()
        schema.add_text_field("text", tokenizer_name="spaces", index_option="freq")
        schema.add_integer_field("at", fast=True, indexed=True)
        schema.add_integer_field("place", fast=True)
        self.schema = schema.build()
        self.index = tantivy.Index(self.schema)
        spaces = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        self.index.register_tokenizer("spaces", spaces)
        writer = self.index.writer(heap_size=100_000_000, num_threads=1)
        self.candidates: list[scoring.Candidate] = []
        for post in posts:
            found = terms(post.text, post.lang)
            self.candidates.append(scoring.Candidate(post, found, post.created_at))
            writer.add_document(
                tantivy.Document(text=" ".join(found), at=post.created_at, place=len(self.candidates) - 1)
            )
        writer.commit()
        writer.wait_merging_threads()
        self.index.reload()
        self.searcher = self.index.searcher()
        self.n_docs = self.searcher.num_docs
        self.df: Callable[[str], int] = cache(lambda term: self.searcher.doc_freq("text", term))

    def hits(self, weights: Mapping[str, float], as_of: int, limit: int) -> list[scoring.Candidate]:
        query = tantivy.Query
        if not weights:
            return []
        should = [
            (
                tantivy.Occur.Should,
                query.const_score_query(query.term_query(self.schema, "text", term), weight),
            )
            for term, weight in weights.items()
        ]
        until = query.const_score_query(
            query.range_query(self.schema, "at", tantivy.FieldType.Integer, -(2**63), as_of), 0.0
        )
        found = query.boolean_query(
            [(tantivy.Occur.Must, query.boolean_query(should)), (tantivy.Occur.Must, until)]
        )
        addresses = [address for _, address in self.searcher.search(found, limit).hits]
        return [self.candidates[place] for place in self.searcher.fast_field_values("place", addresses)]

    def search(self, text: str, as_of: int, limit: int, spent: dict[str, float]) -> list[str]:
        words = tokens(text)
        start = time.process_time()
        first = self.hits(scoring.first_pass(words, self.df, self.n_docs), as_of, scoring.WIDE)
        spent["index"] += time.process_time() - start

        start = time.process_time()
        expansion = scoring.expand(words, first, self.df, self.n_docs, as_of)
        spent["rank"] += time.process_time() - start

        start = time.process_time()
        weights = scoring.second_pass(words, expansion, self.df, self.n_docs)
        second = self.hits(weights, as_of, scoring.depth(limit))
        spent["index"] += time.process_time() - start

        start = time.process_time()
        scores = scoring.score(words, expansion, second, self.df, self.n_docs, as_of)
        order = sorted(range(len(second)), key=lambda i: (-scores[i], -second[i].at, second[i].post.id))
        spent["rank"] += time.process_time() - start
        return [second[i].post.id for i in order[:limit]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--year", type=int, choices=(2011, 2012), default=2011)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--run", type=Path, help="evaluate this run file")
    parser.add_argument("--topics", action="store_true", help="P@30 of every topic")
    args = parser.parse_args()

    lines = (args.folder / "queries_2011_2012.jsonl").read_text().splitlines()
    topics: list[dict[str, Any]] = [row for row in map(json.loads, lines) if row["year"] == args.year]
    qrels = read_qrels(args.folder / "qrels_2011_2012.tsv", [topic["_id"] for topic in topics])
    if args.run:
        run = read_run(args.run)
    else:
        store = Store(read_posts(args.folder / "corpus_2011_2012.jsonl.zst"))
        spent = {"index": 0.0, "rank": 0.0}
        run = {
            topic["_id"]: store.search(
                topic["text"], microseconds(topic["latest_pool_time"]), args.limit, spent
            )
            for topic in topics
        }
        for part, seconds in spent.items():
            print(f"{part}: {1000 * seconds / len(topics):.1f} ms of CPU a topic")
    measures = evaluate(run, qrels)
    print(f"{args.year}, {len(measures)} topics:", *(f"{k} {v:.4f}" for k, v in means(measures).items()))
    if args.topics:
        for topic in topics:
            if topic["_id"] in measures:
                print(f"{topic['_id']} {measures[topic['_id']]['P@30']:.3f} {topic['text']}")


if __name__ == "__main__":
    main()
