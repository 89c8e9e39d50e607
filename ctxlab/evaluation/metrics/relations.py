"""Relations of whole documents: micro-averaged scores as in DocRED's evaluation, with breakdowns.

A relation is right if its head, tail and label are. Source: Yao et al. 2019 (arXiv:1906.06127), section 5, and the
evaluation script published with DocRED, which Re-DocRED (Tan et al. 2022, arXiv:2205.12696) uses too. *Ign F1* combines
the usual recall with a precision that ignores facts seen in training: right predictions for which any name of the head,
any name of the tail and the label occur together in the training documents count neither as right nor as predicted.
(The script adds 0.00001 to the number of predictions against a division by zero; here the precision is then 0.)
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctxlab.core.types import Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, TENTHS, Size, Tenth, sizes
from ctxlab.evaluation.breakdown import Breakdown, estimate
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import Counts, f1, interval_note, ratio
from ctxlab.evaluation.sufficient.end_to_end import STATISTIC as FOUND
from ctxlab.evaluation.sufficient.relations import STATISTIC, ign_f1
from ctxlab.tasks.records.matched import end_to_end, matched
from ctxlab.tasks.records.mentions import Answer, Fact

LENGTH_BINS = (128, *LENGTHS[:-2])
"""Last word count of each bin of document lengths; the last bin is open."""

DISTANCE_BINS = (8, *DISTANCES)
"""Last word count of each bin of distances between the nearest mentions; the last bin is open."""

END_TO_END = "end_to_end"
"""Name of the statistic of relations between entities that were found."""

_NOTE = interval_note(figure="F1")

COLUMNS = ("precision", "recall", "f1", "low", "high")


@dataclass(frozen=True, slots=True)
class _Case:
    """One document."""

    document: Document
    num_words: int
    gold: frozenset[Fact]
    predicted: frozenset[Fact]
    in_training: frozenset[Fact]
    """Gold relations that occur in the training documents."""
    seen: frozenset[Fact]
    """Gold relations of which both entities were seen."""
    found: tuple[int, int, int] | None = None
    """Right, predicted and gold relations between entities that were found; None where none were looked for."""

    def counts(self, keep: Callable[["_Case", Fact], bool]) -> tuple[int, int, int]:
        """Count right, predicted and gold relations among those to ``keep``."""
        gold, predicted = ({fact for fact in facts if keep(self, fact)} for facts in (self.gold, self.predicted))
        return len(gold & predicted), len(predicted), len(gold)

    def nearest(self, fact: Fact) -> tuple[int, int]:
        """Return the first words of the nearest mentions of head and tail, the earlier one first."""
        head, tail = (self.document.fields["entities"][index]["mentions"] for index in fact[:2])
        pairs = [(min(a[0], b[0]), max(a[0], b[0])) for a in head for b in tail]
        return min(pairs, key=lambda pair: (pair[1] - pair[0], pair))


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute precision, recall, F1 and Ign F1 over all relations; those with unseen entities count as missed.

    Args:
        documents: With ``tokens``, ``entities`` and gold ``relations``.
        predictions: ``records.mentions.Answer`` of each, in the same order; ``seen`` has a flag per gold relation.
    """
    cases = [_case(document, prediction) for document, prediction in zip(documents, predictions, strict=True)]
    records = [_record(case) for case in cases]
    rows = STATISTIC.table([record.statistics["relations"] for record in records])
    gold, stated = int(rows[:, 2].sum()), int(rows[:, 4].sum())
    seen = sum(len(case.seen) for case in cases)
    tables = [_overall(rows, records), _per_relation(cases), *_breakdowns(cases)]
    notes = [f"The training documents have {stated} of the {gold} gold relations between entities of the same names; "
             "Ign F1 ignores predictions of these in the precision."] if gold else [
             "There is no gold relation in these documents, so every score is 0."]  # fmt: skip
    return Scores(metrics(records), seen / gold if gold else 1.0, tables=tables, notes=notes, records=records)


def _record(case: _Case) -> ScoredRecord:
    stated = len(case.predicted & case.in_training), len(case.in_training)
    values = dict(zip(STATISTIC.columns, (*case.counts(_all), *stated), strict=True))
    found = {} if case.found is None else {END_TO_END: dict(zip(FOUND.columns, case.found, strict=True))}
    return ScoredRecord(case.document.id, case.document.id, {"relations": values, **found})


def _case(document: Document, prediction: Prediction) -> _Case:
    answer: Answer = prediction.answer
    gold: Sequence[Fact] = document.fields["relations"]
    if not len(gold) == len(answer.in_training) == len(prediction.seen):
        raise ValueError(f"{document.origin} has {len(gold)} gold relations and {len(prediction.seen)} flags.")
    return _Case(
        document,
        len(document.fields["tokens"]),
        gold=frozenset(gold),
        predicted=frozenset(answer.relations),
        in_training=frozenset(fact for fact, known in zip(gold, answer.in_training, strict=True) if known),
        seen=frozenset(fact for fact, seen in zip(gold, prediction.seen, strict=True) if seen),
        found=None if answer.found is None else _found(document, answer.found),
    )


def _found(document: Document, predicted: Sequence[Fact]) -> tuple[int, int, int]:
    """Return the counts of relations between entities that a run of ``task=ner`` found."""
    owners = matched(document.fields["found"], document.fields["entities"])
    return end_to_end(predicted, owners, document.fields["relations"])


def _all(case: _Case, fact: Fact) -> bool:
    del case, fact
    return True


def _figures(counts: Counts) -> tuple[float, float, float]:
    """Return precision, recall and F1 of summed (right, predicted, gold)."""
    right, predicted, gold = counts
    return float(ratio(np.array([right, predicted]))), float(ratio(np.array([right, gold]))), float(f1(counts))


def _overall(rows: Counts, records: Sequence[ScoredRecord]) -> Table:
    """Return the table of all relations, those not seen in training, and those between found entities."""
    sums = rows.sum(axis=0)
    _, recall, _ = _figures(sums[:3])
    ignoring = float(ratio(np.array([sums[0] - sums[3], sums[1] - sums[3]])))
    found = [
        ("all", int(sums[2]), *_row(rows[:, :3])),
        ("not in training (Ign)", int(sums[2] - sums[4]), ignoring, recall, *estimate(rows, ign_f1).cells),
    ]
    note = f"Ign: precision without facts seen in training, recall of all; {_NOTE}"
    if all(END_TO_END in record.statistics for record in records):
        both = FOUND.table([record.statistics[END_TO_END] for record in records])
        found.append(("end to end", int(both[:, 2].sum()), *_row(both)))
        note = f"End to end: between the entities of task.mentions, right where both ends have a gold mention. {note}"
    return Table("overall", "Relations", columns=("relations", "gold", *COLUMNS), rows=found, note=note)


Keeps = Callable[[_Case, Fact], bool]


def _keeps(of: Callable[[_Case, Fact], Any], kept: Size | Tenth | Container[str]) -> Keeps:
    """Return a filter of relations whose property ``of`` is in ``kept``."""
    return lambda case, fact: of(case, fact) in kept


def _breakdown(cases: Sequence[_Case]) -> Breakdown[Keeps]:
    """Return a breakdown with a row for each bin that has a gold relation or a prediction."""

    def row(keep: Keeps) -> Sequence[Any] | None:
        counts = np.array([case.counts(keep) for case in cases], dtype=np.float64)
        return (int(counts[:, 2].sum()), *_row(counts)) if counts.any() else None

    return Breakdown(("gold", *COLUMNS), row, _NOTE)


def _per_relation(cases: Sequence[_Case]) -> Table:
    """Return the table by label, the most frequent first."""
    labels = {label for case in cases for _, _, label in case.gold | case.predicted}
    bins = [(label, _keeps(lambda case, fact: fact[2], (label,))) for label in sorted(labels)]
    table = _breakdown(cases).table("per_relation", "Relations by label", "relation", bins, drawn="")
    return replace(table, rows=sorted(table.rows, key=lambda row: -row[1]))


def _breakdowns(cases: Sequence[_Case]) -> list[Table]:
    """Break down by length of the document, and by position and distance of the nearest mentions."""
    by = _breakdown(cases)

    def bins(of: Callable[[_Case, Fact], Any], ranges: Sequence[Size | Tenth]) -> list[tuple[str, Keeps]]:
        return [(one.name, _keeps(of, one)) for one in ranges]

    lengths, places = bins(lambda case, fact: case.num_words, sizes(LENGTH_BINS)), bins(_place, TENTHS)
    between, title = (
        bins(_distance, sizes(DISTANCE_BINS, least=0)),
        "Relations by distance between the nearest mentions",
    )
    return [
        by.table("by_length", "Relations by length of the document", "words", lengths),
        by.table(
            "by_position",
            "Relations by position of the nearest mentions in the document (midway between them)",
            "part of the document",
            places,
        ),
        by.table("by_evidence", f"{title} of head and tail", "words between", between),
    ]


def _place(case: _Case, fact: Fact) -> float:
    """Return the relative position of the word midway between the nearest mentions of head and tail."""
    return sum(case.nearest(fact)) // 2 / case.num_words


def _distance(case: _Case, fact: Fact) -> int:
    first, second = case.nearest(fact)
    return second - first


def _row(counts: Counts) -> tuple[float, float, float, float | None, float | None]:
    at = estimate(counts, f1)
    return (*_figures(counts.sum(axis=0)), at.low, at.high)
