"""A server, and `trinch ask`, with a language model on top of the answers: every endpoint returns the checked sentences."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.llm.fake import Server
from tests.server.running import Running
from trinch.llm.openai_client import KEY

QUESTION, AS_OF = "What happened in Port Esker?", "2026-03-18T20:00:00Z"
OTHER = "Who won the regatta at Tallow Point?"
SECRET = "sk-secret-of-the-test"


def rewrite(messages: list[dict[str, str]]) -> str:
    """One faithful sentence, and inventions for the rest."""
    lines = []
    for quote in json.loads(messages[-1]["content"])["quotes"]:
        text = quote["quote"].replace("at a grain silo", "at grain silo")
        lines.append(
            f"[{quote['n']}] {text if text != quote['quote'] else 'All 900 have died in Port Esker.'}"
        )
    return "\n".join(lines)


@pytest.fixture(scope="module")
def model() -> Iterator[Server]:
    with Server(good=rewrite) as running:
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
    assert (writer["model"], writer["sentences"], writer["error"]) == ("wordsmith", len(answer["claims"]), "")
    written = [claim for claim in answer["claims"] if claim["written"]]
    assert len(written) == writer["written"] >= 1
    assert writer["fell_back"] == len(answer["claims"]) - len(written) >= 1
    assert "All 900" not in str(answer)
    for claim in answer["claims"]:
        first = claim["citations"][0]
        source = next(source for source in answer["sources"] if source["key"] == first["key"])
        assert source["text"][first["start"] : first["end"]] == first["quote"]
        assert (claim["text"] != first["quote"]) == claim["written"]


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


def test_where_there_is_no_evidence_the_model_is_not_asked(http: httpx.Client, model: Server) -> None:
    asked = len(model.asked)
    answer = http.get("/v1/ask", params={"question": OTHER, "as_of": AS_OF}).json()
    assert (answer["outcome"], answer["writer"]) == ("not_enough_evidence", None)
    assert len(model.asked) == asked


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
