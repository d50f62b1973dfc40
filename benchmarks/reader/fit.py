"""Fitting the network of the reader, its calibration, and the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from trinch.reader.gate import Gate
from trinch.reader.model import Network

Floats = NDArray[np.float32]

HIDDEN, DROPOUT = 32, 0.2
EPOCHS, BATCH, RATE, DECAY = 12, 512, 3e-3, 1e-2
RIDGE = 3.0
"""How strongly the weights of the gate are held near zero."""
CALIBRATION = 6
"""Every so many groups that are not held out calibrate, and are not fitted to."""


class Measured(NamedTuple):
    """The measures [passages, n] and labels [passages, 2] of one request."""

    group: str
    measures: Floats
    labels: Floats


def calibrates(group: str, groups: Sequence[str]) -> bool:
    """Whether a group, of all that are not held out, is left for the calibration."""
    return groups.index(group) % CALIBRATION == 0


def fitted(training: Sequence[Measured], seed: int = 1) -> Network:
    """A network without calibration, fitted by cross entropy; requests of one group share its weight."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    measures = np.concatenate([each.measures for each in training])
    labels = torch.tensor(np.concatenate([each.labels for each in training]))
    mean, deviation = measures.mean(axis=0), measures.std(axis=0) + np.float32(1e-3)
    inputs = torch.tensor(np.clip((measures - mean) / deviation, -4.0, 4.0))
    weights = torch.tensor(_weights(training))
    hidden, output = torch.nn.Linear(measures.shape[1], HIDDEN), torch.nn.Linear(HIDDEN, 2)
    model = torch.nn.Sequential(hidden, torch.nn.ReLU(), torch.nn.Dropout(DROPOUT), output)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * (len(inputs) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 - step / max(steps, 1))
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(inputs))[: len(inputs) // BATCH * BATCH].split(BATCH):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                model(inputs[chosen]), labels[chosen], reduction="none"
            )
            optimizer.zero_grad()
            (loss.sum(dim=1) * weights[chosen]).mean().backward()
            optimizer.step()
            schedule.step()
    arrays = [
        tensor.detach().numpy() for tensor in (hidden.weight.T, hidden.bias, output.weight.T, output.bias)
    ]
    return Network(mean, deviation, *arrays, np.ones(2, np.float32), np.zeros(2, np.float32))


def _weights(training: Sequence[Measured]) -> Floats:
    """The weight of each pair, 1 on average."""
    size = Counter(each.group for each in training)
    weights = np.concatenate(
        [np.full(len(each.labels), 1.0 / len(each.labels) / size[each.group] ** 0.5) for each in training]
    )
    result: Floats = (weights / weights.mean()).astype(np.float32)
    return result


def calibrated(network: Network, held: Sequence[Measured]) -> Network:
    """The network with scale and shift that fit the probabilities of requests it was not fitted to (Platt 1999)."""
    logits = np.concatenate([network.logits(each.measures) for each in held])
    labels = np.concatenate([each.labels for each in held])
    pairs = [platt(logits[:, n], labels[:, n]) for n in range(2)]
    scale, shift = (np.array(values, np.float32) for values in zip(*pairs, strict=True))
    return network._replace(scale=scale, shift=shift)


def platt(logits: Floats, labels: Floats, steps: int = 60) -> tuple[float, float]:
    """Scale and shift of least log loss, by Newton's method; a step that does not lower the loss is halved."""
    design = np.stack([logits, np.ones_like(logits)], axis=1).astype(float)

    def loss(weights: NDArray[np.float64]) -> float:
        values = design @ weights
        return float((np.logaddexp(0, values) - labels * values).sum())

    weights = np.array([1.0, 0.0])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (chance - labels)
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-9:
            step = step / 2
        weights = weights - step
    return float(weights[0]), float(weights[1])


def gate(found: Sequence[Floats], answerable: Sequence[bool], steps: int = 50) -> Gate:
    """The gate over the features [requests, n] of requests with and without an answer, both kinds weighing the same."""
    inputs, labels = np.stack(found).astype(float), np.array(answerable, float)
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    design = np.c_[np.clip((inputs - mean) / deviation, -4.0, 4.0), np.ones(len(inputs))]
    shares = np.where(labels == 1, (labels == 0).mean() * 2, (labels == 1).mean() * 2)
    weights = np.zeros(design.shape[1])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (shares * (chance - labels)) + RIDGE * np.append(weights[:-1], 0.0)
        curve = (design * (shares * chance * (1 - chance))[:, None]).T @ design + RIDGE * np.eye(len(weights))
        weights -= np.linalg.solve(curve, slope)
    return Gate(*(values.astype(np.float32) for values in (mean, deviation, weights)))
