"""How well candidates are ranked, as the MIND news benchmark has it (Wu et al. 2020, ACL, section 5.2, and its script).

Every figure is one of a ranking, and a mean over all rankings; intervals draw whole records.

- **AUC** is the share of pairs of a chosen candidate and another one in which the chosen one scores higher; equal
  scores count half.
- **NDCG@k** is the sum of 1 / log2(rank + 1) over the chosen candidates among the first k, as a share of the best
  possible one.
- **MRR** is 1 / rank of the first chosen candidate. The script of MIND takes the mean over all chosen ones, so that a
  perfect ranking of several has less than 1: that is **MIND MRR**.
- **Recall@k** (``metrics.choosing``) is the share of the chosen candidates among the first k.

Deviation: where a chosen candidate and others have the same score, the script leaves their order to the sorting, and
here the chosen one stands behind (AUC aside), so that a model that says the same of all gains nothing by it. A ranking
of which **nothing was read** scores 0 in every figure; of one that was read for some candidates only, a chosen one that
was not read stands last, and another one first.

Beside each figure stands what a random order would score on average.

Shape legend: N rankings, K candidates of one, F figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from math import comb

import numpy as np

from ctxlab.core.types import Document, IntArray, Prediction, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, Bin, by_part, by_size
from ctxlab.evaluation.metrics.auroc import auroc
from ctxlab.evaluation.statistics import Counts, bootstrap_mean, interval_note
from ctxlab.tasks.forms.document_classifier import Verdict
from ctxlab.tasks.forms.ranking import CHOSEN, odds

LENGTH_BINS = LENGTHS[:-1]
"""Last token count of each bin of history lengths, which may be 0; the last bin is open."""

BEYOND = 1e6
"""Log odds that no model gives: those of a candidate that was not read, surer than sure of what is not true."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """One ranking."""

    scores: Counts
    """(K,)"""
    gold: Counts
    """(K,) 1 for candidates that were chosen, 0 for others."""
    ranks: IntArray
    """Rank of each chosen candidate from 1 on, the best first."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a ranking scores, and what a random order of its candidates would on average."""

    name: str
    of: Callable[[Ranked], float]
    by_chance: Callable[[int, int], float]
    """Of the number of candidates, and of those that were chosen."""


def rank(scores: Counts, gold: Counts) -> Ranked:
    """Ranks of the chosen candidates among ``scores`` (K,), each behind others of the same score."""
    order = np.lexsort((gold, -scores))
    return Ranked(scores, gold, np.flatnonzero(gold[order] > 0) + 1)


def area(ranked: Ranked) -> float:
    """AUC of one ranking."""
    return float(auroc(ranked.scores, ranked.gold, np.ones((1, len(ranked.gold))))[0])


def ndcg(ranked: Ranked, k: int) -> float:
    """NDCG of the first k."""
    gain = _gains(ranked.ranks[ranked.ranks <= k])
    return gain / _gains(np.arange(1, min(k, len(ranked.ranks)) + 1))


def _gains(ranks: IntArray) -> float:
    return float((1 / np.log2(ranks + 1)).sum())


def _ndcg_by_chance(num: int, chosen: int, k: int) -> float:
    return _gains(np.arange(1, min(k, num) + 1)) * chosen / num / _gains(np.arange(1, min(k, chosen) + 1))


def reciprocal_rank(ranked: Ranked) -> float:
    """1 / rank of the first chosen candidate."""
    return 1 / float(ranked.ranks[0])


def _reciprocal_rank_by_chance(num: int, chosen: int) -> float:
    """The first one has rank r if the other chosen ones are among the ``num - r`` behind."""
    return sum(comb(num - r, chosen - 1) / r for r in range(1, num - chosen + 2)) / comb(num, chosen)


def mind_reciprocal_rank(ranked: Ranked) -> float:
    """Mean of 1 / rank over all chosen candidates."""
    return float((1 / ranked.ranks).mean())


def recall(ranked: Ranked, k: int) -> float:
    """Share of the chosen candidates among the first k."""
    return float((ranked.ranks <= k).mean())


MRR = Figure("mrr", reciprocal_rank, _reciprocal_rank_by_chance)
AUC = Figure("auc", area, lambda num, chosen: 0.5)


def ndcg_at(k: int) -> Figure:
    """The figure ``ndcg_at_<k>``."""
    return Figure(f"ndcg_at_{k}", partial(ndcg, k=k), partial(_ndcg_by_chance, k=k))


def recall_at(k: int) -> Figure:
    """The figure ``recall_at_<k>``."""
    return Figure(f"recall_at_{k}", partial(recall, k=k), lambda num, chosen: min(k / num, 1.0))


MIND_MRR = Figure("mind_mrr", mind_reciprocal_rank, lambda num, chosen: float((1 / np.arange(1, num + 1)).mean()))

FIGURES = (AUC, ndcg_at(5), ndcg_at(10), MRR, MIND_MRR)
"""Of task=recommendation; breakdowns have the first."""


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """The figures of MIND, see ``scored``."""
    return scored(documents, predictions, FIGURES)


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """One ranking, what it scores, and where its evidence is."""

    record: str
    values: Sequence[float]
    """(F,)"""
    by_chance: Sequence[float]
    """(F,)"""
    is_read: bool
    could_know: bool
    num_tokens: int
    position: float | None
    """Of the first piece of evidence in the history, 0 to 1; None where it is not known."""
    distance: int | None
    """Of the farthest piece of evidence, words to the end of the history; None where it is not known."""


def scored(documents: Sequence[Document], predictions: Sequence[Prediction], figures: Sequence[Figure]) -> Scores:
    """Figures over all rankings, with breakdowns by the first of them.

    Args:
        documents: One a candidate, those of a ranking (``group``) in a row, with ``gold`` and perhaps ``probes``.
        predictions: ``Verdict`` of each, in the same order.
        figures: What to score.
    """
    pairs = list(zip(documents, (prediction.answer for prediction in predictions), strict=True))
    cases = [_case(list(group), figures) for _, group in groupby(pairs, lambda pair: pair[0].fields["group"])]
    rows = [_overall_row(cases, index, figure.name) for index, figure in enumerate(figures)]
    columns = ("figure", "value", "low", "high", "by chance")
    tables = [Table("overall", "Over all rankings", columns, rows, _INTERVAL)]
    tables += [_by_length(cases, figures[0].name), *_by_evidence(cases, figures[0].name)]
    unread = sum(not case.is_read for case in cases)
    notes = [f"{unread:,} of {len(cases):,} rankings were not read at all: each counts 0."] if unread else []
    coverage = float(np.mean([case.could_know for case in cases]))
    return Scores({figure.name: row[1] for figure, row in zip(figures, rows, strict=True)}, coverage, tables, notes)


def _case(pairs: Sequence[tuple[Document, Verdict]], figures: Sequence[Figure]) -> _Case:
    gold = np.asarray([document.fields["gold"] == (CHOSEN,) for document, _ in pairs], np.float64)
    given = [odds(verdict) for _, verdict in pairs]
    worst = np.where(gold > 0, -BEYOND, BEYOND)
    scores = np.asarray([w if g is None else g for g, w in zip(given, worst, strict=True)], np.float64)
    is_read, ranked = any(g is not None for g in given), rank(scores, gold)
    document, verdict = next((pair for pair, label in zip(pairs, gold, strict=True) if label), pairs[0])
    evidence, probes = verdict.evidence, document.fields.get("probes", ())
    return _Case(
        document.fields["record"],
        [figure.of(ranked) if is_read else 0.0 for figure in figures],
        [figure.by_chance(len(gold), int(gold.sum())) for figure in figures],
        is_read,
        all(seen for _, seen in evidence) if evidence else is_read,
        verdict.num_tokens,
        min(place for place, _ in evidence) if evidence else None,
        max((probe["distance"] for probe in probes), default=None),
    )


def _mean(cases: Sequence[_Case], index: int) -> tuple[float, float | None, float | None]:
    """Mean of a figure, and its interval over records, each with all of its rankings."""
    values = [case.values[index] for case in cases]
    interval = bootstrap_mean(values, [case.record for case in cases])
    return float(np.mean(values)), interval.low, interval.high


def _overall_row(cases: Sequence[_Case], index: int, name: str) -> tuple[str, float, float | None, float | None, float]:
    chance = float(np.mean([case.by_chance[index] for case in cases]))
    return (name.replace("_at_", "@").replace("_", " "), *_mean(cases, index), chance)


def _table(name: str, title: str, columns: tuple[str, str], cases: Sequence[_Case], bins: Sequence[Bin]) -> Table:
    first, figure = columns
    rows = [(label, len(chosen), *_mean([cases[i] for i in chosen], 0)) for label, chosen in bins]
    return Table(name, title, (first, "rankings", figure, "low", "high"), rows, _INTERVAL)


def _by_length(cases: Sequence[_Case], figure: str) -> Table:
    bins = by_size([case.num_tokens for case in cases], LENGTH_BINS, least=0)
    return _table("by_length", "By length of the history", ("tokens", figure), cases, bins)


def _by_evidence(cases: Sequence[_Case], figure: str) -> list[Table]:
    """By place and by distance of the evidence, where it is known."""
    if all(case.position is None for case in cases):
        return []
    places = by_part([case.position for case in cases])
    distances = by_size([case.distance for case in cases], DISTANCES, least=0)
    title = "By distance of the evidence from the end of the history"
    return [
        _table("by_position", "By place of the evidence in the history", ("evidence at", figure), cases, places),
        _table("by_evidence", title, ("words to the evidence", figure), cases, distances),
    ]


_INTERVAL = interval_note("records")
