"""What most readings have in common: independent windows that need nothing of the model."""

from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.strategy import ModelKind, Reading
from ctxlab.core.types import BoolArray, Encoded


class Base(Reading, ABC):
    """Defaults of ``core.strategy.Reading``; a reading adds ``windows`` and ``merge``."""

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    contiguous = True
    covers = True
    links = False
    joins = False
    wants_scorer = False

    _limit: int | None = None
    """Tokens of a window at most; None for no limit but the context."""

    def fit(self, trained_length: int | None, added: int, length: int, *, stretched: bool) -> None:
        """No window is longer than what the model was trained for, unless its positions are stretched."""
        del added, length
        self._limit = None if stretched else trained_length

    def longest(self, length: int) -> int:
        """The context, or what the model was trained for where that is less: a longer document fills it."""
        return length if self._limit is None else min(self._limit, length)

    def settle(self, *, causal: bool, next_token: bool) -> None:
        """No token is in two windows."""
        del causal, next_token

    def take_scorer(self, model: Any) -> None:
        """Nobody scores."""
        del model

    def install(self, model: Any) -> None:
        """Nothing to put into it."""
        del model

    def learn(self, encoded: Sequence[Encoded], model: Any) -> None:
        """Nothing is learned from the training documents."""
        del encoded, model

    def reach(self, num_windows: int) -> BoolArray:
        """(N, N): nothing leaves its window."""
        return np.eye(num_windows, dtype=np.bool_)

    def notes(self, kept: Mapping[str, float]) -> list[str]:
        """Nothing to say."""
        del kept
        return []
