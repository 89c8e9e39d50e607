"""Whether a model that was saved as training does gives the same outputs when it is loaded again."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Strategy
from ctxlab.evaluation.verification.check import Check, within
from ctxlab.evaluation.verification.subject import Subject, difference, states

Reload = Callable[[Path], tuple[Any, Strategy]]
"""From the folder of a checkpoint to a model with a strategy in it, ready to read."""


def check_saving(subject: Subject, reload: Reload) -> Check:
    """Save, load, compare outputs; in single precision, as checkpoints are."""
    name, proves = "checkpoint", "The model saved and loaded again gives the same outputs: nothing of it is forgotten."
    items = subject.items(subject.document(subject.length + 1))
    before = states(subject, [items])[0]
    with tempfile.TemporaryDirectory(prefix="ctxlab-verify-") as folder:
        subject.model.save_pretrained(folder, max_shard_size="100GB")
        try:
            model, strategy = reload(Path(folder))
        except UserError as error:
            return Check(name, proves, False, None, f"It does not load: {error}")
        after = states(replace(subject, model=model, strategy=strategy), [items])[0]
    read = f"A document of {sum(map(len, items)):,} tokens, before and after."
    return within(name, proves, difference(before, after), read, tolerance=1e-5)
