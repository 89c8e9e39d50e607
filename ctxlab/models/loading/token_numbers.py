"""Numbers of tokens as an input of a model: what they add to the embeddings, 0 at the beginning.

Shape legend: B windows of a pass, W tokens of the longest one, F numbers of a token, D width of the embeddings.
"""

from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.added_modules import attach, attached
from ctxlab.core.architecture import NOTE, installed, note_installed, token_tables
from ctxlab.core.errors import UserError
from ctxlab.core.numbers import BOX, BOXES, LARGEST, NUMBERS, Numbers


class TokenNumbers(torch.nn.Module):
    """Adds to the embedding of each token what its numbers stand for: 0 at first, and always for zeros.

    Floats are projected (without a constant). The sides of a box are divided into buckets, which have an embedding each
    for left, top, right and bottom, and pages have one, as in LayoutLM (Xu et al. 2020, arXiv:1912.13318). Deviations:
    buckets instead of 1,001 rows a table, tables of their own for right and bottom, none for width and height, and all
    begin at 0, so that a pretrained model begins with the outputs that it has for text alone.

    Its methods are hooks of the model; a copy of the model has its own, as they are bound to this module.
    """

    def __init__(self, numbers: Numbers, width: int) -> None:
        """Take what the numbers are, and the width of the token embeddings."""
        super().__init__()
        self.numbers = numbers
        if numbers.kind == BOXES:
            self.sides = torch.nn.Parameter(torch.zeros(len(BOX) - 1, numbers.buckets, width))
            self.pages = torch.nn.Parameter(torch.zeros(numbers.pages, width))
        else:
            self.weight = torch.nn.Parameter(torch.zeros(numbers.size, width))
        self._given: torch.Tensor | None = None

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Return (B, W, D): what the numbers (B, W, F) add."""
        added: torch.Tensor
        if self.numbers.kind != BOXES:
            added = given.to(self.weight.dtype) @ self.weight
            return added
        buckets = self.numbers.buckets
        places = (given[..., :-1] * (buckets / (LARGEST + 1))).long().clamp(0, buckets - 1)  # (B, W, 4)
        added = F.embedding(given[..., -1].long().clamp(0, len(self.pages) - 1), self.pages)
        for side, table in enumerate(self.sides):
            added = added + F.embedding(places[..., side], table)
        return added * (given != 0).any(-1, keepdim=True)

    def watch(self, model: Any) -> None:
        """Add the hooks to ``model``."""
        # Before the hooks of other parts, which do not know the input.
        model.register_forward_pre_hook(self.take, with_kwargs=True, prepend=True)
        for table in token_tables(model):  # the first that is called reads the windows, in an encoder-decoder too
            table.register_forward_hook(self.add)
        model.register_forward_hook(self.check)

    def take(
        self, _model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Keep the numbers (B, W, F) of a forward pass, or add them where it begins with embeddings (a memory)."""
        self._given = kwargs.get(NUMBERS)
        others = {name: value for name, value in kwargs.items() if name != NUMBERS}
        embedded = others.get("inputs_embeds")
        if self._given is not None and embedded is not None:
            others["inputs_embeds"] = embedded + self(self._given).to(embedded.dtype)
            self._given = None
        return args, others

    def add(self, _module: Any, _ids: Any, embedded: torch.Tensor) -> torch.Tensor | None:
        """Return the embeddings (B, W, D) with what the numbers add."""
        if self._given is None:
            return None
        given, self._given = self._given, None
        added: torch.Tensor = self(given)
        return embedded + added.to(embedded.dtype)

    def check(self, model: Any, _given: Any, _output: Any) -> None:
        """Refuse a model that did not use its embeddings in a forward pass with numbers.

        Raises:
            UserError: Names the type of the model.
        """
        if self._given is not None:
            self._given = None
            raise UserError(
                f"model.numbers.kind={self.numbers.kind} has no effect in model type `{model.config.model_type}`, "
                "which reads other embeddings than it names: use model=minilm, or model.numbers.kind=none."
            )


def install_numbers(model: Any, numbers: Numbers) -> None:
    """Let ``model`` take ``numbers``, and record it in its config; without any, remove what an earlier run recorded."""
    if not numbers.is_on:
        if installed(model.config, NUMBERS):
            getattr(model.config, NOTE).pop(NUMBERS)
        return
    module = TokenNumbers(numbers, model.get_input_embeddings().weight.shape[1])
    attach(model, NUMBERS, module)
    module.watch(model)
    note_installed(
        model.config,
        NUMBERS,
        {"kind": numbers.kind, "size": numbers.size, "buckets": numbers.buckets, "pages": numbers.pages},
    )


def taken_by(model: Any) -> Numbers:
    """Return the numbers that ``model`` takes."""
    module = attached(model, NUMBERS)
    return module.numbers if isinstance(module, TokenNumbers) else Numbers()
