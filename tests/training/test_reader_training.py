"""The training of the reader: labels by patterns, measures, and a network that learns."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra reader-train: skipped")
for name in ("onnx", "onnxruntime", "sentencepiece"):
    pytest.importorskip(name, reason="needs the extra reader-train: skipped")

from trinch.reader.model import Reader  # noqa: E402
from trinch.reader.pieces import SPECIAL, Pieces  # noqa: E402
from trinch.training.reader import evaluate, export, measure, run  # noqa: E402
from trinch.training.reader.base import dequantize  # noqa: E402
from trinch.training.reader.examples import Example, rows, span_of  # noqa: E402
from trinch.training.reader.fit import Batch as TrainingBatch  # noqa: E402
from trinch.training.reader.fit import fit, loss_of  # noqa: E402
from trinch.training.reader.labels import Facets  # noqa: E402
from trinch.training.reader.mixture import Mixture  # noqa: E402
from trinch.training.reader.network import Network, Size  # noqa: E402
from trinch.training.reader.retrieved import Candidate, Request, judge  # noqa: E402
from trinch.training.reader.vocabulary import model_of  # noqa: E402

FOLDER = Path(__file__).parents[2] / "benchmarks" / "data" / "reader"


def letters() -> bytes:
    """A piece model of single letters."""
    names = [*SPECIAL, "▁", *"abcdefghijklmnopqrstuvwxyzDI?"]
    return model_of(names, [0.0] * len(SPECIAL) + [-3.0] * (len(names) - len(SPECIAL)))


def facets() -> Facets:
    """The facets as they are shipped."""
    return Facets(json.loads((FOLDER / "facets.json").read_text()))


@pytest.mark.parametrize(
    ("facet", "text", "answer"),
    [
        ("deaths", "At least 39 people have died in Guatemala", "39 people have died"),
        ("deaths", "Terremoto en Guatemala: sube a 48 la cifra de muertos", "cifra de muertos"),
        ("deaths", "A 7.4 quake shook Guatemala", None),
        ("injured", "Train derails in the Bronx, 63 injured", "63 injured"),
        ("magnitude", "6.0 magnitude quake near Napa", "6.0"),
        ("magnitude", "Damage of 4.5 billion", None),
    ],
)
def test_facets_label_what_they_say(facet: str, text: str, answer: str | None) -> None:
    """The patterns find the answer and nothing where there is none."""
    found = facets().match(facet, text)
    assert (found is None) if answer is None else (found is not None and answer in found.group())


def test_every_request_has_patterns_that_compile() -> None:
    """Labels are patterns: a bad one would label nothing, silently."""
    for row in rows(FOLDER / "requests.jsonl"):
        assert row["ask"]["en"]
        assert row["kind"] in ("question", "summary", "opinions")
        re.compile(row["on"]), re.compile(row["answers"])


def test_judge_needs_both_topic_and_answer() -> None:
    """Right topic and other question is no answer, nor is the same answer on another topic."""
    row = {"on": "ricin", "answers": "arrest", "kind": "question"}
    assert judge(row, "Man arrested over ricin letters").label == 1.0
    assert judge(row, "Letter tests positive for ricin").label == 0.0
    assert judge(row, "Man arrested for theft").label == 0.0


def test_no_event_of_the_development_cases_is_trained_on() -> None:
    """The measuring stick's events are not among the labelled ones."""
    names = " ".join(row["event"] for row in rows(FOLDER / "events.jsonl"))
    assert not re.search("Boston|West_Texas|Savar|Oklahoma|Nepal|Hagupit|Pam|Chile|Odile|Yolanda", names)


def test_measures() -> None:
    """Known values."""
    assert measure.auc([0.9, 0.8], [0.1, 0.8]) == pytest.approx(0.875)
    assert measure.first_ranks([[0.1, 0.9, 0.5]], [[True, False, False]]) == [3]
    assert measure.first_ranks([[0.1]], [[False]]) == [0]
    assert measure.within([1, 4, 0]) == {1: 1, 3: 1, 5: 2, 10: 2}
    assert measure.expected_error([0.5, 0.5], [1, 0]) == 0.0
    assert 0.2 < measure.best_threshold([0.4, 0.9], [0.1, 0.2]) < 0.4


def test_calibration_recovers_a_known_scale() -> None:
    """Labels drawn from sigmoid(2x - 1) give scale 2 and shift -1."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(20_000, generator=generator)
    y = torch.bernoulli(torch.sigmoid(2 * x - 1), generator=generator)
    scale, shift = measure.calibrate(x.tolist(), y.tolist())
    assert scale == pytest.approx(2, abs=0.15)
    assert shift == pytest.approx(-1, abs=0.1)


def test_dequantize_reads_low_and_high_halves() -> None:
    """One block: scale 0.5, byte 0 holds 9 in its low and 7 in its high half; 8 is nought."""
    import numpy as np

    block = np.frombuffer(np.float16(0.5).tobytes() + bytes([0x79]) + bytes([0x88] * 15), np.uint8)
    values = dequantize(block)
    assert values[0] == 0.5
    assert values[16] == -0.5
    assert not values[1:16].any()


def test_span_of_finds_the_answer() -> None:
    """Case does not matter; what is not there has no span."""
    assert span_of("In Guatemala City", ["guatemala"]) == (3, 12)
    assert span_of("In Guatemala City", ["Lima"]) == (-1, -1)


def test_a_small_network_learns_and_repeats() -> None:
    """The loss falls, frozen weights stay, and the same seed gives the same weights."""
    pieces = Pieces(letters())
    examples = [
        Example("t", "a", "who won?", "Denmark won the contest", 1.0, 0, 7),
        Example("t", "a", "who won?", "I like tacos", 0.0),
    ] * 16

    def trained() -> tuple[Network, float, float]:
        torch.manual_seed(1)
        network = Network(Size(len(pieces), 32, 2, 2, 64), frozen=1)
        batch = TrainingBatch(pieces, examples[:2])
        before = loss_of(network.eval(), batch).item()
        fit(network, pieces, examples, epochs=6, size=8, rate=5e-3, report=lambda line: None)
        return network, before, loss_of(network, batch).item()

    torch.manual_seed(1)
    first = Network(Size(len(pieces), 32, 2, 2, 64), frozen=1)
    network, before, after = trained()
    assert after < before / 2
    assert torch.equal(first.word.weight, network.word.weight)
    again, *_ = trained()
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_ranking_counts_only_requests_that_have_an_answer() -> None:
    """A scorer that knows the answer puts it first; one without an answer among its candidates is left out."""
    good, bad = Candidate("yes", 1.0, -1, -1), Candidate("no", 0.0, -1, -1)
    found = [
        Request("a", "en", "q", "question", [bad, bad, good]),
        Request("b", "fr", "q", "question", [bad]),
    ]
    ranks = evaluate.ranking(lambda request, texts: [float(text == "yes") for text in texts], found)
    assert ranks["requests"] == 1
    assert ranks["plain"] == {1: 0, 3: 1, 5: 1, 10: 1}
    assert ranks["read"] == {1: 1, 3: 1, 5: 1, 10: 1}
    assert ranks["answerable_auc"] == 1.0
    assert list(ranks["by_language"]) == ["en"]


@pytest.mark.filterwarnings("ignore")
def test_publish_writes_what_the_reader_loads(tmp_path: Path) -> None:
    """Export, calibration and measures in one go."""
    model = letters()
    pieces = Pieces(model)
    torch.manual_seed(3)
    network = Network(Size(len(pieces), 32, 2, 2, 64)).eval()
    pairs = [
        Example("t", "a", "who won", text, float(n % 2)) for n, text in enumerate(["denmark", "tacos"] * 4)
    ]
    asked = Request(
        "a", "en", "who won", "question", [Candidate(e.passage, e.label, -1, -1) for e in pairs[:2]]
    )
    results = run.publish(network, model, Mixture(pairs, {"events": pairs}, [asked]), tmp_path)
    fixed = json.loads((tmp_path / "reader.json").read_text())
    assert fixed == results["calibration"]
    assert results["requests"]["requests"] == 1
    (reading,) = Reader(tmp_path).score("who won", ["denmark"])
    assert 0.0 < reading.answers < 1.0


@pytest.mark.filterwarnings("ignore")
def test_the_file_computes_what_pytorch_computes(tmp_path: Path) -> None:
    """The fp32 file to rounding at every length; the int8 file nearly."""
    import onnxruntime

    pieces = Pieces(letters())
    torch.manual_seed(3)
    network = Network(Size(len(pieces), 32, 2, 2, 64)).eval()
    plain, small = tmp_path / "plain.onnx", tmp_path / "small.onnx"
    export.to_onnx(network, plain)
    export.quantize(plain, small)
    exact, close = onnxruntime.InferenceSession(str(plain)), onnxruntime.InferenceSession(str(small))
    for passage in ("denmark", "a", "denmark won the contest in the end " * 3):
        batch = TrainingBatch(pieces, [Example("t", "a", "who won", passage, 1.0)])
        inputs = {"ids": batch.ids.numpy(), "segments": batch.segments.numpy()}
        with torch.no_grad():
            wanted = [part.numpy() for part in network(batch.ids, batch.segments)]
        for part, found in zip(wanted, exact.run(None, inputs), strict=True):
            assert abs(part - found).max() < 1e-5
        assert abs(wanted[0] - close.run(None, inputs)[0]).max() < 0.1
