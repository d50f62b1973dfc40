"""A model behind HTTP: what it says comes through, and whatever else it does ends in time, as an error for people."""

import logging
import socket
import time
from collections.abc import Iterator

import pytest

from tests.llm.fake import Server
from trinch.llm.interface import KEY, LLMError, Message, Setting
from trinch.llm.openai_client import OpenAI, base_url

SECRET = "sk-very-secret-1234567890"
HELLO = (Message("system", "be brief"), Message("user", "héllo\n☃"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(echo=lambda messages: messages[-1]["content"], silent=lambda _: "") as running:
        yield running


def model(server: Server, how: str, seconds: float = 5.0, name: str = "m") -> OpenAI:
    return OpenAI(Setting(server.url(how), name, seconds))


def said(one: OpenAI, tokens: int = 50) -> str:
    return "".join(one.complete(HELLO, max_tokens=tokens))


def trouble(one: OpenAI) -> LLMError:
    with pytest.raises(LLMError) as caught:
        said(one)
    return caught.value


def test_what_is_said_comes_through_in_pieces(server: Server) -> None:
    long = Message("user", "grün ☃ " * 20)
    pieces = list(model(server, "echo").complete([long], max_tokens=50, stop=["\n\n"]))
    assert "".join(pieces) == long.content
    assert len(pieces) > 5
    asked = server.asked[-1]
    assert asked["model"] == "m"
    assert asked["messages"] == [{"role": "user", "content": long.content}]
    assert (asked["max_tokens"], asked["temperature"], asked["stop"]) == (50, 0.0, ["\n\n"])
    assert said(model(server, "plain")) == "all at once", "a server that does not stream"
    assert said(model(server, "silent")) == ""


def test_a_reader_may_leave_early_and_another_come(server: Server) -> None:
    one = model(server, "endless")
    assert next(one.complete(HELLO, max_tokens=10_000)).startswith("and on")
    assert said(model(server, "echo")) == HELLO[-1].content


def test_the_only_model_is_found_by_asking(server: Server) -> None:
    one = model(server, "echo", name="")
    assert said(one) == HELLO[-1].content
    assert one.name == "echo"
    several = model(server, "small+large", name="")
    assert (error := trouble(several)).code == "address"
    assert "small, large" in str(error)


@pytest.mark.parametrize(
    ("how", "code", "tells"),
    [
        ("cut", "truncated", "cut off"),
        ("hang-up-later", "truncated", "broke off"),
        ("hang-up", "malformed", "broke off"),
        ("garbage", "malformed", "no chunk"),
        ("wrong-shape", "malformed", "no chunk"),
        ("binary", "malformed", "HTTP"),
        ("gzip", "malformed", "compressed"),
        ("error-inside", "server", "out of memory"),
        ("endless", "too_long", "goes on"),
        ("endless-line", "too_long", "without an end"),
        ("empty-chunks", "too_long", "without an end"),
        ("500", "server", "500"),
        ("503", "server", "503"),
        ("429", "server", "429"),
        ("400", "refused", "400"),
        ("401", "refused", KEY),
        ("404", "address", "/v1"),
        ("elsewhere", "address", "/v1"),
    ],
)
def test_what_goes_wrong_is_told(server: Server, how: str, code: str, tells: str) -> None:
    error = trouble(model(server, how))
    assert error.code == code
    assert tells in str(error)
    assert "127.0.0.1" in str(error)
    assert str(error).isprintable()


@pytest.mark.parametrize("how", ["hang", "drip", "drip-head"])
def test_a_server_that_is_slow_is_left_in_time(server: Server, how: str) -> None:
    started = time.monotonic()
    error = trouble(model(server, how, seconds=0.6))
    assert error.code == "timeout"
    assert "0.6 s" in str(error)
    assert time.monotonic() - started < 3


def test_where_nobody_listens_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = trouble(OpenAI(Setting(f"http://127.0.0.1:{port}", "m", 5)))
    assert error.code == "unreachable"
    assert "is the server running" in str(error)


def test_the_key_goes_to_the_address_and_nowhere_else(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(KEY, SECRET)
    caplog.set_level(logging.DEBUG)
    assert said(model(server, "echo")) == HELLO[-1].content
    assert server.headers[-1]["Authorization"] == f"Bearer {SECRET}"
    asked = len(server.asked)
    trouble(model(server, "elsewhere"))
    assert len(server.asked) == asked + 1, "a redirect is not followed"
    errors = [trouble(model(server, how)) for how in ("401", "403", "400", "500")]  # they echo the key
    assert all("…" in str(error) for error in errors)
    shown = "".join(repr(error) + str(error.__cause__) for error in errors) + caplog.text
    assert SECRET not in shown
    monkeypatch.setenv(KEY, "two\nlines")
    assert trouble(model(server, "echo")).code == "refused"


def test_without_a_key_none_is_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert said(model(server, "echo")) == HELLO[-1].content
    assert "Authorization" not in server.headers[-1]
    assert SECRET not in str(server.headers[-1])


def test_a_proxy_of_the_environment_is_not_for_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert said(model(server, "echo")) == HELLO[-1].content
    monkeypatch.setenv("HTTPS_PROXY", "gopher://nowhere")
    outside = OpenAI(Setting("https://models.invalid/v1", "m", 2))
    assert trouble(outside).code == "unreachable"


def test_a_host_that_cannot_be_is_told() -> None:
    with pytest.raises(LLMError):  # what idna says of it is no error of httpx
        list(OpenAI(Setting("http://xn--a/v1", "m")).complete(HELLO, max_tokens=5))


@pytest.mark.parametrize(
    ("address", "base", "local"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1", True),
        ("http://localhost:8080/v1/", "http://localhost:8080/v1", True),
        ("http://[::1]:8080/v1/chat/completions", "http://[::1]:8080/v1", True),
        ("https://models.example/openai/v1", "https://models.example/openai/v1", False),
    ],
)
def test_addresses(address: str, base: str, local: bool) -> None:
    assert base_url(address) == (base, local)


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1:8080", "ftp://x/v1", "http://", "http://a:b:c/", "http://x:99999/", "http://[/v1",
     f"http://user:{SECRET}@x/v1", f"http://x/v1?key={SECRET}", f"http://x/v1#{SECRET}", "http://x /v1", "http://x/\n"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(LLMError) as caught:
        base_url(address)
    assert caught.value.code == "address"
    assert SECRET not in str(caught.value)
