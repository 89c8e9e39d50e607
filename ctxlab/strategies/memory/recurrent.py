"""Memory tokens that pass through the model with every window; their outputs are their inputs in the next one.

Shape legend: B windows of a pass, W tokens of the longest one, M memory tokens, D hidden width, C outputs per token.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ctxlab.core.added_modules import attach, attached
from ctxlab.core.architecture import is_causal
from ctxlab.core.errors import UserError
from ctxlab.core.quiet import evaluating, quiet
from ctxlab.core.strategy import Forward, ModelKind
from ctxlab.core.types import BoolArray
from ctxlab.strategies.memory.caches.base import BaseMemory
from ctxlab.strategies.memory.caches.compatibility import INCOMPATIBLE, SAMPLE_TOKENS, incompatible, sample_inputs


class Recurrent(BaseMemory):
    """Carries the last hidden states of memory tokens to the next window, as the memory's input embeddings there.

    Source: RMT (Bulatov et al. 2022, arXiv:2207.06881). As there, an encoder has the memory before the window; a
    decoder, whose first tokens do not see the window, has a read memory before and a write memory after it.
    Deviations: the gradient is cut after every ``bptt_windows``-th window, instead of flowing that many windows back
    from each; special tokens are in every window, after the memory; the carried hidden states are the input of the
    model's head, after its last norm. Where attention is sparse with global tokens, the read memory comes first and is
    among them. With 0 tokens it equals no memory.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder"})

    def __init__(self, num_tokens: int = 10, bptt_windows: int = 4) -> None:
        """Take the number of memory tokens, and the number of windows that the gradient flows through."""
        if num_tokens < 0:
            raise UserError(f"strategy.memory.num_tokens={num_tokens} must be 0 or more memory tokens.")
        if bptt_windows < 1:
            raise UserError(f"strategy.memory.bptt_windows={bptt_windows} must be at least 1 window.")
        self.num_tokens, self.gradient_windows = num_tokens, bptt_windows
        self.num_front = num_tokens
        self.num_added = 2 * num_tokens  # halved by ``install`` if the model is an encoder

    def install(self, model: Any) -> None:
        """Attach the initial memory to ``model``, with the width and the standard deviation of its token embeddings."""
        if self.num_tokens:
            self._attach(model)
        self.declare(model, name="recurrent", num_tokens=self.num_tokens, bptt_windows=self.gradient_windows)

    def _attach(self, model: Any) -> None:
        io = EmbeddingIO(model)
        width = io.check()
        first = attached(model, "memory")
        if not isinstance(first, FirstMemory) or first.start.shape != (self.num_tokens, width):
            first = FirstMemory(self.num_tokens, width, float(io.embed.weight.detach().std()))
            attach(model, "memory", first)
        self._io, self._first, self._writes = io, first, is_causal(model)
        self.num_added = self.num_tokens * (2 if self._writes else 1)

    def start(self, batch_size: int) -> torch.Tensor | None:
        """Return (B, M, D): the initial memory of every document."""
        if not self.num_tokens:
            return None
        return self._first.start.expand(batch_size, -1, -1)

    def step(
        self, forward: Forward, inputs: Mapping[str, Any], state: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Run the window between its read memory and, in a decoder, its write memory."""
        if state is None:
            return forward(inputs).logits, None
        memory, mask = state.shape[1], inputs["attention_mask"]  # M, (B, W)
        written = memory if self._writes else 0
        order = _order(mask, memory, written)  # (B, M + W + written)
        back = order.argsort(dim=1)  # the inverse permutation
        own = self._io.embed(inputs["input_ids"])  # (B, W, D)
        embedded = [state.to(own.dtype), own, *([state.to(own.dtype)] if written else [])]
        padded = {name: _around(value, memory, written, order) for name, value in inputs.items() if name != "input_ids"}
        padded["attention_mask"] = _around(mask, memory, written, order, fill=1)
        padded["inputs_embeds"] = _rows(torch.cat(embedded, dim=1), order)  # (B, M + W + written, D)
        with self._io.last_hidden() as hidden:
            outputs = _rows(forward(padded).logits, back)  # (B, M + W + written, C)
        states = _rows(hidden[-1], back)  # (B, M + W + written, D)
        carried = states[:, -written:] if written else states[:, :memory]  # (B, M, D)
        return outputs[:, memory : memory + mask.shape[1]], carried.to(state.dtype)

    def first(self, state: torch.Tensor | None, num_rows: int) -> torch.Tensor | None:
        """Return the memory of the first documents."""
        return state if state is None else state[:num_rows]

    def detach(self, state: torch.Tensor | None) -> torch.Tensor | None:
        """Return the memory, detached from the gradient."""
        return state if state is None else state.detach()

    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """Declare (N, N): each window depends on all earlier ones."""
        if not self.num_tokens:
            return super().reach(num_windows, num_layers)
        return np.tri(num_windows, dtype=np.bool_)


class FirstMemory(torch.nn.Module):
    """The trainable initial memory of every document, drawn with the standard deviation of token embeddings."""

    def __init__(self, num_tokens: int, width: int, deviation: float) -> None:
        super().__init__()
        self.start = torch.nn.Parameter(torch.randn(num_tokens, width) * deviation)


class EmbeddingIO:
    """Gives memory tokens to a model as input embeddings, and collects its last hidden states."""

    def __init__(self, model: Any) -> None:
        self.model = model
        try:
            self.embed = model.get_input_embeddings()
        except NotImplementedError as error:
            raise incompatible(model, "recurrent", "it has no token embeddings") from error

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
            UserError: It does not.
        """
        inputs = sample_inputs(self.model)
        try:
            with quiet(), evaluating(self.model):
                expected = self.model(**inputs).logits
                own = self.embed(inputs.pop("input_ids"))
                with self.last_hidden() as hidden:
                    logits = self.model(**inputs, inputs_embeds=own).logits
            states = hidden[-1]
            same = bool(torch.allclose(logits, expected, rtol=1e-3, atol=1e-4))
        except INCOMPATIBLE as error:
            raise incompatible(self.model, "recurrent", error) from error
        if logits.ndim != 3:
            raise incompatible(self.model, "recurrent", "its head reads the position at which the memory is")
        if not same or logits.shape[1] != SAMPLE_TOKENS:
            raise incompatible(self.model, "recurrent", "its outputs for embeddings differ from those for token ids")
        if states.shape != own.shape:
            shapes = f"{tuple(states.shape[1:])} for embeddings of {tuple(own.shape[1:])}"
            raise incompatible(self.model, "recurrent", f"its hidden states have shape {shapes}")
        return int(own.shape[-1])


def _order(mask: torch.Tensor, read: int, written: int) -> torch.Tensor:
    """Return (B, read + W + written): the order of [read, window, written] in which padding comes last."""
    rank = 2 * (1 - mask)  # 0 for tokens, 2 for padding
    before, after = rank.new_zeros(len(mask), read), rank.new_ones(len(mask), written)
    return torch.cat([before, rank, after], dim=1).argsort(dim=1, stable=True)


def _around(values: torch.Tensor, read: int, written: int, order: torch.Tensor, fill: int = 0) -> torch.Tensor:
    """Return values (B, W) of the window, extended by ``fill`` for the memory tokens and put in ``order``.

    Args:
        values: (B, W) one value per token of the window.
        read: Memory tokens before the window.
        written: Memory tokens after it.
        order: (B, read + W + written), see ``_order``.
        fill: Value of memory tokens.
    """
    before, after = (values.new_full((len(values), num), fill) for num in (read, written))
    return torch.cat([before, values, after], dim=1).gather(1, order)


def _rows(values: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return values (B, L, D) with L in another ``order`` (B, L)."""
    return values.gather(1, order[..., None].expand(-1, -1, values.shape[-1]))
