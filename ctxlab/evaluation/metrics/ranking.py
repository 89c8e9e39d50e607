"""Ranking of candidates, scored as in the MIND news benchmark (Wu et al. 2020, ACL, section 5.2, and its script).

Every figure is computed per ranking and averaged over all rankings; intervals resample whole records.

- **AUC** is the fraction of pairs of a chosen candidate and another one in which the chosen one scores higher; equal
  scores count half.
- **NDCG@k** is the sum of 1 / log2(rank + 1) over the chosen candidates among the first k, divided by the largest
  possible sum.
- **MRR** is 1 / rank of the first chosen candidate. The script of MIND takes the mean over all chosen ones, so that a
  perfect ranking of several has less than 1: that is **MIND MRR**.
- **Recall@k** (``metrics.choosing``) is the fraction of the chosen candidates that are among the first k.

Deviation: where a chosen candidate and others have the same score, their order in the script depends on the sorting
algorithm; here the chosen one comes last (except for AUC), so that constant scores gain nothing. A ranking of which
**nothing was read** scores 0 in every figure; if only some candidates were read, an unread chosen one is ranked last
and any other unread one first.

Each figure is shown with its expected value for a random order.

Shape legend: N rankings, K candidates of one, F figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ctxlab.core.types import Document, DoubleArray, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, by_part, by_size
from ctxlab.evaluation.breakdown import Breakdown, mean, picked
from ctxlab.evaluation.ranks import Rankings, rank
from ctxlab.evaluation.recommended import Listed, described
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import interval_note
from ctxlab.evaluation.sufficient import recommended_ranks
from ctxlab.tasks.forms.document_classifier import Verdict
from ctxlab.tasks.forms.ranking import CHOSEN, odds

LENGTH_BINS = LENGTHS[:-1]
"""Last token count of each bin of history lengths, which may be 0; the last bin is open."""

BEYOND = 1e6
"""Log odds beyond those of any model: unread candidates get -BEYOND if chosen and BEYOND otherwise, maximally wrong."""

RANKS = "recommended_ranks"
"""Name of the statistic."""

_INTERVAL = interval_note("records")


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute the figures of MIND (see ``scored``), and what the lists are like (``evaluation.recommended``)."""
    found = scored(documents, predictions, RANKS, recommended_ranks.STATISTIC)
    return described(found, [_listed(ranking) for ranking in _rankings(documents, predictions)], RANKS)


def _rankings(documents: Sequence[Document], predictions: Sequence[Prediction]) -> list[list[tuple[Document, Verdict]]]:
    """Return the candidates of each ranking with their answers."""
    pairs = zip(documents, (prediction.answer for prediction in predictions), strict=True)
    return [list(group) for _, group in groupby(pairs, lambda pair: pair[0].fields["group"])]


def _listed(pairs: Sequence[tuple[Document, Verdict]]) -> Listed:
    """Return a ranking of recommendations, with the log odds of given features where all candidates have some."""
    gold = _gold(pairs)
    features = [verdict.beside for _, verdict in pairs]
    known = [one for one in features if one is not None]
    return Listed(
        [document.fields["candidate"] for document, _ in pairs],
        _scores(pairs, gold),
        gold,
        np.asarray(known, np.float64) if len(known) == len(pairs) else None,
    )


def _gold(pairs: Sequence[tuple[Document, Verdict]]) -> DoubleArray:
    return np.asarray([document.fields["gold"] == (CHOSEN,) for document, _ in pairs], np.float64)


def _scores(pairs: Sequence[tuple[Document, Verdict]], gold: DoubleArray) -> DoubleArray:
    """Return (K,) log odds; an unread chosen candidate has the lowest, any other unread one the highest."""
    worst = np.where(gold > 0, -BEYOND, BEYOND)
    given = [odds(verdict) for _, verdict in pairs]
    return np.asarray([w if g is None else g for g, w in zip(given, worst, strict=True)], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """One ranking with its figures and the position of its evidence."""

    record: ScoredRecord
    scores: Sequence[float]
    """(F,)"""
    by_chance: Sequence[float]
    """(F,)"""
    is_read: bool
    could_know: bool
    num_tokens: int
    position: float | None
    """Position of the first piece of evidence in the history, 0 to 1; None where it is not known."""
    distance: int | None
    """Words from the farthest piece of evidence to the end of the history; None where it is not known."""


def scored(documents: Sequence[Document], predictions: Sequence[Prediction], name: str, statistic: Rankings) -> Scores:
    """Compute figures over all rankings, with breakdowns of the first figure.

    Args:
        documents: One per candidate, those of a ranking (``group``) adjacent, with ``gold`` and optional ``probes``.
        predictions: ``Verdict`` of each, in the same order.
        name: Name of the statistic.
        statistic: The statistic, which has the figures.
    """
    cases = [_case(ranking, name, statistic) for ranking in _rankings(documents, predictions)]
    records = [case.record for case in cases]
    rows = [_overall_row(cases, index, figure) for index, figure in enumerate(statistic.names)]
    columns = ("figure", "value", "low", "high", "by chance")
    tables = [Table("overall", "Over all rankings", columns=columns, rows=rows, note=_INTERVAL)]
    tables += _breakdowns(cases, statistic.names[0])
    unread = sum(not case.is_read for case in cases)
    notes = [f"{unread:,} of {len(cases):,} rankings were not read at all: each counts 0."] if unread else []
    coverage = float(np.mean([case.could_know for case in cases]))
    return Scores(metrics(records), coverage, tables=tables, notes=notes, records=records)


def _case(pairs: Sequence[tuple[Document, Verdict]], name: str, statistic: Rankings) -> _Case:
    gold = _gold(pairs)
    is_read, ranked = any(verdict.is_read for _, verdict in pairs), rank(_scores(pairs, gold), gold)
    values = {"ranks": ranked.ranks.tolist() if is_read else [], "candidates": len(gold), "auc": ranked.auc}
    document, verdict = next((pair for pair, label in zip(pairs, gold, strict=True) if label), pairs[0])
    evidence, probes = verdict.evidence, document.fields.get("probes", ())
    return _Case(
        record=ScoredRecord(document.fields["group"], document.fields["record"], {name: values}),
        scores=statistic.scores(values),
        by_chance=statistic.by_chance(len(gold), int(gold.sum())),
        is_read=is_read,
        could_know=all(seen for _, seen in evidence) if evidence else is_read,
        num_tokens=verdict.num_tokens,
        position=min(place for place, _ in evidence) if evidence else None,
        distance=max((probe["distance"] for probe in probes), default=None),
    )


def _mean(cases: Sequence[_Case], index: int) -> tuple[float, float | None, float | None]:
    """Return the mean of a figure, and its interval over records, each with all of its rankings."""
    return mean([case.scores[index] for case in cases], [case.record.group for case in cases]).cells


def _overall_row(cases: Sequence[_Case], index: int, name: str) -> tuple[str, float, float | None, float | None, float]:
    chance = float(np.mean([case.by_chance[index] for case in cases]))
    return (name.replace("_at_", "@").replace("_", " "), *_mean(cases, index), chance)


def _breakdowns(cases: Sequence[_Case], figure: str) -> list[Table]:
    """Break down by length of the history and, where known, by position and distance of the evidence."""
    columns = ("rankings", figure, "low", "high")
    by = Breakdown[Sequence[_Case]](columns, lambda chosen: (len(chosen), *_mean(chosen, 0)), _INTERVAL)
    lengths = by_size([case.num_tokens for case in cases], LENGTH_BINS, least=0)
    tables = [by.table("by_length", "By length of the history", "tokens", picked(cases, lengths))]
    if all(case.position is None for case in cases):
        return tables
    places = by_part([case.position for case in cases])
    distances = by_size([case.distance for case in cases], DISTANCES, least=0)
    chance = float(np.mean([case.by_chance[0] for case in cases]))
    title = "By distance of the evidence from the end of the history"
    return [
        *tables,
        by.table("by_position", "By position of the evidence in the history", "evidence at", picked(cases, places)),
        by.table("by_evidence", title, "words to the evidence", picked(cases, distances), chance=chance),
    ]
