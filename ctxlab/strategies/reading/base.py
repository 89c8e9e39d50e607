"""What most readings have in common: independent windows that need nothing of the model."""

from typing import Any

from ctxlab.core.strategy import ModelKind


class Base:
    """Defaults of ``core.strategy.Reading``; a reading adds ``longest``, ``windows`` and ``merge``."""

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    contiguous = True
    covers = True
    links = False
    joins = False

    def fit(self, trained_length: int | None, added: int, length: int) -> None:
        """Nothing depends on the model."""
        del trained_length, added, length

    def install(self, model: Any) -> None:
        """Nothing to put into it."""
        del model
