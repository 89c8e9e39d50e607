"""Training of the new head only."""

from typing import Any

from ctxlab.core.architecture import head_parameters
from ctxlab.core.errors import UserError
from ctxlab.core.optim import Tuning


class Head(Tuning):
    """A linear probe: the pretrained body is frozen, including extended positions.

    Modules of the strategy and the task are trained too. A head that is tied to the token embeddings is part of the
    body and stays frozen.
    """

    shards = True

    def install(self, model: Any) -> None:
        """Freeze the body.

        Raises:
            UserError: Nothing is outside the body.
        """
        outside = head_parameters(model)
        if not outside:
            raise UserError(
                f"tuning=head has nothing to train in this {type(model).__name__}, whose output layer is the table of "
                "its token embeddings (tied): use tuning=top_k or tuning=full."
            )
        model.requires_grad_(False)
        for parameter in outside:
            parameter.requires_grad_(True)
