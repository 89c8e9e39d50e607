"""A full disk: refused before training where the checkpoints cannot fit it, and explained where it fills up later."""

import errno
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctxlab.core import run_state
from ctxlab.core.errors import UserError
from ctxlab.optim.parameters import average_file_bytes, doubled_bytes, weight_bytes
from ctxlab.optim.state_size import state_bytes
from ctxlab.planning.disk import num_at_once, num_saves
from ctxlab.training import checkpoint
from ctxlab.training.loop import Trainer
from ctxlab.training.state import TrainState
from ctxlab.workbench.parts import Parts

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of the system where no more can be written."""

NO_SPACE = "No space left on device"
"""What libraries with I/O code of their own say."""


@contextmanager
def explained(run_dir: Path) -> Iterator[None]:
    """Turn a full disk into a sentence that says how to continue the run.

    Raises:
        UserError: No more can be written.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # libraries wrap a full disk in errors of their own
        number, place = getattr(error, "errno", None), getattr(error, "filename", None) or run_dir
        if number not in FULL and NO_SPACE not in str(error):
            raise
        reason = getattr(error, "strerror", None) or NO_SPACE
        raise UserError(
            f"{place} cannot be written ({reason}); free some space, then {run_state.way_on(run_dir)}."
        ) from error


def check_space(parts: Parts, trainer: Trainer, state: TrainState) -> None:
    """Refuse a run if the checkpoints that will be there at one time need more than the free space.

    Args:
        parts: The run.
        trainer: Its loop, ready to run.
        state: Where the training starts; checkpoints of a resumed run have their space already.

    Raises:
        UserError: Names the space that is needed and the one that is free.
    """
    run_dir, kept = parts.origin.run_dir, parts.trainer.keep_checkpoints
    model = trainer.job.model
    each = weight_bytes(model) + doubled_bytes(model, parts.tuning) + state_bytes(parts.optimizer, model)
    each += average_file_bytes(model, parts.averaging)
    present = len(checkpoint.names(run_dir))
    free_bytes = shutil.disk_usage(run_dir).free

    def needed(num_kept: int) -> int:
        return max(_num_checkpoints(trainer, state, num_kept, present) - present, 0) * each

    if needed(kept) <= free_bytes:
        return
    fixes = ["free some space"]
    if kept > 1 and needed(1) <= free_bytes:
        fixes.insert(0, "use trainer.keep_checkpoints=1")
    fixes.append(f"move {run_dir} to another disk" if present else "choose another hydra.run.dir")
    raise UserError(
        f"The checkpoints need {_size(needed(kept))} more at one time ({_size(each)} each, with "
        f"trainer.keep_checkpoints={kept}), but {run_dir} has {_size(free_bytes)} free: {', or '.join(fixes)}."
    )


def _num_checkpoints(trainer: Trainer, state: TrainState, num_kept: int, present: int) -> int:
    """Return the most checkpoints that are there at one time, those already present included."""
    settings = trainer.settings
    eval_every_steps = settings.eval_every_steps if trainer.job.evaluate is not None else None
    steps = _most_steps(trainer, state)
    saves = None
    if steps is not None:
        before = num_saves(state.step, settings.save_every_steps, eval_every_steps) if state.step else 0
        saves = present + max(num_saves(steps, settings.save_every_steps, eval_every_steps) - before, 1)
    cycles = trainer.job.schedule.cycles_ended(1.0)
    return num_at_once(num_kept + cycles, saves, has_best=eval_every_steps is not None)


def _most_steps(trainer: Trainer, state: TrainState) -> int | None:
    """Return the steps of the whole run, from the length of its first pass; None if only time or work limits it."""
    budget, job = trainer.budget, trainer.job
    try:
        epoch = job.stream.epoch(state.epoch, state.length or job.strategy.curriculum.length(0.0, job.context_length))
    except UserError:  # the loop says which part is wrong
        return None
    steps_per_pass = epoch.steps_per_pass
    limits = [float(budget.max_steps)] if budget.max_steps is not None else []
    if budget.max_epochs is not None:
        limits.append(budget.max_epochs * steps_per_pass)
    if budget.max_tokens is not None:
        limits.append(budget.max_tokens / sum(epoch.lengths) * len(epoch.steps))
    return math.ceil(min(limits)) if limits else None


def _size(number: int) -> str:
    """Return bytes in MiB, or in GiB from one of these on."""
    return f"{number / 2**30:,.2f} GiB" if number >= 2**30 else f"{number / 2**20:,.1f} MiB"
