"""A server that speaks OpenAI's Chat Completions over real HTTP, as well or as badly as a test wants.

The first part of the address's path says how: `http://127.0.0.1:PORT/faithful/v1`. What a well-behaved one says is
made by a function of the messages that it was sent.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Calls = list[tuple[str, str]]
Say = Callable[[list[dict[str, Any]]], str | Calls]
"""What is said to some messages: a text, or calls of tools (name, arguments)."""


class Server:
    """Answers until the end of a `with` block; keeps what it was asked."""

    def __init__(self, **says: Say) -> None:
        self.says, self.asked = says, list[dict[str, Any]]()
        self.headers: list[dict[str, str]] = []
        self.ended = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                owner.headers.append(dict(self.headers))
                names = self.path.split("/")[1].split("+")
                self._json(200, {"object": "list", "data": [{"id": name} for name in names if name]})

            def do_POST(self) -> None:
                owner.headers.append(dict(self.headers))
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.asked.append(body)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self._behave(self.path.split("/")[1], body)
                self.close_connection = True

            def _behave(self, how: str, body: dict[str, Any]) -> None:
                if how.startswith("toolless-") and "tools" in body:
                    self._json(400, {"error": {"message": '"auto" tool choice requires a parser'}})
                elif any(" " in tool["function"]["name"] for tool in body.get("tools", ())):
                    self._json(400, {"error": {"message": "Invalid 'tools[0].function.name'"}})
                elif (name := how.removeprefix("toolless-")) in owner.says:
                    self._say(owner.says[name](body["messages"]))
                elif how == "plain":
                    choice = {
                        "message": {"role": "assistant", "content": "all at once"},
                        "finish_reason": "stop",
                    }
                    self._json(200, {"choices": [choice]})
                elif how == "cut":
                    self._stream("half of a sent", finish="length")
                elif how == "garbage":
                    self._begin()
                    self.wfile.write(b"data: {{{ not json\n\n")
                elif how == "binary":
                    self.wfile.write(bytes(range(256)) * 20)
                elif how == "wrong-shape":
                    self._begin()
                    self.wfile.write(b'data: {"choices": "many"}\n\n')
                elif how == "error-inside":
                    self._begin()
                    self.wfile.write(b'data: {"error": {"message": "out of memory"}}\n\n')
                elif how == "endless":
                    self._begin()
                    while not owner.ended.is_set():
                        self.wfile.write(_chunk("and on and on and on " * 50))
                elif how == "endless-line":
                    self._begin()
                    while not owner.ended.is_set():
                        self.wfile.write(b"x" * 65_536)
                elif how == "empty-chunks":
                    self._begin()
                    while not owner.ended.is_set():
                        self.wfile.write(_chunk("") * 200)
                elif how == "hang":
                    owner.ended.wait(30)
                elif how == "hang-up":
                    self.connection.close()
                elif how == "hang-up-later":
                    self._begin()
                    self.wfile.write(_chunk("[1] Half"))
                elif how == "drip":  # one byte at a time, never a whole line
                    self._begin()
                    while not owner.ended.is_set():
                        self.wfile.write(b"d")
                        time.sleep(0.05)
                elif how == "drip-head":
                    while not owner.ended.is_set():
                        self.wfile.write(b"H")
                        time.sleep(0.05)
                elif how == "gzip":
                    self.send_response(200)
                    self.send_header("Content-Encoding", "gzip")
                    self.end_headers()
                elif how == "elsewhere":
                    self.send_response(307)
                    self.send_header(
                        "Location", f"http://127.0.0.1:{owner.port}/faithful/v1/chat/completions"
                    )
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif how.isdigit():
                    echoed = self.headers.get("Authorization", "")
                    self._json(int(how), {"error": {"message": f"no\x1b[31m {echoed}"}})
                else:
                    raise AssertionError(how)

            def _begin(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()

            def _say(self, said: str | Calls) -> None:
                if isinstance(said, str):
                    self._stream(said)
                else:
                    self._tool_calls(said)

            def _tool_calls(self, calls: Calls) -> None:
                self._begin()
                for index, (name, arguments) in enumerate(calls):
                    function = {"name": name, "arguments": ""}
                    self._call(
                        {"index": index, "id": f"call_{index}", "type": "function", "function": function}
                    )
                    for start in range(0, len(arguments), 9):
                        self._call({"index": index, "function": {"arguments": arguments[start : start + 9]}})
                self.wfile.write(_chunk("", "tool_calls") + b"data: [DONE]\n\n")

            def _call(self, piece: dict[str, Any]) -> None:
                choice = {"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": None}
                self.wfile.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")

            def _stream(self, text: str, finish: str = "stop") -> None:
                self._begin()
                self.wfile.write(b": a comment\n\nevent: message\n")
                for start in range(0, len(text), 7):
                    self.wfile.write(_chunk(text[start : start + 7]))
                self.wfile.write(_chunk("", finish) + b"data: [DONE]\n\n")

            def _json(self, status: int, value: Any) -> None:
                raw = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a client that hangs up is what some tests are about

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self.port = self._http.server_address[1]

    def url(self, how: str) -> str:
        return f"http://127.0.0.1:{self.port}/{how}/v1"

    def __enter__(self) -> "Server":
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()


def _chunk(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"
