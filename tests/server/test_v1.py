"""Trinch's own endpoints, through a real server."""

import json
from typing import Any

import httpx
import pytest

from trinch.simulator.sample import QUESTIONS, UNANSWERABLE

DEAD = "How many people died in the Port Esker explosion?"
AS_OF = "2026-03-18T20:00:00Z"


def events(text: str) -> list[tuple[str, Any]]:
    """Server-sent events as (name, data)."""
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields.get("event", ""), json.loads(fields["data"])))
    return found


def test_search_finds_by_operators_and_as_of(http: httpx.Client) -> None:
    found = http.get("/v1/search", params={"q": "from:EskerCityHall explosion", "limit": 3}).json()
    assert 1 <= len(found["hits"]) <= 3
    assert {hit["author"] for hit in found["hits"]} == {"EskerCityHall"}
    before = http.get(
        "/v1/search", params={"q": "explosion", "as_of": "2026-03-17T08:00Z", "limit": 100}
    ).json()
    assert all(hit["at"] <= "2026-03-17T08:00" for hit in before["hits"])


def test_search_in_pages_with_a_filter_and_a_total(http: httpx.Client) -> None:
    params: dict[str, str | int] = {
        "q": "explosion",
        "where": "lang:en",
        "limit": 7,
        "sort": "latest",
        "total": "true",
    }
    found, cursor, total = list[str](), "", 0
    while True:
        page = http.get("/v1/search", params=params | ({"cursor": cursor} if cursor else {})).json()
        found += [hit["key"] for hit in page["hits"]]
        total, cursor = page["total"]["posts"], page["next"]
        if not cursor:
            break
    assert len(found) == len(set(found)) == total > 7
    whole = http.get("/v1/search", params={"q": "explosion lang:en", "limit": 100, "sort": "latest"}).json()
    assert found[:100] == [hit["key"] for hit in whole["hits"]]
    counts = http.get("/v1/counts", params={"q": "explosion", "where": "lang:en", "by": "hour"}).json()
    assert sum(one["posts"] for one in counts["counts"]) == counts["total"]["posts"] == total
    assert all(one["start"].endswith(":00:00Z") for one in counts["counts"])


def test_what_is_taken_for_words_is_hinted_at(http: httpx.Client) -> None:
    found = http.get("/v1/search", params={"q": 'form:EskerCityHall "explosion'}).json()
    assert [hint.split()[0] for hint in found["hints"]] == ["form:", "the"]


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"q": "x", "cursor": "abc"}, "cursor"),
        ({"q": "from:"}, "q"),
        ({"q": "(((("}, "q"),
        ({"q": "x", "limit": "0"}, "limit"),
        ({"q": "x", "limit": "many"}, "limit"),
        ({"q": "x", "sort": "best"}, "sort"),
        ({"q": "x", "as_of": "tomorrow"}, "as_of"),
        ({"q": "x", "colour": "red"}, "colour"),
        ({}, None),
    ],
)
def test_a_bad_search_says_what_is_wrong(
    http: httpx.Client, params: dict[str, str], param: str | None
) -> None:
    response = http.get("/v1/search", params=params)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param
    assert error["message"]


def test_an_answer_quotes_its_sources_exactly(http: httpx.Client) -> None:
    answer = http.post("/v1/ask", json={"question": DEAD, "as_of": AS_OF}).json()
    assert answer["outcome"] == "answer"
    assert answer["answer"] == "\n".join(claim["text"] for claim in answer["claims"])
    texts = {source["n"]: source["text"] for source in answer["sources"]}
    for claim in answer["claims"]:
        assert claim["text"] == claim["citations"][0]["quote"]
        for citation in claim["citations"]:
            assert texts[citation["n"]][citation["start"] : citation["end"]] == citation["quote"]
            shown = http.get(f"/v1/posts/{citation['key']}", params={"as_of": AS_OF}).json()
            assert citation["quote"] in shown["text"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_stream_tells_the_same_answer(http: httpx.Client, question: Any) -> None:
    asked = {"question": question.text, "as_of": str(AS_OF)}
    whole = http.get("/v1/ask", params=asked).json()
    streamed = events(http.get("/v1/ask", params=asked | {"stream": "true"}).text)
    assert streamed[0][0] == "status"
    assert streamed[-1][0] == "done"
    assert streamed[-1][1] | {"took_ms": 0} == whole | {"took_ms": 0}
    assert [data for name, data in streamed if name == "claim"] == whole["claims"]
    known = set[int]()
    for name, data in streamed:
        if name == "source":
            known.add(data["n"])
        if name == "claim":
            assert {citation["n"] for citation in data["citations"]} <= known


def test_what_nobody_said_is_not_answered(http: httpx.Client) -> None:
    answer = http.get("/v1/ask", params={"question": UNANSWERABLE.text}).json()
    assert (answer["outcome"], answer["answer"], answer["claims"]) == ("not_enough_evidence", "", [])


def test_a_follow_up_is_asked_with_its_topic(http: httpx.Client) -> None:
    asked = {
        "question": "how many were injured there?",
        "as_of": AS_OF,
        "earlier": ["What happened in Port Esker?"],
    }
    answer = http.post("/v1/ask", json=asked).json()
    assert answer["question"] == asked["question"]
    assert "Port Esker" in answer["asked"]
    assert answer["outcome"] == "answer"
    assert "injured" in answer["answer"] or "blessés" in answer["answer"]


def test_operators_restrict_an_answer(http: httpx.Client) -> None:
    for asked in (
        {"question": DEAD, "where": "from:EskerCityHall"},
        {"question": f"{DEAD} from:EskerCityHall"},
    ):
        answer = http.post("/v1/ask", json=asked | {"as_of": AS_OF}).json()
        assert answer["outcome"] == "answer"
        assert {source["author"] for source in answer["sources"]} == {"EskerCityHall"}
    assert http.post("/v1/ask", json={"question": DEAD, "where": "from:("}).status_code == 400


def test_evidence_counts_every_post_once(http: httpx.Client) -> None:
    found = http.get("/v1/evidence", params={"question": DEAD, "as_of": AS_OF}).json()
    assert found["posts"] == sum(bucket["posts"] for bucket in found["volume"]) > 10
    assert 2 <= len(found["volume"]) <= 48
    assert found["volume"][0]["start"] <= found["first_seen"] <= found["last_seen"] <= "2026-03-18T20:00:00Z"
    assert 1 < found["authors"] <= found["posts"]
    nothing = http.get("/v1/evidence", params={"question": UNANSWERABLE.text}).json()
    assert (nothing["posts"], nothing["volume"], nothing["first_seen"]) == (0, [], None)


def test_a_post_is_found_by_key_or_id(http: httpx.Client) -> None:
    hit = http.get("/v1/search", params={"q": "explosion", "limit": 1}).json()["hits"][0]
    for name in (hit["key"], hit["id"]):
        assert http.get(f"/v1/posts/{name}").json()["text"] == hit["text"]
    missing = http.get("/v1/posts/at://did:plc:nobody/app.bsky.feed.post/1")
    assert missing.status_code == 404
    assert missing.json()["error"]["type"] == "not_found_error"
    shown = http.post("/v1/visible", json={"keys": [hit["key"], "sample:none"]}).json()
    assert shown == {"visible": [hit["key"]]}


def test_statistics_and_live_view(http: httpx.Client) -> None:
    stats = http.get("/v1/stats").json()
    assert stats["posts"] > 2000
    with http.stream("GET", "/v1/live") as response:
        lines = response.iter_lines()
        assert next(lines) == "event: live"
        live = json.loads(next(lines).removeprefix("data: "))
    assert live["posts"] == stats["posts"]
    assert live["behind"] == 0
    assert live["languages"]["en"] > live["languages"]["ja"] > 0
    assert live["sources"] == []


def test_metrics_are_those_documented(http: httpx.Client) -> None:
    from trinch.server.http.metrics import NAMES

    text = http.get("/metrics").text
    streamed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert streamed <= set(NAMES)
    assert "trinch_posts" in streamed
    assert 'trinch_requests_total{route="/v1/stats",method="GET",status="200"}' in text
