"""What is deleted while an answer is on its way is not in what follows (invariant 2)."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trinch.posts.schema import Deleted, Hidden
from trinch.server.answering import ModelUse
from trinch.server.openai import responses
from trinch.server.openai.markdown import post_url
from trinch.server.openai.response_store import ResponseStore
from trinch.server.openai.responses import ResponseRequest
from trinch.server.openai.search_filters import Tool
from trinch.server.openai.stream import retrieved_posts, source_lists, text_pieces
from trinch.server.workers.worker_pool import WorkerPool
from trinch.service import serialize
from trinch.service.ask import AskRequest
from trinch.store.log import Log
from trinch.store.query import parse_time

QUESTION = "What happened in Port Esker?"
ASKED = AskRequest(QUESTION, QUESTION, "", parse_time("2026-03-18T20:00Z"))
LONGER = ASKED._replace(text="Timeline of Port Esker", question="Timeline of Port Esker")
"""With more claims."""


class Pools:
    """What telling an answer needs of a server's state."""

    def __init__(self, data: Path) -> None:
        self.search_pool, self.answer_pool = (
            WorkerPool(data, 1, queue_size=10),
            WorkerPool(data, 1, queue_size=10),
        )
        self.language_model, self.model_use, self.responses = None, ModelUse(), ResponseStore()
        self.default_model = ""


@pytest.fixture
def data(sample_data: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sample_data, tmp_path / "store")


@pytest.fixture
def pools(data: Path) -> Iterator[Pools]:
    both = Pools(data)
    yield both
    both.search_pool.close()
    both.answer_pool.close()


def test_a_claim_not_yet_told_is_left_out(data: Path, pools: Pools) -> None:
    async def run() -> None:
        parts = text_pieces(pools, ASKED, "http://here", None)  # type: ignore[arg-type]  # all of AppState that it uses
        shown, first = await anext(parts)
        assert shown["claims"][0]["text"] in first.text
        assert len(shown["claims"]) >= 2
        later = shown["claims"][-1]
        cited = later["citations"][0]
        Log(data / "ocean.db").append([Deleted(at=1, network=cited["network"], id=cited["id"])])
        rest = [item async for item in parts]
        assert len(rest) == len(shown["claims"]) - 1  # one less, and the empty piece at the end
        assert all(later["text"] not in piece.text for _, piece in rest)
        final = rest[-1][0]
        assert cited["key"] not in str(final)
        assert final["answer"] == "\n".join(claim["text"] for claim in final["claims"])
        assert final["outcome"] == "answer"

    asyncio.run(run())


def test_what_vanished_untold_leaves_no_gap_in_the_numbers(data: Path, pools: Pools) -> None:
    async def run() -> None:
        parts = text_pieces(pools, LONGER, "http://here", None)  # type: ignore[arg-type]  # all of AppState that it uses
        shown, first = await anext(parts)
        assert len(shown["claims"]) >= 3
        for post in shown["claims"][1]["citations"]:
            Log(data / "ocean.db").append([Deleted(at=1, network=post["network"], id=post["id"])])
        rest = [item async for item in parts]
        text = first.text + "".join(piece.text for _, piece in rest)
        numbers = [source["n"] for source in rest[-1][0]["sources"]]
        assert numbers == list(range(1, len(numbers) + 1)) == [int(n) for n in re.findall(r"\[(\d+)\]", text)]

    asyncio.run(run())


def test_what_vanished_once_told_leaves_its_place_empty(data: Path, pools: Pools) -> None:
    async def run() -> None:
        parts = text_pieces(pools, ASKED, "http://here", None)  # type: ignore[arg-type]  # all of AppState that it uses
        shown, _ = await anext(parts)
        gone = shown["claims"][0]["citations"][0]
        Log(data / "ocean.db").append([Deleted(at=1, network=gone["network"], id=gone["id"])])
        rest = [item async for item in parts]
        final = rest[-1][0]
        numbers = {source["n"]: source["url"] for source in final["sources"]}
        assert 1 not in numbers
        lists = source_lists(final, [], "http://here")
        assert lists["citations"][0] == lists["search_results"][0]["url"] == ""
        assert all(lists["citations"][n - 1] == url for n, url in numbers.items())
        for _, piece in rest:
            for n, cited in zip(re.findall(r"\[(\d+)\]", piece.text), piece.cited, strict=True):
                assert numbers[int(n)] == cited.url

    asyncio.run(run())


def test_what_was_seen_beside_an_answer_is_looked_at_again_before_it_is_listed(
    data: Path, pools: Pools
) -> None:
    async def run() -> None:
        tools = [Tool("x_search")]
        given = ResponseRequest(
            model="trinch", input=QUESTION, tools=tools, include=("web_search_call.action.sources",)
        )
        turn = responses._Turn(given, ASKED, [QUESTION], "http://here", responses._head(given), None)
        events = responses._events(pools, turn)  # type: ignore[arg-type]  # all of AppState that it uses
        found: dict[str, Any] = {}
        async for event in events:
            if event["type"] == "response.output_item.done":
                found = event["item"]
            if event["type"] == "response.output_text.delta":
                break
        shown = await pools.answer_pool.run(serialize.answer_json, ASKED)
        cited = {source["key"] for source in shown["sources"]}
        beside = [post for post in await retrieved_posts(pools, ASKED, shown, 20) if post["key"] not in cited]  # type: ignore[arg-type]
        gone, url = beside[0], post_url(beside[0], "http://here")
        assert {"type": "url", "url": url} in found["action"]["sources"]
        Log(data / "ocean.db").append([Deleted(at=1, network=gone["network"], id=gone["id"])])
        rest = [event async for event in events]
        assert post_url(beside[1], "http://here") in str(rest[-1])
        assert url not in str(rest)
        assert gone["text"] not in str(rest)

    asyncio.run(run())


def test_an_answer_whose_posts_are_all_gone_is_none(data: Path, pools: Pools) -> None:
    async def run() -> None:
        shown = await pools.answer_pool.run(serialize.answer_json, ASKED)
        posts = [(source["network"], source["id"]) for source in shown["sources"]]
        Log(data / "ocean.db").append([Hidden(at=1, network=n, id=i, reason="withheld") for n, i in posts])
        standing = await pools.search_pool.run(serialize.recheck, shown)
        assert (standing["outcome"], standing["claims"], standing["answer"]) == (
            "not_enough_evidence",
            [],
            "",
        )
        assert standing["sources"] == []

    asyncio.run(run())
