"""A run on several corpora in sequence: every stage is trained, and judged on the documents of all."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ctxlab.core import run_state
from ctxlab.core.continual import Past
from ctxlab.core.errors import Interrupted, UserError
from ctxlab.core.run_state import State
from ctxlab.core.task import Task
from ctxlab.data.splits import Splits
from ctxlab.runtime.ranks import current
from ctxlab.tracking.console import console, say
from ctxlab.training import checkpoint
from ctxlab.workbench.continuing import corpora, judging, page, plan
from ctxlab.workbench.continuing.plan import Stage
from ctxlab.workbench.opening import task_for
from ctxlab.workbench.parts import Parts, Start

Train = Callable[[Parts, Callable[[Task], Splits]], None]
"""Trains a single run on the documents that the function loads."""


def run(parts: Parts, train: Train) -> None:
    """Train and judge every stage that is not done, then write the figures; what is done is never repeated.

    Args:
        parts: The run, whose directory contains those of its stages.
        train: Trains a stage.

    Raises:
        UserError: The run is not possible; nothing was written.
        Interrupted: A signal was received; the message says how to continue.
    """
    if current().size > 1:
        raise UserError("continual= runs in one process: leave trainer.processes= and torchrun out.")
    stages = plan.stages(parts)
    task = task_for(parts.task, parts.model)
    _check(stages, task)
    plan.write(parts.origin.run_dir, stages, parts)
    before, facts = page.before(parts.origin.run_dir) or page.keep(parts.origin.run_dir, judging.untrained(stages))
    rows = [_stage(stages, number, train, parts) for number in range(len(stages))]
    page.write(parts, stages, cells=page.scored(stages, rows), base=before, facts=facts)


def _check(stages: Sequence[Stage], task: Task) -> None:
    """Read the documents of all stages, so that a mistake in the last one is found before the first is trained."""
    for stage in stages:
        stage.parts.continual.objective(stage.parts.objective, Past())
    corpora.load(stages, task)


def _stage(stages: Sequence[Stage], number: int, train: Train, parts: Parts) -> list[judging.Cell]:
    stage, total = stages[number], len(stages)
    found = judging.read(stage.folder)
    if found is not None:
        return found
    say(console(), f"stage {number + 1} of {total}: {stage.title}")
    try:
        if run_state.state(stage.folder) is not State.DONE:
            plan.prepare(stage)
            train(_parts(stages, number), lambda task: _documents(stages, number, task))
        return judging.judge(stages, number)
    except Interrupted as stop:
        raise Interrupted(
            stop.signal_number,
            f"Stopped in stage {number + 1} of {total}; continue with `ctxlab train resume={parts.origin.run_dir}`.",
        ) from None


def _parts(stages: Sequence[Stage], number: int) -> Parts:
    """Return the parts of a stage with the loss that its mechanism wants, from its last checkpoint if it has one."""
    parts = stages[number].parts
    begun = Start(stages[number].folder, "latest") if checkpoint.names(stages[number].folder) else None
    known = stages[:number]
    past = Past(
        [judging.remembered(stage.folder) for stage in known] if parts.continual.remembers else (),
        teacher=(lambda: judging.teacher(stages, number - 1)) if number else None,
    )
    return replace(parts, start=begun, objective=parts.continual.objective(parts.objective, past))


def _documents(stages: Sequence[Stage], number: int, task: Task) -> Splits:
    return corpora.of_stage(stages, corpora.load(stages, task), number)
