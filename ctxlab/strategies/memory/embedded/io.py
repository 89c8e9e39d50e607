"""Memory tokens that pass through a model as embeddings around a window, for memories that are made of them.

Shape legend: B windows of a pass, W tokens of the longest one, F memory tokens before it, A after it, D hidden width,
C outputs per token.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.architecture import INCOMPATIBLE, SAMPLE_TOKENS
from ctxlab.core.quiet import evaluating, quiet
from ctxlab.core.strategy import Forward
from ctxlab.strategies.memory.caches.compatibility import incompatible, samples_of_heads


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """What a window with memory tokens around it has come out as."""

    outputs: torch.Tensor
    """(B, W, C) of its own tokens."""
    front: torch.Tensor
    """(B, F, D) last hidden states of the memory tokens before it."""
    back: torch.Tensor
    """(B, A, D) those of the memory tokens after it."""


class EmbeddingIO:
    """Gives memory tokens to a model as input embeddings, and collects its last hidden states."""

    def __init__(self, model: Any, name: str) -> None:
        """Take the model, and the memory's name on the command line, for messages."""
        self.model, self.name = model, name
        try:
            self.embed = model.get_input_embeddings()
        except NotImplementedError as error:
            raise incompatible(model, name, "it has no token embeddings") from error

    @contextmanager
    def last_hidden(self) -> Iterator[list[torch.Tensor]]:
        """Collect the last hidden states (B, L, D), with gradient, of forward passes that run in this context."""
        caught: list[torch.Tensor] = []
        handle = self.model.base_model.register_forward_hook(lambda module, args, output: caught.append(output[0]))
        try:
            yield caught
        finally:
            handle.remove()

    def check(self) -> int:
        """Check that the model accepts embeddings in place of token ids and exposes its last hidden states.

        Returns:
            The width of both.

        Raises:
            UserError: It does not, with one of its heads.
        """
        *_, width = [self._check(inputs) for inputs in samples_of_heads(self.model)]
        return width

    def _check(self, inputs: dict[str, torch.Tensor]) -> int:
        """Check one head; returns the width."""
        try:
            with quiet(), evaluating(self.model):
                expected = self.model(**inputs).logits
                own = self.embed(inputs.pop("input_ids"))
                with self.last_hidden() as hidden:
                    logits = self.model(**inputs, inputs_embeds=own).logits
            states = hidden[-1]
            same = bool(torch.allclose(logits, expected, rtol=1e-3, atol=1e-4))
        except INCOMPATIBLE as error:
            raise incompatible(self.model, self.name, error) from error
        if logits.ndim != 3:
            raise incompatible(self.model, self.name, "its head reads the position at which the memory is")
        if not same or logits.shape[1] != SAMPLE_TOKENS:
            raise incompatible(self.model, self.name, "its outputs for embeddings differ from those for token ids")
        if states.shape != own.shape:
            shapes = f"{tuple(states.shape[1:])} for embeddings of {tuple(own.shape[1:])}"
            raise incompatible(self.model, self.name, f"its hidden states have shape {shapes}")
        return int(own.shape[-1])

    def run(self, forward: Forward, inputs: Mapping[str, Any], front: torch.Tensor, back: torch.Tensor) -> Passed:
        """Run a window between memory tokens; padding of the window comes last, after both.

        Args:
            forward: The model.
            inputs: Its inputs for the window, (B, W) each.
            front: (B, F, D) embeddings of the memory tokens before it.
            back: (B, A, D) embeddings of those after it.
        """
        mask, num_front, num_back = inputs["attention_mask"], front.shape[1], back.shape[1]
        order = _order(mask, num_front, num_back)  # (B, F + W + A)
        inverse = order.argsort(dim=1)
        own = self.embed(inputs["input_ids"])  # (B, W, D)
        embedded = [front.to(own.dtype), own, back.to(own.dtype)]
        padded = {
            name: _around(value, num_front, num_back, order) if value.ndim > 1 else value  # else one for each row
            for name, value in inputs.items()
            if name != "input_ids"
        }
        padded["attention_mask"] = _around(mask, num_front, num_back, order, fill=1)
        padded["inputs_embeds"] = _rows(torch.cat(embedded, dim=1), order)  # (B, F + W + A, D)
        with self.last_hidden() as hidden:
            outputs = _rows(forward(padded).logits, inverse)  # (B, F + W + A, C)
        states = _rows(hidden[-1], inverse)  # (B, F + W + A, D)
        end = num_front + mask.shape[1]
        return Passed(outputs[:, num_front:end], states[:, :num_front], states[:, end:])


def _order(mask: torch.Tensor, read: int, written: int) -> torch.Tensor:
    """Return (B, read + W + written): the order of [read, window, written] in which padding comes last."""
    rank = 2 * (1 - mask)  # 0 for tokens, 2 for padding
    before, after = rank.new_zeros(len(mask), read), rank.new_ones(len(mask), written)
    return torch.cat([before, rank, after], dim=1).argsort(dim=1, stable=True)


def _around(values: torch.Tensor, read: int, written: int, order: torch.Tensor, fill: int = 0) -> torch.Tensor:
    """Return values (B, W) of the window, extended by ``fill`` for the memory tokens and put in ``order``.

    Args:
        values: (B, W) one value per token of the window, or (B, W, F) several.
        read: Memory tokens before the window.
        written: Memory tokens after it.
        order: (B, read + W + written), see ``_order``.
        fill: Value of memory tokens.
    """
    before, after = (values.new_full((len(values), num, *values.shape[2:]), fill) for num in (read, written))
    whole = torch.cat([before, values, after], dim=1)
    return whole.gather(1, order) if whole.ndim == 2 else _rows(whole, order)


def _rows(values: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return values (B, L, D) with L in another ``order`` (B, L)."""
    return values.gather(1, order[..., None].expand(-1, -1, values.shape[-1]))
