"""A very small reader with random weights: everything but the quality of the answers can be tested on it."""

from __future__ import annotations

import string
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra reader-train: skipped")
pytest.importorskip("onnx", reason="needs the extra reader-train: skipped")
pytest.importorskip("onnxruntime", reason="needs the extra reader-train: skipped")
pytest.importorskip("sentencepiece", reason="needs the extra reader-train: skipped")

from trinch.reader.pieces import SPECIAL, Pieces  # noqa: E402
from trinch.training.reader.export import export  # noqa: E402
from trinch.training.reader.network import Network, Size  # noqa: E402
from trinch.training.reader.vocabulary import model_of  # noqa: E402


@pytest.fixture(scope="session")
def piece_model() -> bytes:
    """Single characters and a few words."""
    names = [*SPECIAL, "▁", "▁Guatemala", "▁died", *string.ascii_letters, *string.digits, *".,?!½"]
    return model_of(names, [0.0] * len(SPECIAL) + [-3.0] * (len(names) - len(SPECIAL)))


@pytest.fixture(scope="session")
def pieces(piece_model: bytes) -> Pieces:
    """The same, loaded."""
    return Pieces(piece_model)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, piece_model: bytes, pieces: Pieces) -> Path:
    """The files of a reader of two layers."""
    torch.manual_seed(1)
    network = Network(Size(len(pieces), hidden=32, layers=2, heads=2, feed=64))
    target = tmp_path_factory.mktemp("reader")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's older exporter says that it is the older one
        export(network.eval(), piece_model, {"scale": 1.0, "shift": 0.0, "threshold": 0.5}, target)
    return target
