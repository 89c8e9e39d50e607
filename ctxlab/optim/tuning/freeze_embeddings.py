"""Training of everything but the embeddings."""

from typing import Any

from ctxlab.core.architecture import embedding_parameters
from ctxlab.core.optim import Tuning


class FreezeEmbeddings(Tuning):
    """Freezes the embeddings, which saves their gradient and keeps vectors of words unseen in training comparable."""

    shards = True

    def install(self, model: Any) -> None:
        """Freeze token, position and type embeddings and their norm."""
        model.requires_grad_(True)
        for parameter in embedding_parameters(model):
            parameter.requires_grad_(False)
