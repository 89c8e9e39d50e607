"""Positions as trained, without changes."""

from typing import Any

from ctxlab.core.strategy import ModelKind, Positions
from ctxlab.strategies.positions.tables.rotary import follows_length


class Keep(Positions):
    """Changes nothing: suitable within the trained length, and for relative buckets at any length.

    A model may have been published with rotary positions that depend on the window's length (dynamic, longrope).
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    extends = False
    kinds: frozenset[str] = frozenset()
    by_batch = False

    def configure(self, config: Any, length: int) -> None:
        """Do nothing."""
        del config, length

    def extend(self, model: Any, length: int) -> None:
        """Only set ``by_batch``: whether positions depend on the length of windows of up to ``length`` tokens."""
        self.by_batch = follows_length(model.config, length)

    def grow(self, model: Any, trained: int, length: int) -> None:
        """Do nothing."""
        del model, trained, length

    def deviation(self, model: Any, length: int) -> None:
        """Return None: nothing was changed."""
        del model, length
