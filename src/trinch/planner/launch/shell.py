"""Text of shell commands: one argument a line, safe names, whole optimizer steps."""

import math
import re

from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import Plan


def safe(name: str) -> str:
    """A model's name for comments and labels of scripts, limited to 60 harmless characters."""
    return re.sub(r"[^\w.+-]+", "-", name, flags=re.ASCII)[:60]


def train_steps(plan: Plan) -> int:
    """Optimizer steps for the token budget, the last one whole."""
    return math.ceil(plan.steps)


def wrapped(command: str, args: list[str]) -> str:
    """A command with one argument a line. Raises PlanError if an argument contains a line break."""
    if any("\n" in arg for arg in args):
        raise PlanError("an argument contains a line break")
    return " \\\n    ".join([command, *args])
