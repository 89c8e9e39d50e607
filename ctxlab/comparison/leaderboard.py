"""The result of a comparison as typed data: every candidate, its rank, and the concluding sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ctxlab.comparison import single_interval
from ctxlab.comparison.candidate_results import CandidateResults
from ctxlab.comparison.compare import Comparison, Contender, Row, Rules, compare
from ctxlab.comparison.conclusion import Conclusion, Cost, conclude
from ctxlab.comparison.pareto import Place, Tolerance, pareto
from ctxlab.comparison.records import contenders
from ctxlab.evaluation.statistics import Interval


@dataclass(frozen=True, slots=True)
class Entry:
    """A candidate that has completed all of its cells."""

    candidate: CandidateResults
    estimate: float
    """Mean of the primary metric over seeds."""
    by_seed: tuple[float, ...]
    interval: Interval
    row: Row | None
    """Comparison with the baseline; None for the baseline itself."""
    place: Place | None
    """Standing among all candidates by quality and cost; None if there is only one candidate."""


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """All candidates that could be compared."""

    figure: str
    split: str
    lower_is_better: bool
    entries: Sequence[Entry]
    """Entries, the best first."""
    baseline: str
    """Title of the baseline."""
    comparison: Comparison | None
    conclusion: Conclusion | None
    num_documents: int

    @property
    def closing(self) -> str:
        """The concluding sentence."""
        if not self.lower_is_better and not any(figure for entry in self.entries for figure in entry.by_seed):
            return f"Nothing can be concluded: every {self.figure} is 0, no candidate learned anything in its budget."
        if self.conclusion is not None:
            return self.conclusion.sentence
        return "There is nothing to conclude: that takes two candidates that have completed all of their cells."


def leaderboard(
    candidates: Sequence[CandidateResults], baseline: str, rules: Rules, *, is_equal_time: bool
) -> Leaderboard:
    """Compare candidates by the scores of their cells.

    Args:
        candidates: At least one.
        baseline: Key of one of them.
        rules: Thresholds; the direction of the figure is taken from the results.
        is_equal_time: Whether all trained for the same time, so that their cost is the time to read a document.

    Raises:
        UserError: Scores cannot be read, or candidates scored different documents.
    """
    first = candidates[0]
    figure = first.results[0].primary_metric
    rules = replace(rules, lower_is_better=bool(first.results[0].lower_is_better))
    found = contenders({one.title: one.scores() for one in candidates}, figure)
    index = next(place for place, one in enumerate(candidates) if one.key == baseline)
    others = [one for place, one in enumerate(found) if place != index]
    compared = compare(found[index], others, rules) if others else None
    rows = {row.name: row for row in compared.rows} if compared else {}
    places = _places(candidates, found, rules) if others else {}
    entries = [
        _entry(candidate, one, rows, places, lower_is_better=rules.lower_is_better)
        for candidate, one in zip(candidates, found, strict=True)
    ]
    sign = 1 if rules.lower_is_better else -1
    return Leaderboard(
        figure=figure,
        split=first.split,
        lower_is_better=rules.lower_is_better,
        entries=sorted(entries, key=lambda entry: sign * entry.estimate),
        baseline=found[index].name,
        comparison=compared,
        conclusion=conclude(found, _cost(candidates, is_equal_time=is_equal_time), rules, figure) if others else None,
        num_documents=found[0].scored.num_documents,
    )


def _entry(
    candidate: CandidateResults,
    contender: Contender,
    rows: Mapping[str, Row],
    places: Mapping[str, Place],
    *,
    lower_is_better: bool,
) -> Entry:
    each = contender.scored.each_seed()
    return Entry(
        candidate=candidate,
        estimate=float(each.mean()),
        by_seed=tuple(each.tolist()),
        interval=single_interval.interval(contender.scored, lower_is_better=lower_is_better),
        row=rows.get(candidate.title),
        place=places.get(candidate.title),
    )


def _places(candidates: Sequence[CandidateResults], found: Sequence[Contender], rules: Rules) -> dict[str, Place]:
    """Return the standings by quality and every cost that is known for all."""
    every = [one.costs() for one in candidates]
    costs = {name: [costs[name] for costs in every] for name in every[0]}
    known = {name: values for name, values in costs.items() if all((value > 0).all() for value in values)}
    tolerance = Tolerance(figure=rules.margin)
    places = pareto(found, known, lower_is_better=rules.lower_is_better, tolerance=tolerance)
    return {place.name: place for place in places}


def _cost(candidates: Sequence[CandidateResults], *, is_equal_time: bool) -> Cost:
    if is_equal_time:
        return Cost([float(one.milliseconds_per_document().mean()) for one in candidates], "the time per document")
    return Cost([float(one.training_seconds().mean()) for one in candidates], "the training time")
