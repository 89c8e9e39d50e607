"""What recommended lists are like beside being right: diversity, coverage of the catalogue, gain by given features.

- **Diversity** of a list is the mean distance of two of its first candidates, one minus the cosine of their tf-idf
  vectors over the catalogue (intra-list diversity, Smyth and McClave 2001, with this distance).
- The **catalogue** is all different candidates of the scored records; the fraction of it that is among the first of
  some list is its coverage (Ge et al. 2010, catalogue coverage).

Both are shown beside the expected value of random orders; neither says whether a list is good, so that they are no
metrics. A ranking of which nothing was read has no diversity.

Shape legend: N rankings, K candidates of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ctxlab.core.types import DoubleArray, Scores, Table
from ctxlab.evaluation.breakdown import mean
from ctxlab.evaluation.ranks import rank
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import interval_note
from ctxlab.evaluation.sufficient.featured_ranks import STATISTIC as FEATURED
from ctxlab.evaluation.sufficient.recommended_ranks import STATISTIC as PLAIN
from ctxlab.text.terms import mean_distance, vectors

FIRST = 5
"""Candidates of a ranking that count as recommended."""

FEATURES = "featured_ranks"
"""Name of the statistic of model and features together."""

_NOTE = interval_note("records")


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """One ranking."""

    texts: Sequence[str]
    """Candidates, in the order of the record."""
    scores: DoubleArray
    """(K,) of the model."""
    gold: DoubleArray
    """(K,) 1 for chosen ones."""
    features: DoubleArray | None = None
    """(K,) log odds of the given features; None where there are none."""

    @property
    def first(self) -> list[int]:
        """Return the candidates that are recommended; of equal scores the first of the record."""
        order: list[int] = np.argsort(-self.scores, kind="stable").tolist()
        return order[:FIRST]


def described(scores: Scores, rankings: Sequence[Listed], plain: str) -> Scores:
    """Return the scores of rankings with diversity and coverage, and with the gain by features where all have some.

    Args:
        scores: Scores of the model, a record for each ranking.
        rankings: The rankings, in that order.
        plain: Name of the statistic of the model's ranks.
    """
    catalogue = list(dict.fromkeys(text for one in rankings for text in one.texts))
    known = dict(zip(catalogue, vectors(catalogue), strict=True))
    groups = [record.group for record in scores.records]
    spread = [
        mean_distance([known[one.texts[index]] for index in one.first]) if record.statistics[plain]["ranks"] else 0.0
        for one, record in zip(rankings, scores.records, strict=True)
    ]
    by_chance = [mean_distance([known[text] for text in one.texts]) for one in rankings]
    rows = [
        (f"diversity@{FIRST}", *mean(spread, groups).cells, float(np.mean(by_chance))),
        (f"catalogue coverage@{FIRST}", coverage(rankings), None, None, coverage_by_chance(rankings)),
    ]
    columns = ("figure", "value", "low", "high", "by chance")
    note = f"The catalogue has {len(catalogue):,} texts; {_NOTE}"
    tables = [Table("lists", "What is recommended", columns=columns, rows=rows, note=note)]
    if not all(one.features is not None for one in rankings):
        return replace(scores, tables=[*scores.tables, *tables])
    ranks = [record.statistics[plain] for record in scores.records]
    values = [_featured(one, own) for one, own in zip(rankings, ranks, strict=True)]
    records = [
        replace(record, statistics={**record.statistics, FEATURES: own})
        for record, own in zip(scores.records, values, strict=True)
    ]
    tables.append(_gains(ranks, values, groups))
    return replace(scores, metrics=metrics(records), tables=[*scores.tables, *tables], records=records)


def coverage(rankings: Sequence[Listed]) -> float:
    """Return the fraction of all different candidates that is among the first of some ranking."""
    shown = {one.texts[index] for one in rankings for index in one.first}
    return len(shown) / len({text for one in rankings for text in one.texts})


def coverage_by_chance(rankings: Sequence[Listed]) -> float:
    """Return its expected value where all orders are random: of each text, that some ranking shows it."""
    missed: dict[str, float] = {}
    for one in rankings:
        for text in one.texts:
            missed[text] = missed.get(text, 1.0) * (1 - min(FIRST / len(one.texts), 1.0))
    return float(np.mean([1 - share for share in missed.values()]))


def _featured(one: Listed, plain: Mapping[str, object]) -> dict[str, object]:
    """Return the ranks by the sum of the log odds of both; none where the model read nothing."""
    assert one.features is not None
    ranked = rank(one.scores + one.features, one.gold)
    return {**plain, "ranks": ranked.ranks.tolist() if plain["ranks"] else [], "auc": ranked.auc}


def _gains(plain: Sequence[Mapping[str, object]], both: Sequence[Mapping[str, object]], groups: Sequence[str]) -> Table:
    """Return the table of figures with given features, and of their differences to those without."""
    without = np.asarray([PLAIN.scores(one) for one in plain])  # (N, figures)
    featured = np.asarray([FEATURED.scores(one) for one in both])
    rows = [
        (
            name.replace("_at_", "@").replace("_", " "),
            float(without[:, i].mean()),
            float(featured[:, i].mean()),
            *mean(featured[:, i] - without[:, i], groups, is_share=False).cells,
        )
        for i, name in enumerate(PLAIN.names)
    ]
    columns = ("figure", "the model", "with features", "gain", "low", "high")
    title = "With given features, weighed by a logistic regression of the training documents"
    return Table("with_features", title, columns=columns, rows=rows, note=f"Interval of the gain; {_NOTE}")
