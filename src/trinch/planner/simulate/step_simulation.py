"""One training step of a plan, event by event: every stage of every replica runs its micro-batches in 1F1B order,
and the traffic between stages and replicas shares the network cards.

Replicas are array elements, so a step of 16,384 GPUs takes about a second. Time inside a node (arithmetic,
tensor-parallel and expert traffic) is taken from the plan's price; what crosses nodes is simulated.
"""

from dataclasses import dataclass

import numpy as np

from trinch.planner.perf.collectives import NIC_EFFICIENCY, P2P_START
from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import SCHEDULES, Plan
from trinch.planner.perf.step_time import ACTIVATION
from trinch.planner.simulate.flows import ROUTINGS, Floats, Ints, Network, max_min

SIMULATED = ("bubble", "pipeline_comm", "data_comm", "imbalance", "stragglers", "optimizer")
"""Parts of a price that the simulation replaces, or adds at the end (optimizer)."""
BACKWARD = 2.0
"""Backward over forward time of a micro-batch."""
LEAF_NODES = 32
"""Nodes of a leaf switch where the site says nothing: a scalable unit of DGX SuperPOD."""


@dataclass(frozen=True)
class Faults:
    """What is wrong during the step: counts of things, drawn by `seed`.

    `slow_nodes` run `slow_by` times as long; the cards of `flaps` nodes carry half; `lost_spines` of every leaf's
    uplinks are dead; behind `lost_leaves` all cards carry 7/8, since a rail's traffic moves to the others."""

    slow_nodes: int = 0
    slow_by: float = 1.2
    flaps: int = 0
    lost_leaves: int = 0
    lost_spines: int = 0
    routing: str = "adaptive"
    oversubscription: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class StepOutcome:
    """Seconds of the step and of its phases (of the slowest replica), and what the network gave."""

    step_s: float
    pipeline_s: float
    gradients_s: float
    optimizer_s: float
    send_rate_share: dict[str, float]
    ring_rate_share: dict[str, float]
    replicas_late: float
    events: int


def simulate_step(plan: Plan, faults: Faults | None = None) -> StepOutcome:
    """Simulate one step. PlanError for faults that cannot be, or a layout that fills no node."""
    given = faults or Faults()
    cut, rng = plan.layout, np.random.default_rng(given.seed)
    if cut.schedule:
        raise PlanError(f"schedule={SCHEDULES[cut.schedule]} is priced, not simulated: use 1f1b")
    ranks = _placement(plan)
    network, slow = _machine(plan, given, np.unique(ranks // plan.machine.gpu.gpus_per_node))
    forward, backward = task_times(plan, slow[ranks // plan.machine.gpu.gpus_per_node])
    size = cut.micro_batch * plan.workload.seq_len / cut.cp * plan.workload.hidden * ACTIVATION
    size /= cut.tp if cut.sequence_parallel else 1
    sends, rings = _rates(plan, network, ranks, given, rng, size, forward)
    hop = P2P_START + size / sends
    reduce_s = stage_gradient_bytes(plan) / cut.vpp / rings
    ready, events = _pipeline(plan, forward, backward, hop, reduce_s)
    last = ready.max(axis=0)
    end = _gradients(ready, last, reduce_s)
    optimizer = plan.breakdown_s.get("optimizer", 0.0)
    done = float(end.max()) + optimizer
    finish = last.max(axis=0)
    return StepOutcome(
        step_s=done,
        pipeline_s=float(finish.max()),
        gradients_s=float(end.max() - finish.max()),
        optimizer_s=optimizer,
        send_rate_share=_shares(sends / network.nic) if cut.pp > 1 else _shares(np.ones(1)),
        ring_rate_share=_shares(rings / network.nic) if cut.dp > 1 else _shares(np.ones(1)),
        replicas_late=float(np.mean(finish > np.median(finish) * 1.01)),
        events=events,
    )


def closed_form_s(plan: Plan) -> float:
    """The planner's own step time without its allowance for stragglers, which faults stand for here."""
    return plan.step_time_s - plan.breakdown_s.get("stragglers", 0.0)


def _machine(plan: Plan, given: Faults, first: Ints) -> tuple[Network, Floats]:
    """The network, and how much longer each node takes. PlanError for impossible faults.

    Faulty nodes are drawn from `first`, those with the first rank of a stage: its others are in the same place."""
    per = plan.machine.gpu.gpus_per_node
    if plan.n_gpus % per:
        raise PlanError(f"{plan.n_gpus:,} GPUs do not fill nodes of {per}: the simulation needs whole nodes")
    nodes = plan.n_gpus // per
    pod = min(LEAF_NODES, nodes)
    pods = -(-nodes // pod)
    thin = given.oversubscription or _oversubscription(plan)
    _check(given, len(first), pods, pod, thin)
    rng = np.random.default_rng([given.seed, 1])
    slow, cards = np.ones(nodes), np.ones((nodes, per))
    slow[rng.choice(first, given.slow_nodes, replace=False)] = given.slow_by
    cards[rng.choice(first, given.flaps, replace=False)] = 0.5
    for lost in rng.choice(pods, given.lost_leaves, replace=False):
        cards[lost * pod : (lost + 1) * pod] *= 1 - 1 / max(per, 2)
    leaf_of = (np.arange(nodes) // pod)[:, None] * per + np.arange(per)
    nic = plan.machine.nic_gbits / 8 * 1e9 * NIC_EFFICIENCY
    return Network(nic, cards.ravel(), leaf_of.ravel(), pod - given.lost_spines, nic / thin), slow


def _check(given: Faults, nodes: int, pods: int, pod: int, thin: float) -> None:
    """Raise PlanError for faults that this cluster cannot have."""
    if given.routing not in ROUTINGS:
        raise PlanError(f"unknown routing {given.routing!r}: use {' or '.join(ROUTINGS)}")
    if given.seed < 0:
        raise PlanError(f"a seed of {given.seed}: give 0 or more")
    limits = {
        "slow nodes": (given.slow_nodes, nodes),
        "nodes with flapping cards": (given.flaps, nodes),
        "pods without a leaf": (given.lost_leaves, pods),
        "spines": (given.lost_spines, pod - 1),
    }
    for what, (count, most) in limits.items():
        if not 0 <= count <= most:
            raise PlanError(f"{count:,} {what}: give 0 to {most:,}")
    for what, value in (("slow node's time", given.slow_by), ("oversubscription", thin)):
        if not 1 <= value <= 100:
            raise PlanError(f"a {what} of {value:g}: give 1 to 100")


def _oversubscription(plan: Plan) -> float:
    return plan.machine.oversubscription if plan.n_gpus > plan.machine.pod_gpus else 1.0


def _placement(plan: Plan) -> Ints:
    """First rank of each (stage, replica): ranks run over tensor, context, data, pipeline."""
    cut = plan.layout
    stage, replica = np.meshgrid(np.arange(cut.pp), np.arange(cut.dp), indexing="ij")
    return np.asarray((stage * cut.dp + replica) * cut.tp * cut.cp)


def _rates(
    plan: Plan,
    network: Network,
    ranks: Ints,
    given: Faults,
    rng: np.random.Generator,
    size: float,
    forward: Floats,
) -> tuple[Floats, Floats]:
    """Bytes/s of each send to the next stage, shape (pp, dp), and of each stage's gradient ring, shape (pp, 1).

    Sends come in bursts and have the card to themselves most of the time; a ring gets what they leave, and no less
    than a fair share."""
    cut, per = plan.layout, plan.machine.gpu.gpus_per_node
    after, beside = np.roll(ranks, -1, axis=0).ravel(), np.roll(ranks, -1, axis=1).ravel()
    own = ranks.ravel()
    near = plan.machine.gpu.nvlink_gbs * 1e9

    def shared(*kinds: Ints) -> list[Floats]:
        source, target = np.tile(own, len(kinds)), np.concatenate(kinds)
        far = source // per != target // per
        rate = np.full(len(source), near)
        if far.any():
            routes = network.routes(source[far], target[far], given.routing, rng)
            rate[far] = max_min(routes, network.capacities())
        return np.split(rate, len(kinds))

    sends = shared(after)[0].reshape(ranks.shape)
    alone = shared(beside)[0].reshape(ranks.shape)
    fair = shared(after, beside)[1].reshape(ranks.shape)
    busy = np.clip(size / sends / np.maximum(forward * 1.5, 1e-9), 0.0, 1.0) if cut.pp > 1 else 0.0
    return sends, np.maximum(fair, alone * (1 - busy)).min(axis=1, keepdims=True)


def task_times(plan: Plan, slow: Floats) -> tuple[Floats, Floats]:
    """Seconds of a forward and of a backward chunk of one micro-batch, shape (pp, dp)."""
    cut = plan.layout
    inside = sum(value for name, value in plan.breakdown_s.items() if name not in SIMULATED)
    one = np.full_like(slow, inside)
    one[-1] += plan.breakdown_s.get("imbalance", 0.0)  # the stage with the head, or with a layer more
    one = one / cut.accumulation / cut.vpp * slow
    return one / (1 + BACKWARD), one * BACKWARD / (1 + BACKWARD)


def stage_gradient_bytes(plan: Plan) -> float:
    """Bytes that each network card carries to sum the gradients of a stage: a reduce-scatter of the dense parameters
    over all replicas, and of each expert's over the ranks that hold it. Ranks of one ring in a node share the load."""
    work, cut, per = plan.workload, plan.layout, plan.machine.gpu.gpus_per_node
    experts = work.moe_layers * work.experts * work.expert_weights()
    block = cut.ep * cut.etp
    dense = (work.parameters() - experts) / (cut.tp * cut.pp)
    kinds = [
        (dense, cut.dp * cut.cp, cut.tp),
        (experts / (block * cut.pp), cut.tp * cut.cp * cut.dp // block, block),
    ]
    total = 0.0
    for held, ranks, stride in kinds:
        members = min(max(per // stride, 1), max(ranks, 1))
        total += held * (ranks - 1) / ranks / members if ranks > 1 else 0.0
    return total * plan.gradient_bytes


def order(stage: int, pp: int, vpp: int, count: int) -> "list[Task]":
    """(is backward, chunk, micro-batch) of a stage: 1F1B, interleaved over chunks where there are several.

    The schedule of arXiv 2104.04473 section 2.2: warm-up forwards, then one forward and one backward in turn."""
    total = count * vpp

    def unit(index: int, backward: bool) -> tuple[bool, int, int]:
        group, within = divmod(index, pp * vpp)
        chunk, offset = divmod(within, pp)
        if backward:
            chunk = vpp - 1 - chunk
        return backward, chunk, group * pp + offset

    if vpp == 1:
        warm = min(pp - stage - 1, total)
        plain = [(False, 0, i) for i in range(count)]
        back = [(True, 0, i) for i in range(count)]
    else:
        warm = min((pp - stage - 1) * 2 + (vpp - 1) * pp, total)
        plain = [unit(i, False) for i in range(total)]
        back = [unit(i, True) for i in range(total)]
    mixed = [task for pair in zip(plain[warm:], back, strict=False) for task in pair]
    return plain[:warm] + mixed + back[total - warm :]


def _pipeline(
    plan: Plan, forward: Floats, backward: Floats, hop: Floats, gather_s: Floats
) -> tuple[Floats, int]:
    """When each chunk's gradients are complete, shape (vpp, pp, dp), and the number of events.

    A chunk's first forward waits for its parameters, gathered one chunk after the other from the start."""
    cut = plan.layout
    pp, vpp, count = cut.pp, cut.vpp, cut.accumulation
    if vpp > 1 and count % pp:
        raise PlanError(f"interleaved stages need a multiple of {pp} micro-batches, and there are {count}")
    arrived: Arrivals = {}
    clock = [np.zeros(cut.dp) for _ in range(pp)]
    complete = np.zeros((vpp, pp, cut.dp))
    waiting = [iter(order(stage, pp, vpp, count)) for stage in range(pp)]
    task = [next(todo, None) for todo in waiting]
    events = 0
    while any(one is not None for one in task):
        before = events
        for stage in range(pp):
            while (one := task[stage]) is not None:
                back, chunk, micro = one
                start = _input(arrived, one, stage)
                if start is None:
                    break
                if not back and micro == 0 and cut.zero:
                    start = np.maximum(start, gather_s[stage] * (chunk + 1))
                clock[stage] = np.maximum(clock[stage], start) + (backward if back else forward)[stage]
                _deliver(arrived, clock[stage], hop, one, stage, vpp)
                if back and micro == count - 1:
                    complete[chunk, stage] = clock[stage]
                task[stage] = next(waiting[stage], None)
                events += cut.dp
        if events == before:
            raise PlanError("the pipeline's schedule does not advance: this layout cannot be simulated")
    return complete, events


Task = tuple[bool, int, int]
"""(is backward, chunk, micro-batch)."""
Arrivals = dict[tuple[Task, int], Floats]
"""When the input of a task reaches a stage, for every replica."""


def _input(arrived: Arrivals, task: Task, stage: int) -> Floats | float | None:
    """When the input of a task is there: 0 for the first chunk's forward, None if it has not been sent yet."""
    back, chunk, _ = task
    if not back and stage == 0 and chunk == 0:
        return 0.0
    return arrived.pop((task, stage), None)


def _deliver(arrived: Arrivals, now: Floats, hop: Floats, task: Task, stage: int, vpp: int) -> None:
    """Send a result on: to the next stage, round to the next chunk, or from the last forward to its backward."""
    back, chunk, micro = task
    pp, step = len(hop), -1 if back else 1
    target, onward = stage + step, chunk
    if target in (-1, pp):
        target, onward = target % pp, chunk + step
    if 0 <= onward < vpp:
        link = hop[target] if back else hop[stage]
        arrived[((back, onward, micro), target)] = now + (link if pp > 1 else 0.0)
    elif not back:
        arrived[((True, vpp - 1, micro), pp - 1)] = now


def _gradients(ready: Floats, last: Floats, reduce_s: Floats) -> Floats:
    """When each stage's gradients are summed, shape (pp,): chunk after chunk in the order they complete, each once
    the slowest replica has it."""
    done = np.zeros(ready.shape[1])
    for stage in range(ready.shape[1]):
        clock = 0.0
        for moment in np.sort(ready[:, stage].max(axis=1)):
            clock = max(clock, float(moment)) + float(reduce_s[stage, 0])
        done[stage] = max(clock, float(last[stage].max()))
    return done


def _shares(rate: Floats) -> dict[str, float]:
    """Percentiles of rates as shares of a card's."""
    finite = rate[np.isfinite(rate)]
    if not len(finite):
        return {"p0": 1.0, "p50": 1.0}
    return {"p0": float(finite.min()), "p50": float(np.median(finite))}
