"""Loading the teacher of an objective: the best model of a finished run, with its own strategy and context."""

from collections.abc import Callable
from typing import Any

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.task import LABEL_SETS, LABELS
from ctxlab.data.splits import Splits
from ctxlab.runtime.teacher import RunTeacher
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.other_run import parts_of
from ctxlab.workbench.parts import Parts


def teach(parts: Parts, bench: Workbench, open_bench: Callable[..., Any]) -> None:
    """Give the objective of a run its teacher, if it asks for one.

    Args:
        parts: The run to be trained.
        bench: Its workbench.
        open_bench: Opens the teacher's run, ``workbench.opening.open_bench``.

    Raises:
        UserError: There is no such run, or it cannot teach this one.
    """
    named = parts.objective.teacher_run
    if named is None:
        return
    if parts.trainer.context_parallel > 1:
        raise UserError(
            f"trainer.context_parallel={parts.trainer.context_parallel} splits windows, and a teacher reads whole "
            "ones: use trainer.context_parallel=1, or an objective without a teacher."
        )
    if parts.augment.share:
        raise UserError(
            f"augment={option(parts.augment)} changes documents, which a teacher reads as they were: use augment=none, "
            "or an objective without a teacher."
        )
    teacher = open_bench(
        parts_of("objective.run", named, parts), lambda _: Splits(train=[], validation=[], test=[])
    ).bench
    _check(teacher, bench, named)
    is_labelled = bench.task.predicts in (LABELS, LABEL_SETS)
    parts.objective.take_teacher(
        RunTeacher(
            teacher.model,
            teacher.strategy,
            teacher.length,
            columns=[teacher.task.labels.index(name) for name in bench.task.labels] if is_labelled else None,
            reads_documents=bench.task.predicts in (LABELS, LABEL_SETS) or bench.task.contiguous,
        )
    )


def _check(teacher: Workbench, bench: Workbench, named: str) -> None:
    """Refuse a teacher of another task, other labels or another tokenizer.

    Raises:
        UserError: Says what differs.
    """
    task = bench.task
    if (teacher.task.name, teacher.task.predicts) != (task.name, task.predicts):
        raise UserError(
            f"objective.run={named} was trained for task={teacher.task.name}, and this run is for task={task.name} in "
            "another form: give a run of the same task and options."
        )
    if teacher.strategy.reading.fuses != bench.strategy.reading.fuses:
        raise UserError(
            f"objective.run={named} was trained with strategy/reading={option(teacher.strategy.reading)} and this run "
            f"has strategy/reading={option(bench.strategy.reading)}: a teacher that generates reads the windows of the "
            "run it teaches, so that either both decoders read several together or neither does."
        )
    if sorted(teacher.task.labels) != sorted(task.labels):
        differing = sorted(set(teacher.task.labels) ^ set(task.labels))
        raise UserError(
            f"objective.run={named} was trained for other labels ({', '.join(differing[:8])} are not in both): give a "
            "run with the same labels, or the same task.labels=[…] to both."
        )
    if teacher.tokenizer.get_vocab() != bench.tokenizer.get_vocab():
        raise UserError(
            f"objective.run={named} has another tokenizer, so that its tokens are not those of this model: give a "
            "run of a model with the same tokenizer."
        )
