"""A server, and `trinch ask`, with a language model on top of the answers: every endpoint returns the checked sentences."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from tests.llm.fake import Server
from tests.server.running import Running
from trinch.cli.main import main
from trinch.llm.interface import KEY
from trinch.server.answering import ModelUse

QUESTION, AS_OF = "What happened in Port Esker?", "2026-03-18T20:00:00Z"
OTHER = "Who won the regatta at Tallow Point?"
SECRET = "sk-secret-of-the-test"
SENTENCE = "In the final count, ten people died and 31 were hurt in the Port Esker silo explosion."


def write(messages: list[dict[str, str]]) -> str:
    """A sentence that its post supports, in other words, and an invention."""
    if len(messages) > 2:
        return "NOTHING"
    posts = json.loads(messages[1]["content"])["posts"]
    n = next(item["n"] for item in posts if item["text"].startswith("Final figures"))
    return f"{SENTENCE} [{n}] All 900 inhabitants have died in Port Esker. [{n}]"


@pytest.fixture(scope="module")
def model() -> Iterator[Server]:
    with Server(good=write) as running:
        yield running


@pytest.fixture(scope="module")
def http(model: Server, sample_data: Path) -> Iterator[httpx.Client]:
    with (
        Running(sample_data, "--model", model.url("good"), "--model-name", "wordsmith") as running,
        running.client() as client,
    ):
        yield client


def ask(http: httpx.Client, **more: Any) -> Any:
    return http.get("/v1/ask", params={"question": QUESTION, "as_of": AS_OF, **more})


def test_the_native_answer_says_what_is_written_and_by_whom(http: httpx.Client) -> None:
    answer = ask(http).json()
    writer = answer["writer"]
    assert (writer["model"], writer["sentences"], writer["error"]) == ("wordsmith", 2, "")
    assert (writer["written"], writer["repaired"], writer["dropped"]) == (1, 0, 1)
    assert "All 900" in writer["refused"][0]
    assert answer["claims"][0]["text"] == SENTENCE
    assert answer["claims"][0]["written"]
    for claim in answer["claims"]:
        assert "All 900" not in claim["text"]
        for citation in claim["citations"]:
            source = next(source for source in answer["sources"] if source["key"] == citation["key"])
            assert source["text"][citation["start"] : citation["end"]] == citation["quote"]


def test_claims_are_streamed_as_they_are_verified(http: httpx.Client) -> None:
    whole = ask(http).json()
    events = [line for line in ask(http, stream="true").text.splitlines() if line.startswith("data: ")]
    claims = [event for line in events if "citations" in (event := json.loads(line[6:])) and "n" in event]
    assert [claim["text"] for claim in claims] == [claim["text"] for claim in whole["claims"]]
    assert [claim["n"] for claim in claims] == list(range(1, len(claims) + 1))
    assert json.loads(events[-1][6:])["writer"]["written"] == 1


def test_instructions_of_the_client_are_style_for_the_model(http: httpx.Client, model: Server) -> None:
    body = {
        "model": "trinch",
        "messages": [
            {"role": "system", "content": "Answer like a sailor."},
            {"role": "user", "content": QUESTION},
        ],
        "trinch": {"as_of": AS_OF},
    }
    http.post("/v1/chat/completions", json=body)
    first = [asked["messages"] for asked in model.asked if len(asked["messages"]) == 2][-1]
    assert json.loads(first[1]["content"])["style"] == "Answer like a sailor."
    response = {"model": "trinch", "input": QUESTION, "instructions": "Be brief.", "trinch": {"as_of": AS_OF}}
    http.post("/v1/responses", json=response)
    first = [asked["messages"] for asked in model.asked if len(asked["messages"]) == 2][-1]
    assert json.loads(first[1]["content"])["style"] == "Be brief."


def test_what_the_model_costs_is_counted(http: httpx.Client) -> None:
    def counted(name: str) -> float:
        lines = http.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    before = counted("trinch_model_answers_total"), counted("trinch_model_tokens_total")
    ask(http)
    assert counted("trinch_model_answers_total") == before[0] + 1
    assert counted("trinch_model_tokens_total") > before[1]
    assert counted('trinch_model_sentences_total{result="written"}') >= 1


def test_a_key_has_so_many_tokens_a_day_and_then_gets_quotes() -> None:
    day = ["2031-01-01"]
    use = ModelUse(100, lambda: day[0])
    writer = {
        "tokens": 60,
        "searches": 0,
        "written": 1,
        "repaired": 0,
        "dropped": 0,
        "error": "",
        "seconds": 1.0,
    }
    for allowed in (True, True, False):
        assert use.allows("a") is allowed
        if allowed:
            use.count("a", writer)
    assert use.allows("b")
    day[0] = "2031-01-02"
    assert use.allows("a")
    assert all(ModelUse().allows("a") for _ in range(3))


def test_every_other_door_tells_the_same_sentences(http: httpx.Client) -> None:
    claims = ask(http).json()["claims"]
    sentences = [claim["text"] for claim in claims]
    streamed = ask(http, stream="true").text
    chat = http.post(
        "/v1/chat/completions",
        json={
            "model": "trinch",
            "messages": [{"role": "user", "content": QUESTION}],
            "trinch": {"as_of": AS_OF},
        },
    ).json()
    response = http.post(
        "/v1/responses", json={"model": "trinch", "input": QUESTION, "trinch": {"as_of": AS_OF}}
    ).json()
    page = http.get("/", params={"q": QUESTION, "as_of": AS_OF}).text
    for text in sentences:
        assert json.dumps(text, ensure_ascii=False)[1:-1] in streamed
        assert text in chat["choices"][0]["message"]["content"]
        assert text in response["output"][1]["content"][0]["text"]
        assert text in page
    assert page.count('class="written"') == sum(claim["written"] for claim in claims)
    assert chat["trinch"]["writer"]["model"] == response["trinch"]["writer"]["model"] == "wordsmith"


def test_where_the_rules_find_nothing_the_model_must_speak_of_what_is_asked(
    http: httpx.Client, model: Server
) -> None:
    asked = len(model.asked)
    answer = http.get("/v1/ask", params={"question": OTHER, "as_of": AS_OF}).json()
    assert (answer["outcome"], answer["claims"]) == ("not_enough_evidence", [])
    assert len(model.asked) > asked
    assert (answer["writer"]["written"], answer["writer"]["refused"]) == (0, [])


@pytest.mark.long
def test_what_went_wrong_inside_is_for_the_log_only(sample_data: Path, model: Server, tmp_path: Path) -> None:
    with Running(
        shutil.copytree(sample_data, tmp_path / "store"), "--model", model.url("500"), "--model-name", "m"
    ) as running:
        answer = running.get("/v1/ask", params={"question": QUESTION, "as_of": AS_OF}, timeout=30).json()
        assert answer["outcome"] == "answer"
        assert (answer["writer"]["error"], answer["writer"]["written"]) == ("server", 0)
        assert str(model.port) not in str(answer["writer"])
        assert f"127.0.0.1:{model.port}/500/v1 failed (status 500)" in running.output()


def trinch(data: Path, *arguments: str, key: str = "") -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "trinch.cli.main",
        "ask",
        "--data",
        str(data),
        "--as-of",
        AS_OF,
        *arguments,
    ]
    return subprocess.run(
        command, capture_output=True, text=True, env={"PATH": "", KEY: key, "PYTHONPATH": ":".join(sys.path)}
    )


def test_the_command_tells_them_too(sample_data: Path, model: Server) -> None:
    done = trinch(sample_data, QUESTION, "--model", model.url("good"), key=SECRET)
    assert done.returncode == 0, done.stderr
    assert SENTENCE in done.stdout
    assert "sentences are written by good" in done.stdout, "the only model of the server is found"
    assert model.headers[-1]["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in done.stdout + done.stderr


def test_a_model_that_fails_costs_nothing_but_a_note(sample_data: Path, model: Server) -> None:
    alone = json.loads(trinch(sample_data, QUESTION, "--json").stdout)
    done = trinch(
        sample_data, QUESTION, "--json", "--model", model.url("401"), "--model-name", "m", key=SECRET
    )
    assert done.returncode == 0, done.stderr
    given = json.loads(done.stdout)
    assert given["claims"] == alone["claims"]
    assert given["writer"]["error"] == "refused"
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "ftp://x"], "http://"),
        (["--model", f"http://me:{SECRET}@x/v1"], KEY),
        (["--model", "no/such/folder"], "neither an address"),
        (["--model-name", "m"], "--model URL"),
    ],
)
def test_a_model_that_cannot_be_is_wrong_usage(sample_data: Path, options: list[str], message: str) -> None:
    done = trinch(sample_data, QUESTION, *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert SECRET not in done.stderr


def test_the_limit_of_the_day_holds_for_mcp_too() -> None:
    pytest.importorskip("mcp", reason="needs the package mcp")
    from trinch.llm.interface import Setting
    from trinch.server import mcp

    class Pool:
        def __init__(self) -> None:
            self.models: list[Any] = []

        async def run(self, _: Any, asked: Any, model: Any) -> dict[str, Any]:
            self.models.append(model)
            writer = {
                "tokens": 60,
                "searches": 0,
                "written": 1,
                "repaired": 0,
                "dropped": 0,
                "error": "",
                "seconds": 1.0,
            }
            return {"writer": writer if model else None}

    pool, setting, use = Pool(), Setting("http://127.0.0.1:9/v1"), ModelUse(100)
    made = mcp.server(pool, pool, setting, use)  # type: ignore[arg-type]
    for _ in range(3):
        asyncio.run(made.call_tool("ask", {"question": "What happened in Port Esker?"}))
    assert pool.models == [setting, setting, None]
    assert use.totals["tokens"] == 120
    assert use.totals["limited"] == 1


FIRST, SECOND = "sk-of-the-first", "sk-of-the-second"


@pytest.fixture(scope="module")
def two_models(sample_data: Path) -> Iterator[tuple[httpx.Client, Server]]:
    """A server with two named models, one of which may write for one answer a day only."""
    with Server(first=write, second=write) as models, pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"{KEY}_FIRST", FIRST)
        patch.setenv(f"{KEY}_SECOND_ONE", SECOND)
        arguments = [
            "--model",
            f"first={models.url('first')},model=small-1b,seconds=30,tokens=600,posts=20",
            "--model",
            f"second-one={models.url('second')},tokens-per-day=1",
        ]
        with Running(sample_data, *arguments) as running, running.client() as client:
            yield client, models


def chat(http: httpx.Client, model: str) -> httpx.Response:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": QUESTION}],
        "trinch": {"as_of": AS_OF},
    }
    return http.post("/v1/chat/completions", json=body)


def test_a_request_picks_one_of_several_models(two_models: tuple[httpx.Client, Server]) -> None:
    http, models = two_models
    assert [model["id"] for model in http.get("/v1/models").json()["data"]] == [
        "trinch",
        "first",
        "second-one",
    ]
    assert http.get("/v1/models/first").json()["id"] == "first"
    assert http.get("/v1/models/third").status_code == 404

    models.asked.clear()
    models.headers.clear()
    answer = chat(http, "first").json()
    assert answer["model"] == "first"
    assert SENTENCE in answer["choices"][0]["message"]["content"]
    assert {asked["model"] for asked in models.asked} == {"small-1b"}
    assert models.asked[0]["max_tokens"] == 600
    assert len(json.loads(models.asked[0]["messages"][1]["content"])["posts"]) <= 20
    assert {headers.get("Authorization") for headers in models.headers} == {f"Bearer {FIRST}"}

    assert ask(http).json()["writer"]["model"] == "small-1b"  # the first is the default
    response = http.post(
        "/v1/responses",
        json={"model": "second-one", "input": QUESTION, "trinch": {"as_of": AS_OF}},
    ).json()
    assert (response["model"], response["trinch"]["writer"]["model"]) == ("second-one", "second")
    assert models.headers[-1].get("Authorization") == f"Bearer {SECOND}"

    # The second has used up its tokens of the day; the first has not.
    assert ask(http, model="second-one").json()["writer"] is None
    assert ask(http, model="first").json()["writer"]["written"] == 1


def test_a_model_that_the_server_does_not_have_is_named_in_the_error(
    two_models: tuple[httpx.Client, Server],
) -> None:
    http, _ = two_models
    for refused in (chat(http, "third"), ask(http, model="third"), ask(http, model="third", stream="true")):
        assert refused.status_code == 404
        assert "third" in refused.text
        assert "first" in refused.text


@pytest.mark.parametrize(
    ("models", "problem"),
    [
        (("http://a/v1", "http://b/v1"), "only one model may go without a name"),
        (("a=http://a/v1", "a=http://b/v1"), "'a' is taken"),
        (("trinch=http://a/v1",), "'trinch' is taken"),
        (("a=http://a/v1,seconds=soon",), "a limit is a number"),
        (("a=http://a/v1,tokens=3",), "tokens from 50"),
        (("a=nothing-there",), "neither an address"),
    ],
)
def test_a_wrong_list_of_models_is_refused_at_the_start(
    tmp_path: Path, models: tuple[str, ...], problem: str
) -> None:
    given = [part for model in models for part in ("--model", model)]
    done = CliRunner().invoke(main, ["serve", "--data", str(tmp_path), "--no-listen", *given])
    assert done.exit_code == 2
    assert problem in " ".join(done.output.split())
