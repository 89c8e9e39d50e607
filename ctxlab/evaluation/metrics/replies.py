"""Turns of dialogues that a model writes: how likely it holds the true ones, and how varied its own are.

- **Perplexity** is e to the mean negative log likelihood of the tokens of the true turns.
- **Distinct-1** and **distinct-2** are the shares of different words and pairs of words over all turns that were
  written, **repetition** is the share of 4-grams that occurred in the same turn before.

A turn whose history was not read at all is left out of the perplexity, and said so.
"""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.types import Document, Prediction, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, Bin, by_part, by_size
from ctxlab.evaluation.repetition import distinct, repeated
from ctxlab.evaluation.statistics import Counts, bootstrap, by_group, interval_note, perplexity, ratio
from ctxlab.tasks.written.base import WrittenText
from ctxlab.text.units import num_words

NOTE = interval_note("dialogues, each with all of its turns")


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Perplexity of true turns and variety of written ones, with breakdowns.

    Args:
        documents: One a turn, with ``group``, and ``probes`` where it is known what the turn hangs on.
        predictions: ``WrittenText`` of each, in the same order.
    """
    answers: list[WrittenText] = [prediction.answer for prediction in predictions]
    groups = [document.fields["group"] for document in documents]
    costs = np.asarray([(answer.target_nll, answer.num_asked) for answer in answers], np.float64)
    texts = [answer.text for answer in answers]
    metrics = {
        "perplexity": float(perplexity(costs.sum(axis=0))),
        "distinct_1": distinct(texts, 1),
        "distinct_2": distinct(texts, 2),
        "repetition": float(ratio(repeated(texts).sum(axis=0))),
        "words": float(np.mean([num_words(text) for text in texts])),
    }
    tables = [_overall(metrics, costs, groups), _table("by_length", "length of the history", "tokens", costs, groups,
              by_size([len(answer.seen) for answer in answers], LENGTHS))]  # fmt: skip
    tables += _by_evidence(documents, answers, costs, groups)
    seen = [all(read for _, read in answer.evidence) if answer.evidence else answer.is_read for answer in answers]
    unread = sum(not answer.num_asked for answer in answers)
    note = f"{unread:,} of {len(answers):,} turns have no history that was read, and no perplexity."
    return Scores(metrics, float(np.mean(seen)), tables, [note] if unread else [])


def _overall(metrics: dict[str, float], costs: Counts, groups: Sequence[str]) -> Table:
    interval = bootstrap(by_group(costs, groups), perplexity)
    rows = [
        (name.replace("_", " "), value, *((interval.low, interval.high) if name == "perplexity" else (None, None)))
        for name, value in metrics.items()
    ]
    return Table("overall", "True turns and written ones", ("figure", "value", "low", "high"), rows, NOTE)


def _by_evidence(
    documents: Sequence[Document], answers: Sequence[WrittenText], costs: Counts, groups: Sequence[str]
) -> list[Table]:
    """By the first piece of evidence, where it is known."""
    probes = [document.fields.get("probes", ()) for document in documents]
    if not any(probes):
        return []
    places = by_part([answer.evidence[0][0] if answer.evidence else None for answer in answers])
    distances = by_size([row[0]["distance"] if row else None for row in probes], DISTANCES)
    return [
        _table("by_position", "place of the evidence in the history", "evidence at", costs, groups, places),
        _table("by_evidence", "distance of the evidence", "words to the evidence", costs, groups, distances),
    ]


def _table(name: str, by: str, first: str, costs: Counts, groups: Sequence[str], bins: Sequence[Bin]) -> Table:
    rows = []
    for label, chosen in bins:
        sums = by_group(costs[chosen], [groups[i] for i in chosen])
        interval = bootstrap(sums, perplexity)
        rows.append((label, len(chosen), float(perplexity(sums.sum(axis=0))), interval.low, interval.high))
    columns = (first, "turns", "perplexity", "low", "high")
    return Table(name, f"Perplexity of true turns by {by}", columns, rows, NOTE)
