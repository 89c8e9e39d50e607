"""All checks of a strategy in a model, one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ctxlab.core.model import ADDED_MODULES
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Encoded
from ctxlab.runtime.reader import Reader
from ctxlab.verification.batches import check_batches
from ctxlab.verification.caches import check_caches
from ctxlab.verification.check import Check
from ctxlab.verification.dense import check_dense
from ctxlab.verification.heads import check_heads
from ctxlab.verification.layers import check_layers
from ctxlab.verification.learning import check_learning
from ctxlab.verification.positions import check_positions
from ctxlab.verification.reach import (
    Reach,
    check_all_declared,
    check_carried,
    check_future,
    check_nothing_else,
    measure,
)
from ctxlab.verification.reading import check_gold, check_windows
from ctxlab.verification.saving import Disk, check_saved, save
from ctxlab.verification.subject import Subject

WAKING = 0.02
"""Standard deviation of what takes the place of zeros."""


@dataclass(frozen=True, eq=False)
class Proof:
    """What was found."""

    checks: list[Check]
    reach: Reach

    @property
    def failed(self) -> list[str]:
        """Names of the checks that do not hold."""
        return [check.name for check in self.checks if check.passed is False]


def prove(
    subject: Subject,
    reader: Reader,
    task: Task,
    documents: Sequence[Document],
    encoded: Sequence[Encoded],
    disk: Disk,
    *,
    trained: bool,
    num_blocks: int,
    num_single: int,
    done: Callable[[float], None] = lambda _: None,
) -> Proof:
    """Run all checks; the model ends up in double precision, in which rounding hides nothing, and awake.

    Args:
        subject: The model as it was assembled, in single precision.
        reader: How evaluation reads with this model.
        task: What is asked for.
        documents: Some real ones, with gold.
        encoded: The same as tokens.
        disk: Saves a checkpoint, and loads it under a new copy of the strategy.
        trained: Whether the model has been trained under the strategy.
        num_blocks: Blocks of tokens that are perturbed.
        num_single: Single tokens that are perturbed.
        done: Hears of the share that is finished, for a progress display.
    """
    subject.model.eval()
    positions = check_positions(subject, trained=trained)
    with TemporaryDirectory(prefix="ctxlab-verify-") as folder:
        items, before = save(subject, Path(folder), disk)
        wake(subject.model.double())
        reach = measure(subject, num_blocks, num_single, done)
        made_up = subject.document(round(subject.length * 1.5) + 1)
        checks = [
            check_all_declared(subject, reach),
            check_nothing_else(subject, reach),
            check_future(subject, reach),
            check_layers(subject),
            check_dense(subject),
            check_heads(subject),
            positions,
            check_windows(subject, [made_up, *encoded]),
            *check_gold(subject, reader, task, documents, encoded),
            *check_batches(subject),
            check_carried(subject, reach),
            check_caches(subject),
            check_learning(subject),
            check_saved(subject, Path(folder), items, before, disk),
        ]
    return Proof(checks, reach)


@torch.no_grad()
def wake(model: Any) -> None:
    """Give small numbers to what begins at zero in the strategy's own modules: untrained, they would show nothing."""
    generator = torch.Generator().manual_seed(0)
    for parameter in getattr(model, ADDED_MODULES, torch.nn.ModuleDict()).parameters():
        if not bool(parameter.any()):
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(drawn * WAKING)
