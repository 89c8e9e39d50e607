"""The documents of all stages, with the labels of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data.splits import Splits, load_documents
from ctxlab.workbench.continuing.plan import Stage


@dataclass(frozen=True, eq=False)
class Corpora:
    """The splits of every stage."""

    splits: Sequence[Splits]
    scored: str
    """The split on which every stage is judged: ``test`` if all have one, else ``validation``."""

    def judged(self, stage: int) -> list[Document]:
        """Return the documents of a stage on which models are judged."""
        return self.splits[stage].of(self.scored)


def load(stages: Sequence[Stage], task: Task) -> Corpora:
    """Load the documents of all stages, and learn the labels of ``task`` from the training documents of all.

    So the outputs of all stages are the same, and a model can be judged on documents of stages to come.

    Raises:
        UserError: A stage has no documents to train or to be judged on.
    """
    splits = []
    for stage in stages:
        found = load_documents(stage.parts.data, task, stage.parts.data_seed, stage.parts.hold_out)
        if not found.train:
            raise UserError(f"data.stages: stage {stage.number + 1} ({stage.title}) has no training documents.")
        splits.append(found)
    scored = "test" if all(one.test for one in splits) else "validation"
    for stage, found in zip(stages, splits, strict=True):
        if not found.of(scored):
            raise UserError(
                f"data.stages: stage {stage.number + 1} ({stage.title}) has no documents to be judged on: give it a "
                "test_file or a validation_file."
            )
    if not task.labels:
        task.learn_labels([document for one in splits for document in one.train])
    return Corpora(splits, scored)


def of_stage(stages: Sequence[Stage], corpora: Corpora, number: int) -> Splits:
    """Return what a stage is trained on and validated with."""
    parts, own = stages[number].parts, corpora.splits[number]
    train = parts.continual.documents(number, [one.train for one in corpora.splits[: number + 1]], parts.seed)
    return Splits(train=train, validation=own.validation, test=own.test, notes=own.notes)
