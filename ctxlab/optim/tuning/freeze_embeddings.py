"""Everything but the embeddings learns."""

from typing import Any

from ctxlab.core.architecture import embedding_parameters
from ctxlab.core.optim import Tuning


class FreezeEmbeddings(Tuning):
    """Saves the memory of the largest gradient; word vectors of words not seen in training stay comparable."""

    def install(self, model: Any) -> None:
        """Freeze token, position and type embeddings and their norm."""
        model.requires_grad_(True)
        for parameter in embedding_parameters(model):
            parameter.requires_grad_(False)
