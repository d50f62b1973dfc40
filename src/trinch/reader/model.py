"""The reader: a small network over the measures of a pair, in numpy, with the weights of the package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trinch.reader.gate import Gate
from trinch.reader.pairs import Passage, Query, measure
from trinch.reader.words import Floats, WordTable, load_table

DATA = Path(__file__).parent / "data"
WORDS, NETWORK = "words.npz", "network.npz"


class Reading(NamedTuple):
    """Probabilities for one passage, calibrated on events that the network was not trained on."""

    topic: float
    """It speaks of what the request is about."""
    answer: float
    """It says what the request asks."""


class Network(NamedTuple):
    """Two layers; inputs are standardised and cut at four standard deviations. The outputs are the log-odds of the
    two probabilities of `Reading`, which `scale` and `shift` [2] calibrate (Platt 1999)."""

    mean: Floats
    deviation: Floats
    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats
    scale: Floats
    shift: Floats

    def logits(self, measures: Floats) -> Floats:
        """[passages, 2], calibrated."""
        inputs = np.clip((measures - self.mean) / self.deviation, -4.0, 4.0)
        inner = np.maximum(inputs @ self.hidden + self.hidden_bias, 0.0)
        outputs: Floats = (inner @ self.output + self.output_bias) * self.scale + self.shift
        return outputs

    def chances(self, measures: Floats) -> Floats:
        """[passages, 2], rounded, so that the order in which a machine adds decides nothing."""
        logits = np.clip(self.logits(measures), -30.0, 30.0)
        rounded: Floats = np.round(1.0 / (1.0 + np.exp(-logits)), 4)
        return rounded


class Reader:
    """Reads passages for a request. Immutable: threads may share one."""

    def __init__(self, table: WordTable, network: Network, gate: Gate) -> None:
        self._table, self._network, self._gate = table, network, gate

    def knows(self, word: str) -> bool:
        """Whether a folded word is one of the frequent words of the six languages."""
        return word in self._table

    def akin(self, words: Sequence[str], least: float, most: int) -> list[list[str]]:
        """For each word up to `most` words of any of the languages that mean nearly the same, by a cosine of at least
        `least`, nearest first."""
        return self._table.nearest(words, least, most)

    def read(self, query: Query, passages: Sequence[Passage]) -> list[Reading]:
        """How likely each passage is to be on the topic and to answer, in the order given."""
        return self.judge(query, passages)[0]

    def judge(self, query: Query, passages: Sequence[Passage]) -> tuple[list[Reading], float]:
        """The reading of each passage, and how likely all of them together answer the request."""
        if not passages:
            return [], 0.0
        measures = measure(self._table, query, passages)
        chances = self._network.chances(measures)
        readings = [Reading(float(topic), float(answer)) for topic, answer in chances]
        return readings, self._gate.chance(measures, chances)


@cache
def load(folder: Path = DATA) -> Reader:
    """The reader with the weights of a folder, the package's own by default; loaded once for each process."""
    with np.load(folder / NETWORK, allow_pickle=False) as held:
        network = Network(*(held[name] for name in Network._fields))
        gate = Gate(*(held[f"gate_{name}"] for name in Gate._fields))
    return Reader(load_table(folder / WORDS), network, gate)
