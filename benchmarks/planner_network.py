"""The flow simulator beside SimGrid on the same flows, and what hashing costs beside a published figure.

    python -m benchmarks.planner_network [--peer PYTHON]

`--peer` is a Python that has SimGrid's bindings (`python3-simgrid` of Debian 12, version 3.32). Both share links
max-min fairly by their own code; random flows over rails of leaf and spine switches must end at the same times.
Without it only the second table is printed: a ring over racks whose flows are hashed to uplinks (ECMP), whole or cut
into pieces with a path each. Meta saw up to 40 % more AllReduce bandwidth from cutting ("A RoCE network for
distributed AI training at scale", SIGCOMM 2024).
"""

import argparse
import json
import subprocess
import time
from pathlib import Path

import numpy as np

from trinch.planner.simulate.flows import Floats, Ints, Network, max_min

NIC = 50e9
"""Bytes/s of a 400 Gb/s card."""
SIZE = 1e9


def finish_times(routes: Ints, capacities: Floats, size: float) -> Floats:
    """Seconds until each of several flows of `size` bytes is done; rates change whenever one ends."""
    left, now, done = np.full(len(routes), size), 0.0, np.zeros(len(routes))
    running = np.ones(len(routes), bool)
    while running.any():
        rate = max_min(routes[running], capacities)
        step = float(np.min(left[running] / rate))
        now += step
        left[running] -= rate * step
        ended = running & (left < size * 1e-9)
        done[ended] = now
        running &= ~ended
    return done


def rails(nodes: int, per_leaf: int, uplinks: int) -> Network:
    """A network of nodes with 8 cards, `per_leaf` nodes a leaf on each rail, uplinks as fast as cards."""
    leaf = (np.arange(nodes) // per_leaf)[:, None] * 8 + np.arange(8)
    return Network(NIC, np.ones(nodes * 8), leaf.ravel(), uplinks, NIC)


def racks(count: int, cards: int, uplinks: int) -> Network:
    """A network of racks with one leaf for all their cards, as Meta's."""
    return Network(NIC, np.ones(count * cards), np.repeat(np.arange(count), cards), uplinks, NIC)


def beside_simgrid(peer: str) -> None:
    """Both on the same random flows."""
    rng = np.random.default_rng(0)
    print(f"{'':34} flows  largest difference    ours ms  SimGrid ms")
    for nodes, flows, routing in (
        (8, 64, "ecmp"),
        (32, 256, "ecmp"),
        (32, 256, "adaptive"),
        (64, 1024, "ecmp"),
    ):
        network = rails(nodes, 4, 4)
        source = rng.integers(0, nodes * 8, flows)
        target = (source + 8 * rng.integers(1, nodes, flows)) % (nodes * 8)
        routes = network.routes(source, target, routing, rng)
        started = time.process_time()
        ours = finish_times(routes, network.capacities(), SIZE)
        spent = time.process_time() - started
        case = {
            "capacities": network.capacities().tolist(),
            "flows": [[int(link) for link in route if link >= 0] for route in routes],
            "size": SIZE,
        }
        started = time.perf_counter()
        answer = subprocess.run(
            [peer, str(Path(__file__).with_name("planner_network_peer.py"))],
            input=json.dumps(case),
            capture_output=True,
            text=True,
            check=True,
        )
        took = time.perf_counter() - started
        theirs = np.array(json.loads(answer.stdout))
        worst = float(np.max(np.abs(ours / theirs - 1)))
        print(
            f"{nodes:3d} nodes, {routing:24} {flows:5d} {worst:19.2e} {spent * 1e3:10.0f} {took * 1e3:10.0f}"
        )


def hashing(racks_: int = 32, cards: int = 16, trials: int = 20) -> None:
    """How much longer a ring over racks takes when its flows are hashed, by uplinks a card and pieces a flow."""
    rng = np.random.default_rng(0)
    print("\nring over 32 racks of 16 cards, ECMP: time over that of an even spread, mean of 20 draws")
    print(
        "uplinks a card   "
        + "".join(f"{pieces:>4} piece(s)" for pieces in (1, 4, 16))
        + "   1 over 16 pieces"
    )
    for wide in (1, 2):
        network = racks(racks_, cards, cards * wide)
        source = np.arange(racks_ * cards)
        target = np.roll(source, -cards)
        slow = []
        for pieces in (1, 4, 16):
            # the flows of the fullest link end last, and its rate does not change before
            times = [
                SIZE
                / pieces
                / max_min(_hashed(network, source, target, pieces, rng), network.capacities()).min()
                for _ in range(trials)
            ]
            slow.append(float(np.mean(times)) / (SIZE / NIC))
        print(f"{wide:14d}   " + "".join(f"{value:13.2f}" for value in slow) + f"{slow[0] / slow[2]:18.2f}")


def _hashed(network: Network, source: Ints, target: Ints, pieces: int, rng: np.random.Generator) -> Ints:
    """Routes of flows cut into pieces, each hashed by itself."""
    return network.routes(source.repeat(pieces), target.repeat(pieces), "ecmp", rng)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer")
    options = parser.parse_args()
    if options.peer:
        beside_simgrid(options.peer)
    hashing()


if __name__ == "__main__":
    main()
