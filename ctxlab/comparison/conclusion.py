"""The concluding sentence: which candidate is enough, or worth its cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ctxlab.comparison.compare import Contender, Row, Rules, compare
from ctxlab.comparison.verdict import Verdict

SAME_COST = 1.05
"""Ratio of costs up to which they count as the same."""


class Answer(StrEnum):
    """Conclusion about the cheapest candidate."""

    ENOUGH = "enough"
    WORTH = "worth"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The conclusion and its sentence."""

    answer: Answer
    reference: str
    """The cheapest candidate."""
    challenger: str
    """The candidate that it is compared with."""
    cost_ratio: float
    """Cost of the challenger over that of the reference."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Cost:
    """Costs of the candidates, in the unit named in the sentence."""

    values: Sequence[float]
    """Cost of each contender."""
    unit: str = "the time"
    """As in "at 3.1 times the time", with its article."""


def conclude(contenders: Sequence[Contender], cost: Cost, rules: Rules, figure: str = "") -> Conclusion:
    """Compare the cheapest contender with all others.

    It is *enough* if no other one can be better by more than the margin: every interval of a difference to it ends
    below the margin. As all must do so at once, this needs no adjustment. Another contender is *worth* its cost if its
    difference is significant after Holm's adjustment over all of them. Otherwise nothing is decided, and the sentence
    names the difference that would have been detected.

    Args:
        contenders: At least two, the baseline among them.
        cost: Costs in the same order.
        rules: Margin, direction and level.
        figure: Name of the figure in the sentence; empty if it is clear from the context.
    """
    order = sorted(range(len(contenders)), key=lambda index: cost.values[index])
    cheapest, *others = [contenders[index] for index in order]
    ratios = {contenders[index].name: cost.values[index] / cost.values[order[0]] for index in order}
    rows = compare(cheapest, others, rules).rows
    sign = -1 if rules.lower_is_better else 1
    better = [row for row in rows if row.verdict is Verdict.BETTER]
    best = max(better or rows, key=lambda row: sign * row.difference.estimate)
    answer, ratio = _answer(rows, bool(better), rules), ratios[best.name]
    sentence = _SENTENCES[answer](cheapest.name, best, _Words(figure, cost.unit, ratio, rules))
    if cheapest.scored.num_seeds == 1:
        sentence += " With one seed this is about two trained models, not two strategies."
    return Conclusion(answer, cheapest.name, challenger=best.name, cost_ratio=ratio, sentence=sentence)


def _answer(rows: Sequence[Row], is_any_better: bool, rules: Rules) -> Answer:
    if all(_at_most(row, rules) for row in rows):
        return Answer.ENOUGH
    return Answer.WORTH if is_any_better else Answer.UNDECIDED


def _at_most(row: Row, rules: Rules) -> bool:
    """Return whether the candidate of a row is better by at most the margin."""
    interval = row.difference.interval
    bound = interval.high if not rules.lower_is_better else interval.low
    return bound is not None and (-bound if rules.lower_is_better else bound) <= rules.margin


@dataclass(frozen=True, slots=True)
class _Words:
    """Phrases of the sentence."""

    figure: str
    unit: str
    ratio: float
    rules: Rules

    def change(self, row: Row) -> str:
        """Return "adds +0.004 [−0.010, 0.020]", or "changes … by" for a figure of which lower is better."""
        found, interval = row.difference.estimate, row.difference.interval
        between = "" if interval.low is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
        name = f" {self.figure}" if self.figure else ""
        text = f"changes{name} by {found:+.3f}" if self.rules.lower_is_better else f"adds {found:+.3f}{name}"
        return f"{text}{between}".replace("-", "−")

    def at(self) -> str:
        """Return "at 3.1 times the time"."""
        return f"in {self._same()}" if self.ratio <= SAME_COST else f"at {self.ratio:.1f} times {self.unit}"

    def worth(self, cheapest: str) -> str:
        """Return "worth 3.1 times the time of chunk at 512"."""
        if self.ratio <= SAME_COST:
            return f"better than {cheapest} in {self._same()}"
        return f"worth {self.ratio:.1f} times {self.unit} of {cheapest}"

    def _same(self) -> str:
        return f"the same {self.unit.removeprefix('the ')}"


def _enough(cheapest: str, best: Row, words: _Words) -> str:
    return f"{cheapest} is enough: {best.name} {words.change(best)} {words.at()}."


def _worth(cheapest: str, best: Row, words: _Words) -> str:
    return f"{best.name} is {words.worth(cheapest)}: it {words.change(best)}."


def _undecided(cheapest: str, best: Row, words: _Words) -> str:
    sentence = f"Whether {best.name} is {words.worth(cheapest)} is undecided: it {words.change(best)}."
    if best.detectable is not None:
        chance = f"{words.rules.power:.0%}".replace("%", " %")
        return f"{sentence} A difference of {best.detectable:.3f} would have been detected with probability {chance}."
    return f"{sentence} {best.unreachable or ''}".rstrip()


_SENTENCES = {Answer.ENOUGH: _enough, Answer.WORTH: _worth, Answer.UNDECIDED: _undecided}
