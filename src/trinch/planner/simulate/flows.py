"""Flow-level network: rails of leaf and spine switches, flows that share links max-min fairly.

GPU r of every node hangs on rail r, which has a leaf switch of its own in every pod.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
ROUTINGS = ("adaptive", "ecmp")
"""Adaptive: a leaf spreads its flows evenly over its uplinks. ECMP: each flow is hashed to one."""


@dataclass(frozen=True)
class Network:
    """One network card a GPU, of `nic` bytes/s times `cards` (a flapping link below 1), on the leaf `leaf_of`.

    A leaf has `uplinks` of `uplink` bytes/s, one to each spine."""

    nic: float
    cards: Floats
    leaf_of: Ints
    uplinks: int
    uplink: float

    @property
    def leaves(self) -> int:
        """Leaf switches."""
        return int(self.leaf_of.max()) + 1

    def capacities(self) -> Floats:
        """Bytes/s of every link: cards out, cards in, then uplinks and downlinks of every leaf."""
        card = self.nic * self.cards
        trunk = np.full(self.leaves * self.uplinks, self.uplink)
        return np.concatenate([card, card, trunk, trunk])

    def routes(self, source: Ints, target: Ints, routing: str, rng: np.random.Generator) -> Ints:
        """Links of flows between cards, shape (flows, 4); -1 where a flow uses fewer (within a leaf)."""
        here, there = self.leaf_of[source], self.leaf_of[target]
        if routing == "ecmp":
            path = rng.integers(0, self.uplinks, len(source))
        else:  # the k-th flow of a leaf takes its k-th uplink, in turn
            rows = np.argsort(here, kind="stable")
            path = np.empty(len(source), np.intp)
            path[rows] = (np.arange(len(source)) - np.searchsorted(here[rows], here[rows])) % self.uplinks
        count = len(self.cards)
        up = 2 * count + here * self.uplinks + path
        down = 2 * count + (self.leaves + there) * self.uplinks + path
        far = here != there
        links = [source, count + target, np.where(far, up, -1), np.where(far, down, -1)]
        return np.stack(links, axis=1).astype(np.intp)


def max_min(routes: Ints, capacities: Floats) -> Floats:
    """Bytes/s of each flow under max-min fairness: all rise together until a link is full, whose flows are then fixed.

    `routes` of shape (flows, links a flow) with -1 for none. Progressive filling, Bertsekas and Gallager 6.5.2."""
    flows, used = routes.shape[0], routes >= 0
    rate, free = np.zeros(flows), np.ones(flows, bool)
    left = capacities.astype(float).copy()
    while free.any():
        active = used & free[:, None]
        load = np.bincount(routes[active], minlength=len(left))
        share = np.where(load > 0, left / np.maximum(load, 1), np.inf)
        rise = share.min()
        full = share <= rise * (1 + 1e-9)
        rate[free] += rise
        left = left - rise * load
        stopped = free & np.any(full[np.maximum(routes, 0)] & used, axis=1)
        if not stopped.any():
            break
        free &= ~stopped
    return rate
