"""Weighted labels: rare ones, or those that matter, count more."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional

from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, PassRunner
from ctxlab.core.task import LABELS, Loss, Task
from ctxlab.core.types import Encoded, FloatArray


class Weighted(Objective):
    """The cross entropy of each prediction times the weight of its gold label.

    Divided by the sum of the weights, as in torch's ``cross_entropy``, so that the learning rate keeps its meaning. By
    default weights are inverse frequencies: N / (C · n) for a label with n of N gold labels of the training documents
    and C labels in all, scikit-learn's ``balanced``; of a large file those of its first part.

    A step costs one forward and one backward pass.
    """

    serves = frozenset({LABELS})

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        """Store the weights.

        Args:
            weights: Weight by label, 0 or more, for those that have not 1; in entity recognition a type stands for both
                its tags. None for inverse frequencies.

        Raises:
            UserError: A weight is no number, or negative.
        """
        for name, weight in (weights or {}).items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
                raise UserError(
                    f"objective.weights.{name}={weight} is no weight: give a number of at least 0, such as 2."
                )
        if weights is not None and not weights:
            raise UserError(
                "objective.weights={} weights nothing: give weights by label, or null for inverse frequencies."
            )
        self._given = None if weights is None else {str(name): float(weight) for name, weight in weights.items()}
        self.weights: FloatArray | None = None
        """(C,) of the task's labels; known after ``learn``."""

    def fit(self, task: Task) -> None:
        """Check that every weight is that of a label of the task."""
        super().fit(task)
        known = sorted({*task.labels, *task.label_names(task.labels)})
        for name in self._given or {}:
            if name not in known:
                raise UserError(f"objective.weights has {name!r}, which is no label{suggestion(name, known, 'labels')}")

    def learn(self, task: Task, documents: Callable[[], Sequence[Encoded]]) -> None:
        """Count the labels of the training documents, unless weights were given."""
        if self._given is None:
            self.weights = _balanced(documents(), task)
        else:
            self.weights = np.asarray([_weight(label, task, self._given) for label in task.labels], np.float32)

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the weighted loss of every pass."""
        for passed in passes.run(items):
            predicted = task.predicted(passed.outputs, passed.labels)
            own = torch.as_tensor(self.weights, device=predicted.logits.device)[predicted.gold]  # (N,)
            each = functional.cross_entropy(predicted.logits, predicted.gold, reduction="none")
            weights = predicted.weights * own
            yield Term(Loss((each * weights).sum(), weights.sum()), passed)


def _weight(label: str, task: Task, given: Mapping[str, float]) -> float:
    """Return the weight of a label: its own, else that of the name under which a user lists it, else 1."""
    named = next((given[name] for name in sorted(task.label_names([label])) if name in given), 1.0)
    return given.get(label, named)


def _balanced(encoded: Sequence[Encoded], task: Task) -> FloatArray:
    """Return (C,) inverse frequencies; of a label without any, as if it had one."""
    counts = np.zeros(len(task.labels), np.int64)
    for one in encoded:
        counts += np.bincount(task.gold_labels(one), minlength=len(counts))
    weights: FloatArray = (counts.sum() / (len(counts) * np.maximum(counts, 1))).astype(np.float32)
    return weights
