"""The base class of readings: independent windows, and no changes to the model."""

from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.strategy import ModelKind, Reading
from ctxlab.core.types import BoolArray, Encoded


class BaseReading(Reading, ABC):
    """Defaults of ``core.strategy.Reading``; subclass it for a new reading, which adds ``windows`` and ``merge``."""

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    contiguous = True
    covers = True
    links = False
    joins = False
    wants_scorer = False

    _limit: int | None = None
    """Most tokens of a window; None where only the context limits it."""

    def fit(self, trained_length: int | None, added: int, length: int, *, extended: bool) -> None:
        """Limit windows to the trained length, unless positions are extended past it."""
        del added, length
        self._limit = None if extended else trained_length

    def longest(self, length: int) -> int:
        """Return the context length, or the trained length where that is less."""
        return length if self._limit is None else min(self._limit, length)

    def fit_merge(self, *, causal: bool, next_token: bool) -> None:
        """Do nothing: windows do not overlap."""
        del causal, next_token

    def take_scorer(self, model: Any) -> None:
        """Do nothing: no tokens are scored."""
        del model

    def install(self, model: Any) -> None:
        """Do nothing: the model needs no changes."""
        del model

    def learn(self, encoded: Sequence[Encoded], model: Any) -> None:
        """Do nothing: no statistics of the training documents are needed."""
        del encoded, model

    def reach(self, num_windows: int) -> BoolArray:
        """Declare (N, N): each window depends on itself only."""
        return np.eye(num_windows, dtype=np.bool_)

    def notes(self, kept: Mapping[str, float]) -> list[str]:
        """Return no sentences."""
        del kept
        return []
