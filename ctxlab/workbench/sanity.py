"""Warnings about figures that mean less than they seem: one sentence each, before training and beside the scores."""

from collections.abc import Mapping, Sequence

import numpy as np

from ctxlab.core.optim import Schedule
from ctxlab.core.types import Document, Encoded, Table
from ctxlab.data.splits import Splits
from ctxlab.training.budget import Budget
from ctxlab.training.state import TrainState

FEW_STEPS = 20
"""Up to this number of steps, a step without learning rate is a fraction of training worth mentioning."""

SCORED = ("validation", "test")


def of_documents(splits: Splits, encoded: Mapping[str, Sequence[Encoded]], length: int) -> list[str]:
    """Return warnings about the documents before training.

    Args:
        splits: Documents of each split.
        encoded: The same documents tokenised, by split; a missing split is empty.
        length: Context of the run, in tokens.
    """
    return [
        *_seen_in_training(encoded),
        *_single(splits),
        *fits_whole([one for documents in encoded.values() for one in documents], length),
    ]


def _seen_in_training(encoded: Mapping[str, Sequence[Encoded]]) -> list[str]:
    """Find documents that are both scored and trained on: the same tokens, numbers, and question if there is one."""
    trained = set(map(_content, _asked(encoded.get("train", ()))))
    notes = []
    for name in SCORED:
        documents = _asked(encoded.get(name, ()))
        shared = sum(_content(document) in trained for document in documents)
        if shared:
            notes.append(
                f"{shared:,} of {len(documents):,} {name} documents are training documents too: scores on them measure "
                "memorisation, not performance on new documents."
            )
    return notes


def _asked(encoded: Sequence[Encoded]) -> Sequence[Encoded]:
    """Return the documents; where some of them are queries (retrieval) only these, as any may look among the rest."""
    queries = [one for one in encoded if len(one.query) and np.array_equal(one.query, one.input_ids)]
    return queries or encoded


def _content(document: Encoded) -> tuple[bytes, tuple[int, ...], bytes]:
    return document.input_ids.tobytes(), document.query, document.numbers.tobytes()


def _single(splits: Splits) -> list[str]:
    return [note for name in SCORED for note in single(name, splits.of(name))]


def single(name: str, documents: Sequence[Document]) -> list[str]:
    """Warn about a split of one document, for which there is no confidence interval."""
    if len({document.fields.get("group", document.id) for document in documents}) != 1:
        return []
    return [
        f"The {name} split has a single document: its figures have no interval and say nothing about other documents."
    ]


def fits_whole(encoded: Sequence[Encoded], length: int) -> list[str]:
    """Warn about a context longer than every document, at which strategies that differ only in reach are the same."""
    longest = max((len(one) + len(one.before) + len(one.after) for one in encoded), default=length)
    if longest >= length:
        return []
    return [
        f"context.length={length:,} is longer than every document (the longest has {longest:,} tokens): a longer "
        "context changes nothing here, and strategies that differ only in how far they reach give the same result."
    ]


def of_training(state: TrainState, budget: Budget, schedule: Schedule, length: int) -> list[str]:
    """Return warnings about a training run that has ended.

    Args:
        state: Training state at the end.
        budget: Budget of the training.
        schedule: Schedule of the learning rate.
        length: Context of the run, in tokens.
    """
    notes = []
    if state.step == 1:
        limit = budget.nearest(state)
        notes.append(f"Training was a single step of {state.seconds:.3g} seconds, because {limit} allows no more.")
    if 0 < state.step <= FEW_STEPS and schedule.factor(0.0) == 0:
        notes.append(
            f"The learning rate of the first step was 0 (scheduler.warmup_share), so that {state.step - 1} of "
            f"{state.step} steps changed the weights."
        )
    if state.length < length:
        notes.append(
            f"Training ended at a context of {state.length:,} tokens and never reached context.length={length:,}: the "
            "budget has too few steps for the stages of strategy/curriculum."
        )
    return notes


def at_chance(split: str, tables: Sequence[Table]) -> list[str]:
    """Warn about scores on context-dependent cases that do not differ significantly from guessing."""
    return [note for table in tables if table.chance is not None for note in _at_chance(split, table, table.chance)]


def _at_chance(split: str, table: Table, chance: float) -> list[str]:
    low = table.columns.index("low")
    figure, count = low - 1, low - 2
    if not table.rows or any(row[low] is not None and row[low] > chance for row in table.rows):
        return []
    total = sum(row[count] for row in table.rows)
    mean = sum(row[count] * row[figure] for row in table.rows) / total
    return [
        f"Where the context is needed ({table.title[0].lower()}{table.title[1:]}), {table.columns[figure]} on the "
        f"{split} split is {mean:.2f} over {total:,} {table.columns[count]}, which does not differ from chance "
        f"({chance:.2f})."
    ]
