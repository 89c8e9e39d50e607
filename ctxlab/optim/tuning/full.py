"""Training of every parameter."""

from typing import Any

from ctxlab.core.optim import Tuning


class Full(Tuning):
    """Trains every parameter (the default)."""

    shards = True

    def install(self, model: Any) -> None:
        """Unfreeze all parameters."""
        model.requires_grad_(True)
