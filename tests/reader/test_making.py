"""How the weights of the reader are made: labels by patterns, a network that learns, measures of quality."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.reader.files import rows
from benchmarks.reader.labelled import LABELS, Asked, events, labelled, requests
from benchmarks.reader.quality import Ranked, auc, expected_error, quality

pytest.importorskip("torch", reason="needs torch: pip install 'trinch[reader-train]'")

from benchmarks.reader.fit import Measured, calibrated, fitted, platt

ASKED = Asked(
    "e", "deaths", "how many died?", "en", "2031-01-01", "zorvane", r"\d+ dead", "not", False, False
)


def test_a_post_answers_if_it_is_on_the_topic_and_matches() -> None:
    texts = ["9 dead in Zorvane", "Zorvane, so sad", "9 dead in Melbora", "not 9 dead in Zorvane"]
    assert labelled(ASKED, texts).tolist() == [[1, 1], [1, 0], [0, 0], [1, 0]]


def test_the_labels_are_split_by_event() -> None:
    asked = list(requests())
    groups = {(each.group, each.held) for each in asked}
    assert len(groups) == len({group for group, _ in groups})
    assert 0.15 < len({group for group, held in groups if held}) / len(groups) < 0.25
    held = [row["event"] for row in rows(LABELS / "events.jsonl") if row.get("part") == "held"]
    assert len(held) == 5


@pytest.mark.needs("social")
def test_places_where_nothing_happened_have_no_right_post(shared: Path) -> None:
    asked = list(events(shared))
    nothing = [each for each in asked if each.nothing]
    assert len(asked) > 500
    assert len(nothing) > 50
    assert not labelled(nothing[0], ["9 dead in the earthquake", ""]).any()


def test_measures_of_a_perfect_and_of_a_reversed_ranking() -> None:
    labels = np.array([1, 0, 1, 0], np.float32)
    right = quality([Ranked(labels, labels), Ranked(np.full(3, 0.1, np.float32), np.zeros(3, np.float32))])
    wrong = quality([Ranked(-labels, labels)])
    assert (right["p@1"], right["mrr"], right["ndcg@10"], right["pair_auc"], right["answerable_auc"]) == (
        1,
    ) * 5
    assert right["false_at_90"] == 0
    assert (wrong["p@1"], wrong["mrr"], wrong["pair_auc"]) == (0, 1 / 3, 0)
    assert auc([1, 2], [1, 2]) == 0.5
    assert expected_error(np.array([0.9, 0.9], np.float32), np.array([1, 0], np.float32)) == pytest.approx(
        0.4
    )


def test_the_network_learns_what_can_be_learnt_and_is_calibrated() -> None:
    random = np.random.default_rng(3)
    made = []
    for number in range(500):
        measures = random.normal(size=(40, 6)).astype(np.float32)
        labels = np.stack([measures[:, 0] > 0, measures[:, 0] + measures[:, 1] > 0.5], axis=1)
        made.append(Measured(f"g{number}", measures, labels.astype(np.float32)))
    network = calibrated(fitted(made[:400]), made[400:450])
    logits = np.concatenate([network.logits(each.measures) for each in made[450:]])
    labels = np.concatenate([each.labels for each in made[450:]])
    assert ((logits > 0) == labels).mean() > 0.93
    assert expected_error((1 / (1 + np.exp(-logits[:, 0]))).astype(np.float32), labels[:, 0]) < 0.06


def test_calibration_undoes_a_scale_and_a_shift() -> None:
    random = np.random.default_rng(5)
    truth = random.normal(size=4000).astype(np.float32)
    labels = (random.random(4000) < 1 / (1 + np.exp(-truth))).astype(np.float32)
    scale, shift = platt(3 * truth + 1, labels)
    assert scale == pytest.approx(1 / 3, abs=0.05)
    assert shift == pytest.approx(-1 / 3, abs=0.1)
