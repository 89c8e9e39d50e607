"""What would make a figure mean less than it seems: a sentence each, said before training and beside the scores."""

from collections.abc import Mapping, Sequence

from ctxlab.core.optim import Schedule
from ctxlab.core.types import Document, Encoded, Table
from ctxlab.data.splits import Splits
from ctxlab.training.budget import Budget
from ctxlab.training.state import TrainState

FEW_STEPS = 20
"""Steps up to which one without a learning rate is a share of the training that should be known."""

SCORED = ("validation", "test")


def of_documents(splits: Splits, encoded: Mapping[str, Sequence[Encoded]], length: int) -> list[str]:
    """What is to be known of the documents before training.

    Args:
        splits: Documents of each split.
        encoded: The same as tokens, by name of the split; one that is missing is empty.
        length: Context of the run, in tokens.
    """
    return [
        *_seen_in_training(encoded),
        *_single(splits),
        *fits_whole([one for documents in encoded.values() for one in documents], length),
    ]


def _seen_in_training(encoded: Mapping[str, Sequence[Encoded]]) -> list[str]:
    """Documents that are scored and trained on: the same tokens, and the same question where there is one."""
    trained = set(map(_content, encoded.get("train", ())))
    notes = []
    for name in SCORED:
        documents = encoded.get(name, ())
        shared = sum(_content(document) in trained for document in documents)
        if shared:
            notes.append(
                f"{shared:,} of {len(documents):,} {name} documents are training documents too: what is scored on them "
                "is memory, and says nothing of new documents."
            )
    return notes


def _content(document: Encoded) -> tuple[bytes, tuple[int, ...]]:
    return document.input_ids.tobytes(), document.query


def _single(splits: Splits) -> list[str]:
    return [note for name in SCORED for note in single(name, splits.of(name))]


def single(name: str, documents: Sequence[Document]) -> list[str]:
    """A split of one document, over which no interval can be drawn."""
    if len({document.fields.get("group", document.id) for document in documents}) != 1:
        return []
    return [
        f"The {name} split has a single document: its figures have no interval, and say nothing of other documents."
    ]


def fits_whole(encoded: Sequence[Encoded], length: int) -> list[str]:
    """A context that no document fills, under which strategies that differ in their reach alone are the same."""
    longest = max((len(one) + len(one.before) + len(one.after) for one in encoded), default=length)
    if longest >= length:
        return []
    return [
        f"context.length={length:,} is longer than every document (the longest has {longest:,} tokens): a longer "
        "context changes nothing here, and strategies that differ only in how far they reach read the same."
    ]


def of_training(state: TrainState, budget: Budget, schedule: Schedule, length: int) -> list[str]:
    """What is to be known of a training run that has ended.

    Args:
        state: Where it ended.
        budget: What it was given.
        schedule: Of its learning rate.
        length: Context of the run, in tokens.
    """
    notes = []
    if state.step == 1:
        limit = budget.nearest(state)
        notes.append(f"Training was a single step of {state.seconds:.3g} seconds, as {limit} allows no more.")
    if 0 < state.step <= FEW_STEPS and schedule.factor(0.0) == 0:
        notes.append(
            f"The learning rate of the first step was 0 (scheduler.warmup_share), so that {state.step - 1} of "
            f"{state.step} steps changed the weights."
        )
    if state.length < length:
        notes.append(
            f"Training ended at a context of {state.length:,} tokens, and never came to context.length={length:,}: the "
            "budget has too few steps for the stages of strategy/curriculum."
        )
    return notes


def at_chance(split: str, tables: Sequence[Table]) -> list[str]:
    """Scores of what only the context tells, where they cannot be told from guessing."""
    return [note for table in tables if table.chance is not None for note in _at_chance(split, table, table.chance)]


def _at_chance(split: str, table: Table, chance: float) -> list[str]:
    low = table.columns.index("low")
    figure, count = low - 1, low - 2
    if not table.rows or any(row[low] is not None and row[low] > chance for row in table.rows):
        return []
    asked = sum(row[count] for row in table.rows)
    mean = sum(row[count] * row[figure] for row in table.rows) / asked
    return [
        f"Where the context is needed ({table.title[0].lower()}{table.title[1:]}), {table.columns[figure]} on the "
        f"{split} split is {mean:.2f} over {asked:,} {table.columns[count]}, which cannot be told from chance "
        f"({chance:.2f})."
    ]
