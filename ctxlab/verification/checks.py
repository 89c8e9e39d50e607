"""Runs all checks of a strategy in a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ctxlab.core.architecture import layers
from ctxlab.core.model import ADDED_MODULES
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Encoded
from ctxlab.runtime.reader import Reader
from ctxlab.verification.batches import check_batches
from ctxlab.verification.caches import check_caches
from ctxlab.verification.check import Check
from ctxlab.verification.dense import check_dense, check_reading
from ctxlab.verification.heads import check_heads
from ctxlab.verification.layers import check_layers
from ctxlab.verification.learning import check_learning
from ctxlab.verification.numbers import check_numbers
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
from ctxlab.verification.saving import CheckpointIO, check_saved, save
from ctxlab.verification.subject import Subject

INITIAL_DEVIATION = 0.02
"""Standard deviation of the numbers that replace zeros."""


@dataclass(frozen=True, eq=False)
class CheckResults:
    """The results of all checks, and the reach that some of them measured."""

    checks: list[Check]
    reach: Reach


def run_checks(
    subject: Subject,
    reader: Reader,
    task: Task,
    documents: Sequence[Document],
    encoded: Sequence[Encoded],
    checkpoints: CheckpointIO,
    *,
    trained: bool,
    num_blocks: int,
    num_single: int,
    done: Callable[[float], None] = lambda _: None,
) -> CheckResults:
    """Run all checks of ``ctxlab verify``.

    The model is changed: it ends in double precision, with parameters that were zero filled (``fill_zero_parameters``).

    Args:
        subject: The model as it was assembled, in single precision.
        reader: Runs the model as evaluation does.
        task: The task.
        documents: Some documents with gold.
        encoded: The same documents as tokens.
        checkpoints: Saves a checkpoint, and loads it with a new copy of the strategy.
        trained: Whether the model has been trained with the strategy.
        num_blocks: Blocks of tokens that are perturbed.
        num_single: Single tokens that are perturbed.
        done: Called with the fraction that is finished, for a progress display.
    """
    subject.model.eval()
    positions = check_positions(subject, trained=trained)
    with TemporaryDirectory(prefix="ctxlab-verify-") as folder:
        items, before = save(subject, Path(folder), checkpoints)
        fill_zero_parameters(subject.model.double())
        reach = measure(subject, num_blocks, num_single, done)
        random_document = subject.document(round(subject.length * 1.5) + 1)
        checks = [
            check_all_declared(subject, reach),
            check_nothing_else(subject, reach),
            check_future(subject, reach),
            check_layers(subject),
            check_dense(subject),
            check_heads(subject),
            *check_reading(subject),
            positions,
            check_windows(subject, [random_document, *encoded]),
            *check_gold(subject, reader, task=task, documents=documents, encoded=encoded),
            *check_batches(subject),
            check_carried(subject, reach),
            check_caches(subject),
            *check_numbers(subject),
            check_learning(subject),
            check_saved(subject, Path(folder), items=items, before=before, checkpoints=checkpoints),
        ]
    return CheckResults(checks, reach)


@torch.no_grad()
def fill_zero_parameters(model: Any) -> None:
    """Draw small random values for zero parameters of the strategy's modules and of inserted layers, for an effect."""
    generator = torch.Generator().manual_seed(0)
    matrices = [one for layer in layers(model) for one in layer.parameters() if one.ndim > 1]  # of inserted layers
    for parameter in (*getattr(model, ADDED_MODULES, torch.nn.ModuleDict()).parameters(), *matrices):
        if not bool(parameter.any()):
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(drawn * INITIAL_DEVIATION)
