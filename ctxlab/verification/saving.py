"""Checks that a model saved as training saves it has the same outputs when it is loaded again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.passes import Item
from ctxlab.core.strategy import Strategy
from ctxlab.verification.check import Check, within
from ctxlab.verification.subject import States, Subject, difference, states


@dataclass(frozen=True, slots=True)
class CheckpointIO:
    """The functions by which training saves a model and other commands load it."""

    save: Callable[[Any, Path], None]
    """Writes weights and config of a model to a folder."""
    load: Callable[[Path], tuple[Any, Strategy]]
    """Loads a model and its installed strategy from such a folder."""


def save(subject: Subject, folder: Path, checkpoints: CheckpointIO) -> tuple[list[Item], list[States]]:
    """Save the model as training does; return a document and the model's outputs for it, in single precision."""
    items = subject.items(subject.document(subject.length + 1))
    before = states(subject, [items])[0]
    checkpoints.save(subject.model, folder)
    return items, before


def check_saved(
    subject: Subject, folder: Path, items: list[Item], before: list[States], checkpoints: CheckpointIO
) -> Check:
    """Check that the model loaded from ``folder`` has the same outputs.

    This must be the last check: loading registers the new strategy's patterns under the names of the old ones.

    Args:
        subject: What was saved.
        folder: Where it was saved.
        items: The document whose outputs are compared.
        before: Outputs before saving.
        checkpoints: Loads the model.
    """
    name, proves = "checkpoint", "The model has the same outputs after saving and loading: no part of it is lost."
    try:
        model, strategy = checkpoints.load(folder)
    except UserError as error:
        return Check(name, proves, False, f"It does not load: {error}")
    after = states(replace(subject, model=model, strategy=strategy), [items])[0]
    read = f"A document of {sum(map(len, items)):,} tokens, before and after."
    return within(name, proves, difference(before, after), read, tolerance=1e-5)
