"""The original beside what was made of it: score, size, speed, and how often they answer alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from ctxlab.comparison import single_interval
from ctxlab.comparison.records import contenders
from ctxlab.core.compression import Compressed
from ctxlab.core.errors import UserError
from ctxlab.core.types import BARS, Document, Encoded, Table
from ctxlab.evaluation.statistics import NO_INTERVAL, Interval
from ctxlab.models.loading.checkpointed import WEIGHTS
from ctxlab.optim.parameters import count_parameters
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.compressing.original import Original
from ctxlab.workbench.finish import Split

TABLE = "compression"
"""Name of the table."""

ROUNDS = 5
"""Rounds in which the models read the same documents in turns."""

TIMED_TOKENS = 2048
"""Tokens of the documents that are read for the time, about."""

MEGABYTE = 10**6


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model reads."""

    milliseconds: float
    """Per document."""
    ratio: float
    """Speed over that of the first model."""


@dataclass(frozen=True, eq=False)
class Stand:
    """A model at one point: the original, compressed, healed."""

    name: str
    split: Split
    bench: Workbench
    checkpoint: Path
    speed: Speed


def in_turns(benches: Sequence[Workbench], documents: Sequence[Document]) -> list[Speed]:
    """Let models read the same documents in turns, in this process.

    Args:
        benches: The models, the original first.
        documents: Documents, of which the first ones are read.
    """
    chosen, tokens = [], 0
    for document, one in zip(documents, benches[0].encode(documents), strict=True):
        chosen.append(document)
        tokens += len(one)
        if tokens >= TIMED_TOKENS:
            break
    encoded = [bench.encode(chosen) for bench in benches]
    for bench, own in zip(benches, encoded, strict=True):
        _seconds(bench, own[:1])  # kernels and memory are ready from here on
    rounds = [[_seconds(bench, own) for bench, own in zip(benches, encoded, strict=True)] for _ in range(ROUNDS)]
    fastest = [min(seconds) for seconds in zip(*rounds, strict=True)]  # the others were disturbed
    return [Speed(1000 * seconds / len(chosen), fastest[0] / seconds) for seconds in fastest]


def _seconds(bench: Workbench, encoded: Sequence[Encoded]) -> float:
    """Return the CPU time of reading, which other work on the machine hardly changes; on a GPU that by the clock."""
    clock = process_time if bench.accelerator.device.type == "cpu" else perf_counter
    started = clock()
    for _ in bench.reader().read(encoded):
        pass
    return clock() - started


def with_tables(stands: Sequence[Stand], made: Compressed, note: str) -> Split:
    """Return the scored split of the last model, with the comparison as its first table.

    Args:
        stands: All models, with the same split.
        made: What the mechanism says.
        note: Sentence under the comparison.
    """
    split = stands[-1].split
    tables = [compared(stands, note), *split.evaluation.scores.tables, *made.tables]
    scores = replace(split.evaluation.scores, tables=tables)
    return Split(split.documents, replace(split.evaluation, scores=scores))


def note_of(stands: Sequence[Stand], name: str) -> str:
    """Return what the table's figures are of."""
    return (
        f"{name.capitalize()} split, {len(stands[0].split.documents):,} documents; 95 % intervals over documents, for "
        f"these models; times: CPU time (on a GPU by the clock), the least of {ROUNDS} rounds in which they read the "
        "same documents in turns, in one process; agreement: answers that are those of the original"
    )


def notes(original: Original, made: Compressed, steps: int) -> list[str]:
    """Return what a report says about the origin of the model."""
    healed = f", then trained for {steps:,} steps with it as teacher" if steps else ", without training afterwards"
    return [f"Compressed from {original.name}: {made.summary}{healed}."]


def compared(stands: Sequence[Stand], note: str) -> Table:
    """Return the table of all stands, the original first.

    Args:
        stands: The models, with the same split.
        note: Sentence under the table.
    """
    metric = stands[0].bench.task.primary_metric
    columns = (
        "model", metric, "low", "high", "parameters", "MB of weights", "ms per document", "speed", "agreement"
    )  # fmt: skip
    rows = []
    for one in stands:
        found = _interval(one, metric)
        rows.append((
            one.name,
            one.split.evaluation.scores.metrics[metric],
            found.low,
            found.high,
            count_parameters(one.bench.model),
            (one.checkpoint / WEIGHTS).stat().st_size / MEGABYTE,
            one.speed.milliseconds,
            one.speed.ratio,
            agreement(stands[0].split, one.split),
        ))  # fmt: skip
    return Table(TABLE, "The original and what was made of it", columns, rows, note=note, drawn=BARS)


def _interval(stand: Stand, metric: str) -> Interval:
    try:
        found = contenders({stand.name: [stand.split.evaluation.scores.records]}, metric)[0].scored
        return single_interval.interval(found, lower_is_better=stand.bench.task.lower_is_better)
    except (UserError, ValueError):  # a single document, or a figure that no sum over documents gives
        return NO_INTERVAL


def agreement(one: Split, other: Split) -> float:
    """Return the fraction of units (words, where each has an answer, else documents) with the same answer in both."""
    same = total = 0
    for left, right in zip(one.evaluation.predictions, other.evaluation.predictions, strict=True):
        pairs = _units(left.answer, right.answer)
        same += sum(first == second for first, second in pairs)
        total += len(pairs)
    return same / max(total, 1)


def _units(left: Any, right: Any) -> list[tuple[Any, Any]]:
    if isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) == len(right):
        return list(zip(left, right, strict=True))
    if isinstance(left, Mapping) and isinstance(right, Mapping) and left.keys() == right.keys():
        return [(left[name], right[name]) for name in left]
    return [(left, right)]
