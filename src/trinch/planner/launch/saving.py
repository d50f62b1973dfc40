"""How a launched run saves its state: the intervals that the effective training time assumes, in steps.

`support` lists what the launch files of each engine provide; a plan counts nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trinch.planner.perf.layout import Plan

STORE_KINDS = ("sync", "async")
"""Checkpoints to the store, which every engine here writes."""


@dataclass(frozen=True)
class Saving:
    """`kind` is sync, async or memory. `store_steps` lie between checkpoints to the store, `memory_steps`
    between copies to a peer node (0: none)."""

    kind: str
    store_steps: int
    memory_steps: int = 0

    @property
    def asynchronous(self) -> bool:
        """Whether the store is written while training goes on."""
        return self.kind != "sync"


def support(plan: Plan) -> tuple[str, ...]:
    """Checkpoint kinds that the plan's Megatron-LM files provide. All of them restart cold.

    Copies in a peer's memory need pairs of nodes and parameters that Megatron-LM does not shard (ZeRO-1)."""
    pairs = plan.nodes >= 2 and plan.nodes % 2 == 0
    return (*STORE_KINDS, "memory") if pairs and plan.layout.zero <= 1 else STORE_KINDS


def saving_of(plan: Plan, sections: Mapping[str, Any]) -> Saving:
    """The policy whose effective training time `sections` reports."""
    fail = sections["failures"]
    kind, steps = fail["checkpoint"]["kind"], int(fail["checkpoint"]["interval_steps"])
    if kind != "memory":
        return Saving(kind, steps)
    return Saving(kind, max(1, round(fail["store_checkpoint"]["interval_s"] / plan.step_time_s)), steps)
