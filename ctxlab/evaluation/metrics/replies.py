"""Generated turns of dialogues: perplexity of the true turns, and diversity of the generated ones.

- **Perplexity** is exp of the mean negative log likelihood of the tokens of the true turns.
- **Distinct-1** and **distinct-2** are the fractions of distinct unigrams and bigrams over all generated turns,
  **repetition** is the fraction of 4-grams that occurred earlier in the same turn.

Tokens of a turn of whose history nothing was read, and unknown characters, are charged the uniform distribution.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ctxlab.core.types import Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, by_part, by_size
from ctxlab.evaluation.breakdown import Breakdown, Estimate, estimate
from ctxlab.evaluation.generated import target_tokens, text_variety
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import Counts, by_group, interval_note, perplexity
from ctxlab.tasks.generative.base import GeneratedText

NOTE = interval_note("dialogues, each with all of its turns")


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute the perplexity of true turns and the diversity of generated ones, with breakdowns.

    Args:
        documents: One per turn, with ``group``, and ``probes`` where the evidence for the turn is known.
        predictions: ``GeneratedText`` of each, in the same order.
    """
    answers: list[GeneratedText] = [prediction.answer for prediction in predictions]
    groups = [document.fields["group"] for document in documents]
    costs = np.asarray([(answer.target_nll, answer.num_asked) for answer in answers], np.float64)
    records = [
        ScoredRecord(document.id, group, {**target_tokens(answer), **text_variety(answer)})
        for document, group, answer in zip(documents, groups, answers, strict=True)
    ]
    found = metrics(records)
    tables = [_overall(found, costs, groups), *_breakdowns(documents, answers, costs, groups)]
    seen = [all(read for _, read in answer.evidence) if answer.evidence else answer.is_read for answer in answers]
    unread = sum(not answer.is_read for answer in answers)
    note = f"{unread:,} of {len(answers):,} turns have no history that was read: perplexity charges a uniform guess."
    return Scores(found, float(np.mean(seen)), tables=tables, notes=[note] if unread else [], records=records)


def _overall(found: Mapping[str, float], costs: Counts, groups: Sequence[str]) -> Table:
    at = _estimate(costs, groups)
    rows = [
        (name.replace("_", " "), value, *((at.low, at.high) if name == "perplexity" else (None, None)))
        for name, value in found.items()
    ]
    return Table(
        "overall", "True and generated turns", columns=("figure", "value", "low", "high"), rows=rows, note=NOTE
    )


def _estimate(costs: Counts, groups: Sequence[str]) -> Estimate:
    return estimate(by_group(costs, groups), perplexity, is_share=False)


def _breakdowns(
    documents: Sequence[Document], answers: Sequence[GeneratedText], costs: Counts, groups: Sequence[str]
) -> list[Table]:
    """Break down by length of the history and, where known, by the first piece of evidence.

    Args:
        documents: One per turn.
        answers: Generated text of each.
        costs: (N, 2) nats and tokens of each true turn.
        groups: Dialogue of each turn.
    """

    def row(chosen: Sequence[int]) -> tuple[int, float, float | None, float | None]:
        return len(chosen), *_estimate(costs[list(chosen)], [groups[i] for i in chosen]).cells

    by = Breakdown(("turns", "perplexity", "low", "high"), row, NOTE)
    title, lengths = "Perplexity of true turns by", by_size([len(answer.seen) for answer in answers], LENGTHS)
    tables = [by.table("by_length", f"{title} length of the history", "tokens", lengths)]
    probes = [document.fields.get("probes", ()) for document in documents]
    if not any(probes):
        return tables
    places = by_part([answer.evidence[0][0] if answer.evidence else None for answer in answers])
    distances = by_size([row[0]["distance"] if row else None for row in probes], DISTANCES)
    return [
        *tables,
        by.table("by_position", f"{title} position of the evidence in the history", "evidence at", places),
        by.table("by_evidence", f"{title} distance of the evidence", "words to the evidence", distances),
    ]
