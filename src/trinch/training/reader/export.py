"""The trained network as an int8 ONNX file, with its pieces and its calibration beside it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from trinch.reader.model import MODEL, PIECES, SETTINGS
from trinch.training.reader.network import Network


class _Heads(nn.Module):
    """What the file computes: the three outputs, with fixed names."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, segments: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        answers, begins, ends = self.network(ids, segments)
        return answers, begins, ends


def to_onnx(network: Network, path: Path) -> None:
    """Write the network in fp32."""
    ids = torch.tensor([[0, 10, 11, 2, 12, 13, 2]])
    segments = torch.tensor([[0, 0, 0, 0, 1, 1, 1]])
    axes = {0: "batch", 1: "length"}
    torch.onnx.export(
        _Heads(network).eval(),
        (ids, segments),
        str(path),
        input_names=["ids", "segments"],
        output_names=["answers", "begins", "ends"],
        dynamic_axes={"ids": axes, "segments": axes, "answers": {0: "batch"}, "begins": axes, "ends": axes},
        opset_version=17,
        dynamo=False,
    )


def quantize(source: Path, target: Path) -> None:
    """Weights of matrices and embeddings as int8, one scale for each output channel; activations at run time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        target,
        per_channel=True,
        reduce_range=False,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gather"],
    )


def export(network: Network, pieces: bytes, settings: Mapping[str, float], folder: Path) -> None:
    """Write all that `trinch.reader` loads into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "reader.onnx"
        to_onnx(network, plain)
        quantize(plain, folder / MODEL)
    (folder / PIECES).write_bytes(pieces)
    write_settings(settings, folder)


def write_settings(settings: Mapping[str, float], folder: Path) -> None:
    """Write the calibration: scale and shift of the log-odds, threshold."""
    (folder / SETTINGS).write_text(json.dumps(dict(settings), indent=1, sort_keys=True) + "\n")
