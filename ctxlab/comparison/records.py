"""Reading candidates from the score files of their runs (``scores/<split>.jsonl``).

Shape legend: S seeds, N documents (records), U units (lines of a file), R weightings.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from ctxlab.comparison.compare import Contender
from ctxlab.comparison.scored import Scored
from ctxlab.core.errors import UserError
from ctxlab.core.types import BoolArray, ScoredRecord
from ctxlab.evaluation.scores import statistic
from ctxlab.evaluation.statistic import Statistic
from ctxlab.evaluation.statistics import Counts

Run = Sequence[ScoredRecord]
"""Scored units of one run."""


def contenders(runs: Mapping[str, Sequence[Run]], figure: str) -> list[Contender]:
    """Return every candidate with one figure, for ``compare``, ``pareto`` and ``conclude``.

    Args:
        runs: Name of a candidate → for each seed the result of ``evaluation.scores.read``. A seed may lack records that
            it does not report (``data.folds``), the same ones for all candidates.
        figure: A metric of ``result.json``.

    Raises:
        UserError: If candidates have different numbers of seeds or different units, or do not have the figure.
    """
    (first, reference), *others = runs.items()
    for name, seeds in others:
        if len(seeds) != len(reference):
            raise UserError(
                f"'{name}' has {len(seeds)} seeds and '{first}' {len(reference)}: compare the same number of each."
            )
        for index, (ours, theirs) in enumerate(zip(seeds, reference, strict=True)):
            _check_same({unit.id for unit in ours}, {unit.id for unit in theirs}, (name, first), index)
    records = sorted({unit.group for seeds in runs.values() for run in seeds for unit in run})
    return [Contender(name, RecordScores(seeds, figure, records)) for name, seeds in runs.items()]


def _check_same(ours: set[str], theirs: set[str], names: tuple[str, str], index: int) -> None:
    for unit in sorted(ours ^ theirs)[:1]:
        has, lacks = names if unit in ours else names[::-1]
        raise UserError(
            f"'{unit}' was scored by '{has}' but not by '{lacks}' (seed number {index + 1}): compare runs of the same "
            "documents."
        )


class RecordScores(Scored):
    """A figure of score files, whether or not it is a function of sums."""

    def __init__(self, seeds: Sequence[Run], figure: str, records: Sequence[str]) -> None:
        """Find the statistic from which the figure is computed.

        Args:
            seeds: S runs.
            figure: A metric of ``result.json``.
            records: N ids of records, in the order that all candidates share.

        Raises:
            UserError: If no statistic of the runs has the figure.
        """
        self.num_seeds, self.num_documents, self.figure = len(seeds), len(records), figure
        self.statistic, self.name = _find(seeds[0], figure)
        place = {record: index for index, record in enumerate(records)}
        self.values = [[unit.statistics[self.name] for unit in sorted(run, key=_id)] for run in seeds]
        self.places = [np.asarray([place[unit.group] for unit in sorted(run, key=_id)]) for run in seeds]
        self.reported: BoolArray = np.zeros((len(seeds), len(records)), bool)
        for seed, places in enumerate(self.places):
            self.reported[seed, places] = True

    def figures(self, weights: Counts) -> Counts:
        """See ``Scored``."""
        each = [
            self.statistic.figures(values, weights[:, places])[self.figure]
            for values, places in zip(self.values, self.places, strict=True)
        ]
        return np.stack(each, axis=-1)

    def mixed(self, other: Self, share: Counts) -> Counts:
        """See ``Scored``: the units of both together, each with its own weight."""
        each = [
            self.statistic.figures([*ours, *theirs], np.hstack([share[:, places], 1 - share[:, places]]))[self.figure]
            for ours, theirs, places in zip(self.values, other.values, self.places, strict=True)
        ]
        return np.stack(each, axis=-1)

    def differs(self, other: Self) -> BoolArray:
        """See ``Scored``."""
        found = np.zeros(self.num_documents, bool)
        for ours, theirs, places in zip(self.values, other.values, self.places, strict=True):
            found[places[[one != two for one, two in zip(ours, theirs, strict=True)]]] = True
        return found


def _id(unit: ScoredRecord) -> str:
    return unit.id


def _find(run: Run, figure: str) -> tuple[Statistic, str]:
    """The statistic whose figures have this one, and its name."""
    known: list[str] = []
    for name in run[0].statistics:
        found = statistic(name)
        figures = found.figures([unit.statistics[name] for unit in run])
        if figure in figures:
            return found, name
        known += figures
    raise UserError(f"There is no figure '{figure}' in these scores; they have {', '.join(sorted(known))}.")
