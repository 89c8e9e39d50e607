"""Every parameter learns."""

from typing import Any


class Full:
    """The default."""

    def install(self, model: Any) -> None:
        """Unfreeze all."""
        model.requires_grad_(True)
