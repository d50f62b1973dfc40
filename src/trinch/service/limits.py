"""CPU budgets of requests: TRINCH_BUDGET_MS, or the defaults."""

import os

from trinch.errors import TrinchError
from trinch.store.budget import Budget

SEARCH_MS = 300.0
"""CPU time of one search in milliseconds, for every thousand posts asked for or part of it."""

ANSWER_MS = 1000.0
"""CPU time of all searches for one answer together, in milliseconds."""

VARIABLE = "TRINCH_BUDGET_MS"


class BadBudget(TrinchError, ValueError):
    """The environment variable does not hold a number of milliseconds."""


def search_budget(limit: int) -> Budget:
    """The budget of a search for at most `limit` posts. Raises BadBudget."""
    return Budget(_milliseconds(SEARCH_MS) * max(1.0, limit / 1000))


def answer_budget() -> Budget:
    """The budget of all searches for one answer. Raises BadBudget."""
    return Budget(_milliseconds(ANSWER_MS))


def _milliseconds(default: float) -> float:
    text = os.environ.get(VARIABLE, "")
    try:
        given = float(text) if text else default
    except ValueError:
        given = -1.0
    if not 0 <= given < float("inf"):
        raise BadBudget(f"{VARIABLE} is {text!r}: write a number of milliseconds, such as 300")
    return given
