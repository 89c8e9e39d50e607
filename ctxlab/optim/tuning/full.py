"""Every parameter learns."""

from typing import Any

from ctxlab.core.optim import Tuning


class Full(Tuning):
    """The default."""

    def install(self, model: Any) -> None:
        """Unfreeze all."""
        model.requires_grad_(True)
