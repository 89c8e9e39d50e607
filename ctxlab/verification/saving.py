"""Whether a model that was saved as training does gives the same outputs when it is loaded again."""

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
class Disk:
    """How training saves a model, and how any command loads it."""

    save: Callable[[Any, Path], None]
    """Writes weights and config of a model into a folder."""
    load: Callable[[Path], tuple[Any, Strategy]]
    """From such a folder to a model with a strategy in it, ready to read."""


def save(subject: Subject, folder: Path, disk: Disk) -> tuple[list[Item], list[States]]:
    """Save as training does; what the model makes of a document as it is, in single precision, to compare with."""
    items = subject.items(subject.document(subject.length + 1))
    before = states(subject, [items])[0]
    disk.save(subject.model, folder)
    return items, before


def check_saved(subject: Subject, folder: Path, items: list[Item], before: list[States], disk: Disk) -> Check:
    """Load and compare outputs; last of all, as the library knows a pattern by its name and now takes the new one."""
    name, proves = "checkpoint", "The model saved and loaded again gives the same outputs: nothing of it is forgotten."
    try:
        model, strategy = disk.load(folder)
    except UserError as error:
        return Check(name, proves, False, None, f"It does not load: {error}")
    after = states(replace(subject, model=model, strategy=strategy), [items])[0]
    read = f"A document of {sum(map(len, items)):,} tokens, before and after."
    return within(name, proves, difference(before, after), read, tolerance=1e-5)
