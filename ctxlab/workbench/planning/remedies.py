"""What makes a candidate fit that needs too much memory; named only if its own figures say so."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ctxlab.core.errors import UserError
from ctxlab.planning.measured import Measured
from ctxlab.workbench.candidates import Candidate
from ctxlab.workbench.parts import Parts

Fits = Callable[[Measured, int | None], bool | None]
"""Whether the memory suffices for a measured candidate, with so many tokens per forward pass (None: its own)."""


def of(
    candidate: Candidate,
    fits: Fits,
    others: Sequence[tuple[Candidate, Measured]],
    measure: Callable[[Parts], Measured],
) -> str:
    """Return a sentence with the mildest change that makes the candidate fit.

    In this order: smaller forward passes, which cost little time; bf16; recomputing activations, a third more work;
    another candidate of the plan at the same context.

    Args:
        candidate: It does not fit.
        fits: Holds a measurement against the memory that there is.
        others: All candidates that can be trained.
        measure: Measures a changed candidate.
    """
    assert candidate.parts is not None
    for words, changed in _changes(candidate.parts):
        try:
            limit = _limit(measure(changed), fits)
        except UserError:  # not possible with these parts
            continue
        if limit is not None:
            return f"{' '.join([*words, *([f'trainer.tokens_per_forward={limit}'] if limit else [])])} fits"
    length = candidate.parts.length
    same = [one for one, found in others if one.parts and one.parts.length == length and fits(found, None)]
    if same:
        return f"{same[0].title} fits"
    return "no change of trainer makes it fit: use a shorter context, a sparse strategy or a smaller model"


def _changes(parts: Parts) -> list[tuple[list[str], Parts]]:
    trainer = parts.trainer
    found: list[tuple[list[str], Parts]] = [([], parts)]
    if trainer.precision == "fp32":
        found.append((["trainer.precision=bf16"], replace(parts, trainer=replace(trainer, precision="bf16"))))
    if not trainer.activation_checkpointing:
        changed = replace(trainer, activation_checkpointing=True)
        found.append((["trainer.activation_checkpointing=true"], replace(parts, trainer=changed)))
    return found


def _limit(found: Measured, fits: Fits) -> int | None:
    """Return the most tokens of a forward pass that fit: 0 for the run's own, None if none do."""
    for place, limit in enumerate(found.peaks):
        if fits(found, limit):
            return limit if place else 0
    return None
