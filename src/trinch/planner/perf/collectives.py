"""Collectives: how long data takes between GPUs, by algorithm and by the level of network it crosses.

Ranks are numbered tensor, context, data, pipeline from the inside out, so a group is described by its size
and its stride (how many ranks lie between neighbours). All functions take and return arrays; bytes are per
GPU; times in seconds.
"""

import numpy as np

from trinch.planner.perf.layout import Array
from trinch.planner.perf.model_inputs import Cases

NVLINK_EFFICIENCY = 0.80
"""Bus bandwidth over nominal: NCCL gathers 512 MiB on 8 H100 at 383 x 7/8 = 335 of 450 GB/s; 4 reach 80 %."""
NIC_EFFICIENCY = 0.85
"""Achieved over line rate of large messages on InfiniBand or tuned RoCE."""
NVLINK_LATENCY = 8e-6
NIC_LATENCY = 12e-6
P2P_START = 5e-5
"""Cost of starting a send between pipeline stages: two kernels and a rendezvous."""
RING_HOP = 1e-6
"""Each further node of a ring delays a collective by this."""


def per_node(on: Cases, size: Array, stride: Array) -> Array:
    """How many ranks of the group share one NVLink domain."""
    return np.clip(np.floor(on.domain / stride), 1.0, size)


def bus_bandwidth(on: Cases, size: Array, stride: Array) -> Array:
    """Bytes/s of a ring over the group: NVLink inside a domain; across domains the NICs of its members."""
    near = on.nvlink * NVLINK_EFFICIENCY
    members = per_node(on, size, stride)
    far = np.minimum(near, members * on.nic * NIC_EFFICIENCY)
    far = np.where(size * stride > on.pod, far / on.oversubscription, far)
    return np.where(members >= size, near, far)


def latency(on: Cases, size: Array, stride: Array) -> Array:
    """Fixed cost of one collective: grows with the logarithm of the group."""
    members = per_node(on, size, stride)
    start = np.where(members >= size, NVLINK_LATENCY, NIC_LATENCY) * np.log2(np.maximum(size, 2.0))
    return start + RING_HOP * (size / members - 1)


def gather(on: Cases, size: Array, stride: Array, full_bytes: Array, calls: Array | float = 1.0) -> Array:
    """All-gather to, or reduce-scatter from, `full_bytes` on every rank, in `calls` pieces."""
    move = full_bytes * (size - 1) / size / bus_bandwidth(on, size, stride)
    time = move + calls * latency(on, size, stride)
    return np.where(size > 1, time, 0.0)


def all_to_all(on: Cases, size: Array, stride: Array, sent_bytes: Array) -> Array:
    """Every rank sends `sent_bytes` spread evenly over the group; the slower of the two levels counts."""
    members = per_node(on, size, stride)
    near = sent_bytes * (members - 1) / size / (on.nvlink * NVLINK_EFFICIENCY)
    far = sent_bytes * (size - members) / size / (on.nic * NIC_EFFICIENCY)
    return np.where(size > 1, np.maximum(near, far) + latency(on, size, stride), 0.0)


def point_to_point(on: Cases, stride: Array, sent_bytes: Array) -> Array:
    """One neighbour to the next, `stride` ranks away."""
    rate = np.where(stride < on.domain, on.nvlink * NVLINK_EFFICIENCY, on.nic * NIC_EFFICIENCY)
    return sent_bytes / rate + P2P_START
