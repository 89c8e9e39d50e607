"""Positions stay as they were trained."""

from typing import Any

from ctxlab.core.strategy import ModelKind, Positions
from ctxlab.strategies.positions.tables.rotary import follows_length


class Keep(Positions):
    """Changes nothing: right within the trained length, and for relative buckets at any length.

    A model may have been published with rotary positions that change with the length of a window (longrope).
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    extends = False
    kinds: frozenset[str] = frozenset()
    by_batch = False

    def configure(self, config: Any, length: int) -> None:
        """Nothing to do."""
        del config, length

    def extend(self, model: Any, length: int) -> None:
        """Nothing to do, but to see whether windows of up to ``length`` tokens differ in their positions."""
        self.by_batch = follows_length(model.config.get_text_config(), length)

    def grow(self, model: Any, trained: int, length: int) -> None:
        """Nothing to do."""
        del model, trained, length

    def deviation(self, model: Any, length: int) -> None:
        """Nothing was changed."""
        del model, length
