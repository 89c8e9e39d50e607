"""Numbers that a record gives of its candidates (price, age, clicks), weighed by a logistic regression.

Shape legend: N candidates, F features.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.tasks.records.fields import kind
from ctxlab.tasks.records.mentions import listed

LEAST_SPREAD = 1e-12
"""Standard deviation below which a feature counts as constant."""


def features_of(record: Mapping[str, Any], field: str, num_candidates: int, origin: str) -> list[tuple[float, ...]]:
    """Return the numbers of each candidate; none where the record has no such field.

    Args:
        record: A raw record.
        field: Its name in the record.
        num_candidates: Candidates of the record.
        origin: Place of the record, for messages.

    Raises:
        UserError: A value is not a finite number, or there are not equally many for every candidate.
    """
    if record.get(field) is None:
        return []
    rows = listed(record[field], field, origin)
    if len(rows) != num_candidates:
        raise UserError(
            f"The field '{field}' of {origin} has {len(rows)} lists for {num_candidates} candidates: give one for each."
        )
    found = [_row(row, f"{field}[{index}]", origin) for index, row in enumerate(rows)]
    for index, row in enumerate(found):
        if not row or len(row) != len(found[0]):
            raise UserError(
                f"The field '{field}[{index}]' of {origin} has {len(row)} numbers and '{field}[0]' {len(found[0])}: "
                "give the same features, at least one, of every candidate."
            )
    return found


def _row(value: Any, place: str, origin: str) -> tuple[float, ...]:
    row = listed(value, place, origin)
    for index, one in enumerate(row):
        is_number = isinstance(one, int | float | np.number) and not isinstance(one, bool | np.bool_)
        if not is_number or not math.isfinite(one):
            raise UserError(f"The field '{place}[{index}]' of {origin} is {kind(one)} ({one!r}): give a finite number.")
    return tuple(map(float, row))


@dataclass(frozen=True, slots=True)
class Weights:
    """A logistic regression of being chosen."""

    means: tuple[float, ...]
    """(F,) of the training candidates."""
    spreads: tuple[float, ...]
    """(F,) their standard deviations; 1 where all are equal."""
    weights: tuple[float, ...]
    """(F,) of the standardised features."""

    def odds(self, row: Sequence[float]) -> float:
        """Return the log odds of being chosen that the features add, relative to average ones."""
        parts = zip(row, self.means, self.spreads, self.weights, strict=True)
        return sum(weight * (value - mean) / spread for value, mean, spread, weight in parts)

    def plain(self) -> dict[str, list[float]]:
        """Return lists that ``of`` reads."""
        return {name: list(values) for name, values in asdict(self).items()}

    @classmethod
    def of(cls, plain: Mapping[str, Sequence[float]]) -> "Weights":
        """Return what ``plain`` has written."""
        return cls(**{name: tuple(values) for name, values in plain.items()})


def weighed(rows: Sequence[Sequence[float]], chosen: Sequence[bool]) -> Weights:
    """Fit the regression by scikit-learn with its defaults (an L2 penalty of C = 1) on standardised features.

    Args:
        rows: (N, F) features.
        chosen: (N,) whether each candidate was chosen.
    """
    from sklearn.linear_model import LogisticRegression

    table = np.asarray(rows, np.float64)
    means, spreads = table.mean(axis=0), table.std(axis=0)
    spreads = np.where(spreads > LEAST_SPREAD, spreads, 1.0)
    model = LogisticRegression(max_iter=1000).fit((table - means) / spreads, np.asarray(chosen, bool))
    return Weights(*(tuple(values.tolist()) for values in (means, spreads, model.coef_[0])))
