"""Checks that a model uses the declared positions, and that they cover the longest window."""

from ctxlab.core.contract import option
from ctxlab.verification.check import Check
from ctxlab.verification.subject import Subject

AGREE = 1e-4
"""Tolerance: rotary frequencies are rounded to fp32, which YaRN's ramp amplifies with the factor."""


def check_positions(subject: Subject, *, trained: bool) -> Check:
    """Compare position tables and rotary frequencies with the part's own formula.

    Args:
        subject: What is verified, with the model in single precision.
        trained: Whether the model has been trained since its table was extended.
    """
    strategy, facts = subject.strategy, subject.facts
    name, proves = "positions", "The model uses the positions that the part declares, up to the longest window."
    part = f"positions={option(strategy.positions)}"
    longest = strategy.num_positions(subject.length)
    deviation = strategy.positions.deviation(subject.model, longest)
    if deviation is None:
        reach = "any length" if facts.trained_length is None else f"{facts.trained_length:,} trained positions"
        fits = facts.trained_length is None or longest <= facts.trained_length
        detail = f"{part} changes nothing: {facts.positions} positions, {reach}, windows of {longest:,} tokens."
        return Check(name, proves, fits, detail)
    if deviation <= AGREE:
        return Check(name, proves, True, f"{part} is active in windows of {longest:,} tokens.", deviation=deviation)
    if trained and facts.positions == "learned":
        detail = f"{part} built the table, which training has changed since, so that it cannot be compared."
        return Check(name, proves, None, detail, deviation=deviation)
    detail = (
        f"{part} is not what the model uses in windows of {longest:,} tokens: were its positions set in the config "
        "after the model was built?"
    )
    return Check(name, proves, False, detail, deviation=deviation)
