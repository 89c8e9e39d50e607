"""Whether the positions that a model uses are those that were declared, and reach the longest window."""

from ctxlab.core.contract import option
from ctxlab.verification.check import Check
from ctxlab.verification.subject import Subject

AGREE = 1e-4
"""Rotary frequencies are rounded to single precision, which the ramp of YaRN magnifies with the factor."""


def check_positions(subject: Subject, *, trained: bool) -> Check:
    """Hold tables and frequencies against the part's own formula.

    Args:
        subject: With the model in single precision, as it is used.
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
        return Check(name, proves, fits, None, detail)
    if deviation <= AGREE:
        return Check(name, proves, True, deviation, f"{part} is active in windows of {longest:,} tokens.")
    if trained and facts.positions == "learned":
        detail = f"{part} made the table, which has learned since: it cannot be compared any more."
        return Check(name, proves, None, deviation, detail)
    detail = (
        f"{part} is not what the model uses in windows of {longest:,} tokens: were its positions set in the config "
        "after the model was built?"
    )
    return Check(name, proves, False, deviation, detail)
