"""Positions stay as they were trained."""

from typing import Any

from ctxlab.core.strategy import ModelKind, Positions


class Keep(Positions):
    """Changes nothing: right within the trained length, and for relative buckets at any length."""

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    extends = False
    kinds: frozenset[str] = frozenset()
    by_batch = False

    def configure(self, config: Any, length: int) -> None:
        """Nothing to do."""
        del config, length

    def extend(self, model: Any, length: int) -> None:
        """Nothing to do."""
        del model, length

    def grow(self, model: Any, trained: int, length: int) -> None:
        """Nothing to do."""
        del model, trained, length

    def deviation(self, model: Any, length: int) -> None:
        """Nothing was changed."""
        del model, length
