"""Critical batch size: how many tokens a step can take before more of them stop shortening the run."""

from trinch.planner.ops.tables import table

SEQUENCE = 2048
"""Tokens of a sequence in the source of the power law."""


def critical_batch(tokens: float) -> float:
    """Tokens of a step at which a run of `tokens` tokens needs twice the data of one with tiny steps.

    B = factor x tokens ^ exponent (arXiv 2505.13738), the same for models of every size."""
    facts = table("batch")
    return facts["critical_factor"].value * tokens ** facts["critical_exponent"].value * SEQUENCE


def extra_tokens(batch_tokens: float, tokens: float) -> float:
    """Share of a budget of `tokens` tokens that steps of `batch_tokens` spend without effect: 1 - 1/(1 + B/B_crit).

    Data needed for one loss grows as 1 + B / B_crit (arXiv 1812.06162 equation 2.11)."""
    ratio = batch_tokens / critical_batch(tokens)
    return ratio / (1 + ratio)
