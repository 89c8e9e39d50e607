"""The trainable part of a gazetteer in a model.

Shape legend: B windows of a pass, W tokens of the longest one, D hidden width, T types.
"""

from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.types import FIRST_KNOWN


class KnownTypes(torch.nn.Module):
    """Adds to the embedding of each token a vector for each type by which it is marked, 0 at the beginning.

    Its methods are hooks of the model; a copy of the model has its own, as they are bound to this module.
    """

    def __init__(self, num_types: int, width: int) -> None:
        """Make a vector for the first words of each type and one for the words that continue it."""
        super().__init__()
        self.vectors = torch.nn.Parameter(torch.zeros(2 * num_types, width))  # (2T, D)
        self.keeps_marks = False
        self._marks: torch.Tensor | None = None

    def watch(self, model: Any, *, keeps_marks: bool) -> None:
        """Add the hooks to ``model``; ``keeps_marks`` leaves the marks among its inputs."""
        self.keeps_marks = keeps_marks
        # Before the hooks of other parts, one of which may remove the marks.
        model.register_forward_pre_hook(self.take, with_kwargs=True, prepend=True)
        model.get_input_embeddings().register_forward_hook(self.add)
        model.register_forward_hook(self.check)

    def take(
        self, _model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Keep the marks (B, W) of a forward pass."""
        self._marks = kwargs.get("marks")
        if self.keeps_marks:
            return args, kwargs
        return args, {name: value for name, value in kwargs.items() if name != "marks"}

    def add(self, _module: Any, _given: Any, embedded: torch.Tensor) -> torch.Tensor | None:
        """Return the embeddings (B, W, D) with the vectors of the marked types."""
        if self._marks is None:
            return None
        marks, self._marks = self._marks, None
        bits = torch.arange(len(self.vectors), device=marks.device) + FIRST_KNOWN
        present = (marks[..., None] >> bits) & 1  # (B, W, 2T)
        return embedded + (present.to(self.vectors.dtype) @ self.vectors).to(embedded.dtype)

    def check(self, model: Any, _given: Any, _output: Any) -> None:
        """Refuse a model that did not use its embeddings in a forward pass with marks.

        Raises:
            UserError: Names the type of the model.
        """
        if self._marks is not None:
            raise UserError(
                f"knowledge=gazetteer has no effect in model type `{model.config.model_type}`, which reads other "
                "embeddings than it names: use model=minilm, or knowledge=none."
            )
