"""Named models: got from a folder or a hub, whole and with the right hash, or not at all."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from trinch.cli.main import main
from trinch.service import models
from trinch.service.models import ModelError, NamedModel, get, installed, known, listed, sha256

CONTENT = bytes(range(256)) * 20_000


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(models.FOLDER, str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def model() -> NamedModel:
    return NamedModel(
        name="tiny",
        file="tiny.gguf",
        url="http://127.0.0.1:9/tiny.gguf",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        license="Apache-2.0",
        memory_gb=0.1,
        about="",
    )


class Hub(ThreadingHTTPServer):
    """Serves one file, with or without ranges, and breaks off after some bytes where it is told to."""

    def __init__(self, ranges: bool) -> None:
        self.asked: list[str | None] = []
        self.break_after = 0
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                hub.asked.append(wanted)
                start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and ranges else 0
                body = CONTENT[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: hub.break_after] if hub.break_after else body)

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    server = Hub(request.param)
    yield server
    server.shutdown()
    server.server_close()


def test_the_known_models_are_pinned() -> None:
    assert len(known()) == 3
    for model in known():
        assert len(model.sha256) == 64
        assert model.size > 1_000_000_000
        assert "/resolve/main/" not in model.url, "a revision, not a branch that moves"
        assert model.license
        assert model.about


def test_a_download_that_broke_off_goes_on(kept: Path, model: NamedModel, hub: Hub) -> None:
    model = msgspec.structs.replace(model, url=f"http://127.0.0.1:{hub.server_address[1]}/tiny.gguf")
    hub.break_after = 1_500_000
    with pytest.raises(ModelError, match="run it again"):
        get(model)
    assert not (kept / "tiny.gguf").exists()
    there = (kept / "tiny.part").stat().st_size
    assert there > 0
    hub.break_after = 0
    seen: list[int] = []
    path = get(model, progress=lambda done, _: seen.append(done))
    assert path.read_bytes() == CONTENT
    assert hub.asked[-1] == f"bytes={there}-"
    assert seen[-1] == len(CONTENT)
    assert get(model) == path, "what is there is not got again"
    assert len(hub.asked) == 2


def test_from_a_folder_and_never_with_another_hash(kept: Path, model: NamedModel, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "tiny.gguf").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(ModelError, match="sha256"):
        get(model, stick)
    assert list(kept.iterdir()) == []
    (stick / "tiny.gguf").write_bytes(CONTENT)
    assert sha256(get(model, stick)) == model.sha256
    with pytest.raises(ModelError, match="no file"):
        get(msgspec.structs.replace(model, file="other.gguf"), stick)


def test_the_commands(kept: Path, monkeypatch: pytest.MonkeyPatch, model: NamedModel, tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["models", "list"])
    assert shown.exit_code == 0
    assert "qwen3-4b" in shown.output
    assert CliRunner().invoke(main, ["models", "get", "no-such"]).exit_code == 1
    assert installed("qwen3-4b").endswith(".gguf"), "named, and not there"
    assert installed("http://x/v1") == "http://x/v1"
    monkeypatch.setattr(models, "known", lambda: (model,))
    (tmp_path / "tiny.gguf").write_bytes(CONTENT)
    done = CliRunner().invoke(main, ["models", "get", "tiny", "--from", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert listed()[0].path == kept / "tiny.gguf"
    assert installed("tiny") == str(kept / "tiny.gguf")
