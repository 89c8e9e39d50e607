"""Plots of a group of runs."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ctxlab.comparison import context_use
from ctxlab.core.result import Result
from ctxlab.reporting.charts import lines, pareto, quality
from ctxlab.reporting.charts.lines import MOST_LINES, Binned, Curve
from ctxlab.reporting.charts.series import Reference, Series, Value
from ctxlab.reporting.charts.svg import looks
from ctxlab.reporting.groups import Candidate, Group
from ctxlab.reporting.references import CHANCE, references

MEBIBYTE = 2**20

COSTS = {
    "training seconds": "training, s",
    "inference ms per document": "inference, ms per document",
    "peak memory": "peak memory, MiB",
    "FLOPs": "training, FLOPs",
}
"""Name of a cost in a comparison → label of its axis."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot with its caption."""

    caption: str
    drawn: Markup


def series(group: Group) -> list[Series]:
    """Return the candidates as plots show them, in the order of the group."""
    keys = [(one.settings.get("strategy", ""), one.settings.get("context.length", "")) for one in group.candidates]
    return [
        Series(
            title=one.title,
            look=look,
            value=Value(float("nan") if one.estimate is None else one.estimate, one.interval.low, one.interval.high),
            costs=costs(one),
            more=_more(one),
        )
        for one, look in zip(group.candidates, looks(keys), strict=True)
    ]


def costs(candidate: Candidate) -> dict[str, float]:
    """Return the mean of each known cost over seeds, by the label of its axis."""
    found = {COSTS[name]: values for name, values in candidate.results.costs().items()}
    means = {name: float(values.mean()) for name, values in found.items() if (values > 0).all()}
    memory = COSTS["peak memory"]
    return means | ({memory: means[memory] / MEBIBYTE} if memory in means else {})


def _more(candidate: Candidate) -> str:
    entry = candidate.entry
    return str(entry.row.verdict) if entry and entry.row else "baseline" if entry else ""


def figures(group: Group, shown: Sequence[Series]) -> list[Figure]:
    """Return the plots for which there are values."""
    found = [*_of_scores(group, shown), *_of_training(group, shown), *_of_bins(group, shown)]
    return [figure for figure in found if figure.drawn]


def _of_scores(group: Group, shown: Sequence[Series]) -> Iterator[Figure]:
    levels = _references(group)
    baseline = group.board.baseline if group.board else ""
    if len(shown) + len(levels) > 1:  # one point alone says less than its row in the table
        yield Figure(_quality_caption(group, levels), quality.draw(shown, levels, group.figure, baseline))
    for cost in COSTS.values():
        drawn = pareto.draw(shown, cost, group.figure, lower_is_better=group.lower_is_better)
        yield Figure(f"Quality against cost: {cost}. The stepped line joins the best at each cost.", drawn)


def _quality_caption(group: Group, levels: Sequence[Reference]) -> str:
    sentences = [f"{group.figure} with its 95 % interval."]
    if levels:
        sentences.append(f"Dashed: {' and '.join(level.name for level in levels)}.")
    if len(group.candidates) > quality.MOST_ROWS:
        sentences.append(f"The best {quality.MOST_ROWS} are drawn.")
    return " ".join(sentences)


def _references(group: Group) -> list[Reference]:
    """Return the levels of the best candidate that has any: they hardly differ between candidates."""
    results = (result for one in group.candidates for result in one.results.results)
    return next((found for result in results if (found := references(result, group.split))), [])


def _of_training(group: Group, shown: Sequence[Series]) -> Iterator[Figure]:
    few = _few(group)
    pairs = [(one, run) for one, candidate in zip(shown, group.candidates, strict=True) if one.title in few
             for run in candidate.runs]  # fmt: skip
    losses = [Curve(one.title, one.look, run.curve("train", "tokens", "loss")) for one, run in pairs]
    yield Figure(f"Training loss of each run{_of_best(group)}.", lines.curves(losses, "tokens", "training loss"))
    scores = [Curve(one.title, one.look, run.curve("validation", "step", group.figure)) for one, run in pairs]
    drawn = lines.curves(scores, "step", group.figure)
    yield Figure(f"{group.figure} on the selection documents while training{_of_best(group)}.", drawn)


def _few(group: Group) -> set[str]:
    """Return the titles of the candidates that line plots show: the best, and the baseline."""
    return {one.title for one in group.candidates[:MOST_LINES]} | ({group.board.baseline} if group.board else set())


def _of_best(group: Group) -> str:
    return f", of the best {MOST_LINES} of {len(group.candidates)}" if len(group.candidates) > MOST_LINES else ""


def breakdowns(group: Group) -> dict[str, str]:
    """Return the breakdowns that candidates have → their titles."""
    results = [result for one in group.candidates for result in one.results.results]
    tables = {name for one in results for name in one.breakdowns.get(group.split, {})}
    return {name: context_use.WHERE[name] for name in context_use.BREAKDOWNS if name in tables}


def _of_bins(group: Group, shown: Sequence[Series]) -> Iterator[Figure]:
    few = _few(group)
    for table, where in breakdowns(group).items():
        several = []
        for one, candidate in zip(shown, group.candidates, strict=True):
            own = context_use.bins(candidate.results, table)
            found = {bin.name: Value(bin.figure, bin.low, bin.high) for bin in own}
            if found and one.title in few:
                several.append(Binned(one.title, one.look, found))
        names = bin_names([one.values for one in several])
        if len(names) > 1:  # a single bin is the score itself
            across, figure = _columns(group, table)
            drawn = lines.bins(several, names, across, figure, level=_chance(group, table))
            yield Figure(f"{where}{_of_best(group)}: {figure}, means over seeds.", drawn)


def bin_names(several: Sequence[Iterable[str]]) -> list[str]:
    """Return the names of the bins of all candidates, by the first number in each: some have no cases in some."""
    names = list(dict.fromkeys(name for one in several for name in one))
    first = {name: re.search(r"[\d,]+", name) for name in names}
    if not all(first.values()):
        return names
    return sorted(names, key=lambda name: int(found[0].replace(",", "") or 0) if (found := first[name]) else 0)


def _columns(group: Group, table: str) -> tuple[str, str]:
    """Return the names of the columns of bins and of the figure."""
    results = (result for one in group.candidates for result in one.results.results)
    row = next(rows[0] for one in results if (rows := one.breakdowns.get(group.split, {}).get(table)))
    names = list(row)
    return names[0], names[names.index("low") - 1] if "low" in names else names[-1]


def _chance(group: Group, table: str) -> Reference | None:
    results: Iterator[Result] = (result for one in group.candidates for result in one.results.results)
    found = next((value for one in results if (value := one.chances.get(group.split, {}).get(table)) is not None), None)
    return None if found is None else Reference(f"{CHANCE} {found:.2f}", found)
