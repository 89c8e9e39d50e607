"""Answers to probes: recall as in RULER, by length and depth, and the effective context.

**Recall** of an answer is the fraction of the wanted texts that it contains, ignoring case, or 1 where it contains any
of them and any one suffices (Hsieh et al. 2024, arXiv:2404.06654). Plain texts are compared, so that chosen, marked and
generated answers are scored in the same way. **Effective context** is the longest length whose mean recall is at least
85.6 % (that of Llama-2-7B at 4,096 tokens), also where a shorter length is below it, which is noted. Lengths are those
of the configuration, in words, shown with their number of tokens for the model, which is what RULER counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctxlab.core.types import BARS, DEPTHS, Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.breakdown import Breakdown, mean
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import interval_note
from ctxlab.evaluation.sufficient.recall_by_length import THRESHOLD, effective_context
from ctxlab.tasks.records.probes import Reply


@dataclass(frozen=True, slots=True)
class _Case:
    recall: float
    length: int
    tokens: int
    depth: float | None


def recall(answer: str, wanted: Sequence[str], *, every: bool = True) -> float:
    """Return the fraction of ``wanted`` that ``answer`` contains or, without ``every``, whether it contains any."""
    held = [text.lower() in answer.lower() for text in wanted]
    return sum(held) / len(held) if every else float(any(held))


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute mean recall with breakdowns.

    Args:
        documents: With ``answers``, ``all``, ``length`` and ``depth``.
        predictions: ``records.probes.Reply`` of each, in the same order; ``seen`` has a flag per evidence span.
    """
    replies: list[Reply] = [prediction.answer for prediction in predictions]
    cases = [_case(document, reply) for document, reply in zip(documents, replies, strict=True)]
    means, tokens = _by_length(cases, "recall"), _by_length(cases, "tokens")
    records = [
        ScoredRecord(document.id, document.id, {"recall_by_length": {"recall": case.recall, "length": case.length}})
        for document, case in zip(documents, cases, strict=True)
    ]
    covered = float(np.mean([np.mean(prediction.seen) for prediction in predictions]))
    return Scores(
        metrics(records),
        covered,
        tables=_tables(cases, tokens, _chance(replies)),
        notes=_notes(means, tokens, replies),
        records=records,
    )


def _case(document: Document, reply: Reply) -> _Case:
    fields = document.fields
    found = recall(reply.text, fields["answers"], every=fields["all"])
    return _Case(found, fields["length"], reply.num_tokens, fields["depth"])


def _by_length(cases: Sequence[_Case], figure: str) -> dict[int, float]:
    """Return the mean of a figure over the cases of each length, the shortest first."""
    lengths = sorted({case.length for case in cases})
    return {n: float(np.mean([getattr(case, figure) for case in cases if case.length == n])) for n in lengths}


def _chance(replies: Sequence[Reply]) -> float | None:
    """Return the recall of a random choice; None where answers are not chosen from a list."""
    return 1 / replies[0].num_choices if replies and replies[0].num_choices else None


def _tables(cases: Sequence[_Case], tokens: Mapping[int, float], chance: float | None) -> list[Table]:
    placed = [case for case in cases if case.depth is not None]
    overall = _table("overall", "Over all documents", keys=("figure",), cases=cases, key=lambda case: ("recall",))
    tables = [
        replace(overall, chance=chance),
        _table(
            "by_length",
            "By length, in words and in tokens",
            keys=("length", "tokens"),
            cases=cases,
            key=lambda case: (case.length, round(tokens[case.length])),
            drawn=BARS,
        ),
    ]
    if placed:
        tables += [
            _table(
                "by_depth", "By depth of the evidence", keys=("depth",), cases=placed, key=lambda case: (case.depth,)
            ),
            _table(
                "by_length_and_depth",
                "By length and depth",
                keys=("length", "depth"),
                cases=placed,
                key=lambda case: (case.length, case.depth),
                drawn=DEPTHS,
            ),
        ]
    return tables


def _table(
    name: str,
    title: str,
    keys: tuple[str, ...],
    cases: Sequence[_Case],
    key: Callable[[_Case], tuple[Any, ...]],
    drawn: str = "",
) -> Table:
    """Return a table with a row for each value of a key, in order.

    Args:
        name: Name of the table in ``result.json``.
        title: Title in the report.
        keys: Headers of the columns of the key, one or two.
        cases: All cases.
        key: Function from a case to its key.
        drawn: Kind of plot in the report, see ``Table``.
    """

    def row(value: tuple[Any, ...]) -> tuple[Any, ...]:
        found = [case.recall for case in cases if key(case) == value]
        return *value[1:], len(found), *mean(found, range(len(found))).cells

    by = Breakdown((*keys[1:], "documents", "recall", "low", "high"), row, interval_note())
    bins = [(value[0], value) for value in sorted({key(case) for case in cases})]
    return by.table(name, title, keys[0], bins, drawn=drawn)


def _notes(means: Mapping[int, float], tokens: Mapping[int, float], replies: Sequence[Reply]) -> list[str]:
    """Return notes on the effective context and on the accuracy of a random choice."""
    reached = effective_context(means)
    failed = [f"{length:,}" for length, mean in means.items() if length < reached and mean < THRESHOLD]
    but = f", although {', '.join(failed)} fall below it" if failed else ""
    notes = [
        f"Effective context: {reached:,} words ({tokens[reached]:,.0f} tokens), the longest length with a recall of "
        f"at least {THRESHOLD:.1%}{but}."
        if reached
        else f"Effective context: none, as no length has a recall of at least {THRESHOLD:.1%}."
    ]
    if replies and replies[0].num_choices:
        notes.append(f"An answer chosen at random is right in {1 / replies[0].num_choices:.1%} of the documents.")
    return notes
