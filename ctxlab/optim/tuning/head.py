"""Only the new head learns."""

from typing import Any

from ctxlab.core.architecture import head_parameters
from ctxlab.core.optim import Tuning


class Head(Tuning):
    """A linear probe: the pretrained body stays as it was, stretched positions included."""

    def install(self, model: Any) -> None:
        """Freeze the body."""
        model.requires_grad_(False)
        for parameter in head_parameters(model):
            parameter.requires_grad_(True)
