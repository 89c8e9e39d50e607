"""Protocol of continual learning: how a model is trained on corpora in sequence, a stage each."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ctxlab.core.contract import Component
from ctxlab.core.objective import Objective
from ctxlab.core.passes import Item, PassRunner
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task
from ctxlab.core.types import Document


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained model that is not trained any further, with its strategy installed."""

    model: Any
    strategy: Strategy


@dataclass(frozen=True, eq=False)
class Past:
    """What a stage can know of those before it."""

    remembered: Sequence[Mapping[str, torch.Tensor]] = ()
    """What ``Continual.remember`` returned after each earlier stage, in their order."""
    teacher: Callable[[], Teacher] | None = None
    """Opens the model of the stage before; None in the first stage."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """A stage that has ended, with its best weights."""

    model: Any
    """In evaluation mode."""
    task: Task
    passes: PassRunner
    """Runs items through ``model``, with gradients."""
    documents: Iterable[Sequence[Item]]
    """The items of each document that the stage was trained on, but those of earlier stages."""


class Continual(Component, ABC):
    """A way of training on one corpus after another; each is one file under ``ctxlab/continual``.

    Stages are counted from 0. Every stage is a training run; the defaults are those of plain training in sequence.
    """

    in_sequence = True
    """Whether there are stages at all."""
    tuning: str | None = None
    """Option of ``tuning`` that stages have unless the user chooses one; None for that of the configuration."""
    remembers = False
    """Whether ``remember`` returns anything."""

    def begins_with(self, stage: int) -> int | None:
        """Return the stage whose best weights this one begins with; None for those of the model."""
        return stage - 1 if stage else None

    def scores_with(self, trained: int, scored: int) -> int:
        """Return the stage whose weights answer documents of ``scored`` once ``trained`` has ended."""
        del scored
        return trained

    def documents(self, stage: int, corpora: Sequence[Sequence[Document]], seed: int) -> list[Document]:
        """Return the training documents of a stage, a pure function of the arguments.

        Args:
            stage: Number of the stage.
            corpora: Training documents of every stage up to this one.
            seed: Seed of the run.
        """
        del seed
        return list(corpora[stage])

    @abstractmethod
    def objective(self, given: Objective, past: Past) -> Objective:
        """Return the loss of a stage.

        Args:
            given: The objective of the configuration.
            past: What is known of earlier stages; of none in the first one.
        """

    def remember(self, lesson: Lesson) -> Mapping[str, torch.Tensor]:
        """Return what later stages need of one that has ended; saved in its directory."""
        del lesson
        return {}


def earlier(document: Document, stage: int) -> Document:
    """Return a document of an earlier stage under an id that no other stage has."""
    return replace(document, id=f"stage-{stage + 1}/{document.id}")
