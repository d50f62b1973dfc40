"""Named GGUF models: what there is, where it is kept, and getting one, complete and with the right hash or not at all."""

import hashlib
import os
import shutil
import tomllib
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import platformdirs

from trinch.errors import TrinchError

FOLDER = "TRINCH_MODELS"
"""Environment variable of the folder in which models are kept."""
CHUNK = 1 << 20

Progress = Callable[[int, int], None]
"""Called with the bytes there and the bytes in all."""


class ModelError(TrinchError):
    """A model that cannot be had; the text says why and what to do."""


class NamedModel(msgspec.Struct, frozen=True):
    """A model that `trinch models get` knows."""

    name: str
    file: str
    url: str
    sha256: str
    size: int
    """Bytes."""
    license: str
    memory_gb: float
    """Memory that it needs to run with 8,192 tokens of context, about."""
    about: str


class Installed(NamedTuple):
    model: NamedModel
    path: Path | None
    """None where it is not there."""


def known() -> tuple[NamedModel, ...]:
    """The models of `models.toml`."""
    table = tomllib.loads(files("trinch.service").joinpath("models.toml").read_text(encoding="utf-8"))
    return tuple(msgspec.convert({"name": name, **row}, NamedModel) for name, row in table.items())


def folder() -> Path:
    """Where models are kept: TRINCH_MODELS, else the platform's folder for data."""
    return Path(
        os.environ.get(FOLDER) or Path(platformdirs.user_data_dir("trinch", appauthor=False)) / "models"
    )


def named(name: str) -> NamedModel:
    """The model of that name. Raises ModelError."""
    found = next((model for model in known() if model.name == name), None)
    if found is None:
        raise ModelError(f"there is no model {name!r}; known are {', '.join(m.name for m in known())}")
    return found


def listed() -> list[Installed]:
    """All known models, and where those are that are there. A file of another size is not one of them."""
    kept = folder()
    found = []
    for model in known():
        path = kept / model.file
        found.append(Installed(model, path if path.is_file() and path.stat().st_size == model.size else None))
    return found


def installed(name: str) -> str:
    """The file of a model that `--model` names by its name; anything else as it is."""
    there = {entry.model.name: entry.path for entry in listed()}
    if name not in there:
        return name
    return str(there[name] or folder() / named(name).file)


def get(model: NamedModel, source: Path | None = None, progress: Progress = lambda _, __: None) -> Path:
    """Get a model into the folder and return its path. What was got before an interruption is kept and continued.

    `source` is a folder that has the file, or the file itself, in place of the hub. The hash is checked before the file
    gets its name; a wrong one is deleted. Raises ModelError.
    """
    target = folder() / model.file
    if target.is_file() and sha256(target, progress) == model.sha256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    if shutil.disk_usage(target.parent).free < model.size - (part.stat().st_size if part.exists() else 0):
        raise ModelError(f"{target.parent} has no room for the {model.size / 1e9:.1f} GB of {model.name}")
    if source is not None:
        _copy(source / model.file if source.is_dir() else source, part, model, progress)
    else:
        _download(model, part, progress)
    found = sha256(part, progress)
    if found != model.sha256:
        part.unlink()
        raise ModelError(f"what came is not {model.name}: its sha256 is {found}, wanted is {model.sha256}")
    part.replace(target)
    return target


def _copy(source: Path, part: Path, model: NamedModel, progress: Progress) -> None:
    try:
        with source.open("rb") as given:
            given.seek(part.stat().st_size if part.exists() else 0)
            _append(iter(lambda: given.read(CHUNK), b""), part, model, progress)
    except FileNotFoundError:
        raise ModelError(f"there is no file {source}") from None


def _download(model: NamedModel, part: Path, progress: Progress) -> None:
    """Continue where an earlier attempt ended, if the server can; else begin again."""
    try:
        import httpx
    except ImportError:
        raise ModelError("getting a model from the hub needs an extra: pip install 'trinch[llm]'") from None
    there = part.stat().st_size if part.exists() else 0
    if there == model.size:
        return
    try:
        with httpx.stream(
            "GET",
            model.url,
            headers={"Range": f"bytes={there}-"} if there else {},
            follow_redirects=True,
            timeout=60,
        ) as response:
            if response.status_code == 200 and there:
                part.unlink()
            elif response.status_code not in (200, 206):
                raise ModelError(f"{model.url} answers with status {response.status_code}")
            _append(response.iter_bytes(CHUNK), part, model, progress)
    except httpx.HTTPError as error:
        raise ModelError(
            f"{model.url} cannot be read ({error or type(error).__name__}); what came is kept, run it again to go on. "
            "Without a connection give --from FOLDER"
        ) from None


def _append(chunks: Iterator[bytes], part: Path, model: NamedModel, progress: Progress) -> None:
    with part.open("ab") as kept:
        for chunk in chunks:
            kept.write(chunk)
            if kept.tell() > model.size:
                break  # longer than it may be: the hash will not be right
            progress(kept.tell(), model.size)


def sha256(path: Path, progress: Progress = lambda _, __: None) -> str:
    """The hash of a file."""
    found, size = hashlib.sha256(), path.stat().st_size
    with path.open("rb") as opened:
        for chunk in _chunks(opened):
            found.update(chunk)
            progress(opened.tell(), size)
    return found.hexdigest()


def _chunks(opened: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: opened.read(CHUNK), b"")


def as_rows() -> list[dict[str, Any]]:
    """What `trinch models list --json` prints."""
    return [
        msgspec.to_builtins(entry.model) | {"path": str(entry.path) if entry.path else None}
        for entry in listed()
    ]
