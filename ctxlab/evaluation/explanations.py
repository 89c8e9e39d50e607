"""How good explanations are: whether known evidence is on top, what deleting the top does, what random weights change.

Shape legend: U units of a document, F fractions of the units that are hidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from ctxlab.core.types import BoolArray, DoubleArray, IntArray, Table
from ctxlab.evaluation.bins import DISTANCES, by_size
from ctxlab.evaluation.breakdown import Estimate, mean
from ctxlab.evaluation.statistics import interval_note

FRACTIONS = tuple(tenth / 10 for tenth in range(11))
"""Fractions of the units that are hidden, one after the other."""

LEAST_GAIN = 0.1
"""Least gain of a deletion curve that counts, in nats: so much log odds change no probability by more than 0.025."""

MOST_CASES = 0.5
"""Hit rate above which a model is said to read its evidence.

Chance is too low a bar: the sentences that decide have words that no other has, so that they move the outputs of an
untrained model too (0.30 of 40 cases where chance was 0.125).
"""

LEAST_UNITS = 3
"""Fewest units whose order says anything."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """The sentences of a document with what was attributed to them, for one target."""

    record: str
    """Id of the document; intervals resample documents."""
    distance: int | None
    """Words to the evidence."""
    values: DoubleArray
    """(U,)"""
    own: BoolArray
    """(U,) sentences that hold what the answer is about, which are not ranked."""
    evidence: BoolArray
    """(U,) sentences with known evidence."""

    @property
    def ranks(self) -> bool:
        """Whether there is evidence, and more than one sentence that it could be in."""
        return bool((self.evidence & ~self.own).any()) and int((~self.own).sum()) > 1

    @property
    def hit(self) -> bool:
        """Whether the sentence with the highest value is evidence; of equal ones, the first."""
        values = np.where(self.own, -np.inf, self.values)
        return bool(self.evidence[int(values.argmax())])

    @property
    def chance(self) -> float:
        """Return the probability that a random sentence is evidence."""
        return float((self.evidence & ~self.own).sum() / (~self.own).sum())


@dataclass(frozen=True, slots=True)
class Hits:
    """How often the evidence is on top."""

    count: int
    rate: Estimate
    chance: float

    @property
    def reads(self) -> bool | None:
        """Whether it is on top in most cases, and more often than by chance; None where there is no interval."""
        return None if self.rate.low is None else self.rate.low > max(self.chance, MOST_CASES)

    @property
    def says(self) -> str:
        """What the rate says of the model, in words."""
        if self.rate.low is None or self.rate.high is None:
            return "there are too few documents for an interval"
        if self.reads:
            return "the explanations find it, so that the model reads it"
        if self.rate.low > self.chance:
            return "more often than by chance, but not clearly in most cases, as in models that hardly read it"
        return "at chance or below: by these explanations the model does not read it"


def hits(cases: Sequence[Ranked]) -> Hits | None:
    """Return how often the evidence is on top; None where no case has any."""
    known = [case for case in cases if case.ranks]
    if not known:
        return None
    rate = mean([float(case.hit) for case in known], [case.record for case in known])
    return Hits(len(known), rate, float(np.mean([case.chance for case in known])))


def hit_table(cases: Sequence[Ranked]) -> Table | None:
    """Return the hit rate by distance of the evidence, and over all cases; None where no case has evidence."""
    known = [case for case in cases if case.ranks]
    rows = []
    for name, chosen in by_size([case.distance for case in known], DISTANCES):
        found = hits([known[i] for i in chosen])
        assert found is not None
        rows.append((name, found.count, *found.rate.cells, found.chance))
    total = hits(known)
    if total is None:
        return None
    rows.append(("all", total.count, *total.rate.cells, total.chance))
    note = (
        "on top: fraction of the cases in which the sentence with the highest value, other than that of the answer "
        f"itself, holds the known evidence; chance: a random sentence; {interval_note(figure='on top')}"
    )
    columns = ("words to the evidence", "cases", "on top", "low", "high", "chance")
    return Table("evidence", "Known evidence on top", columns, rows, note=note)


def hidden_units(order: IntArray, fraction: float) -> IntArray:
    """Return the units that are hidden at a fraction of the way through an order (U,)."""
    return order[: round(fraction * len(order))]


@dataclass(frozen=True, eq=False)
class Deletion:
    """Scores of one target while units are hidden, those with the highest values first, and in random order."""

    record: str
    ranked: DoubleArray
    """(F,)"""
    random: DoubleArray
    """(F,) mean over random orders."""

    @property
    def gain(self) -> float:
        """Return by how much the score is lower than in random order, on average over the way."""
        return float((self.random - self.ranked)[1:-1].mean())


def deletion_table(curves: Sequence[Deletion], unit: str) -> tuple[Table, Estimate] | None:
    """Return the mean curves, and the mean gain over random order; None without a curve."""
    if not curves:
        return None
    ranked, random = (np.mean([getattr(one, name) for one in curves], axis=0) for name in ("ranked", "random"))
    rows = [
        (f"{fraction:.0%}", float(a), float(b), float(b - a))
        for fraction, a, b in zip(FRACTIONS, ranked, random, strict=True)
    ]
    gain = mean([one.gain for one in curves], [one.record for one in curves])
    columns = (f"{unit}s hidden", "by the explanation", "in random order", "difference")
    note = f"score of the answer (log odds, nats), mean over {len(curves):,} cases; the answer's own words stay"
    return Table("deletion", "Score while the document is hidden", columns, rows, note=note), gain


def matters(gain: Estimate) -> bool | None:
    """Return whether the units with the highest values matter more than others; None where there is no interval.

    Two things must hold: the 95 % interval over documents is above 0, and the mean is at least ``LEAST_GAIN``. With
    enough cases any difference from 0 is significant, however small; the second is the smallest effect of interest of
    Lakens 2017 (Social Psychological and Personality Science 8, 355–362).
    """
    return None if gain.low is None else gain.low > 0 and gain.value >= LEAST_GAIN


def rank_correlation(one: DoubleArray, other: DoubleArray) -> float | None:
    """Return Spearman's correlation of absolute values (U,); None where there are few units or all are equal."""
    a, b = np.abs(one), np.abs(other)
    if len(a) < LEAST_UNITS or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmanr(a, b).statistic)
