"""Memory tokens that run through the model with every window, and go on from there into the next one.

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
from ctxlab.strategies.memory.caches.base import Base
from ctxlab.strategies.memory.caches.trial import PROBE_TOKENS, REFUSALS, probe_inputs, refusal


class Recurrent(Base):
    """The hidden states at the memory's places after one window are its embeddings in the next.

    Source: RMT (Bulatov et al. 2022, arXiv:2207.06881). As there, an encoder has the memory in front of the window; a
    decoder, whose first tokens see nothing of the window, reads it in front and writes it behind. Deviations: the
    gradient is cut off after every ``bptt_windows``-th window instead of reaching so many back from each; special
    tokens stand in every window, behind the memory; what is carried are the hidden states that the model hands to its
    head, its last norm included. Where attention is sparse with global tokens, the memory in front comes first among
    them. Memory of no tokens is no memory.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder"})

    def __init__(self, num_tokens: int = 10, bptt_windows: int = 4) -> None:
        """Take the tokens of the memory, and the windows that the gradient flows through."""
        if num_tokens < 0:
            raise UserError(f"strategy.memory.num_tokens={num_tokens} must be 0 or more memory tokens.")
        if bptt_windows < 1:
            raise UserError(
                f"strategy.memory.bptt_windows={bptt_windows} must be at least 1: the window that is being read."
            )
        self.num_tokens, self.gradient_windows = num_tokens, bptt_windows
        self.num_front = num_tokens
        self.num_added = 2 * num_tokens  # an encoder takes half of it, which shows at installation only

    def install(self, model: Any) -> None:
        """Attach the first memory to ``model``, as wide as its token embeddings and as large."""
        if self.num_tokens:
            self._attach(model)
        self.declare(model, name="recurrent", num_tokens=self.num_tokens, bptt_windows=self.gradient_windows)

    def _attach(self, model: Any) -> None:
        hold = Hold(model)
        width = hold.prove()
        first = attached(model, "memory")
        if not isinstance(first, FirstMemory) or first.start.shape != (self.num_tokens, width):
            first = FirstMemory(self.num_tokens, width, float(hold.embed.weight.detach().std()))
            attach(model, "memory", first)
        self._hold, self._first, self._writes = hold, first, is_causal(model)
        self.num_added = self.num_tokens * (2 if self._writes else 1)

    def start(self, batch_size: int) -> torch.Tensor | None:
        """(B, M, D) what every document begins with."""
        if not self.num_tokens:
            return None
        return self._first.start.expand(batch_size, -1, -1)

    def step(
        self, forward: Forward, inputs: Mapping[str, Any], state: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The window between the memory that it reads and the one that it writes."""
        if state is None:
            return forward(inputs).logits, None
        memory, mask = state.shape[1], inputs["attention_mask"]
        written = memory if self._writes else 0
        order = _order(mask, memory, written)
        back = order.argsort(dim=1)
        own = self._hold.embed(inputs["input_ids"])
        parts = [state.to(own.dtype), own, *([state.to(own.dtype)] if written else [])]
        given = {name: _around(value, memory, written, order) for name, value in inputs.items() if name != "input_ids"}
        given["attention_mask"] = _around(mask, memory, written, order, fill=1)
        given["inputs_embeds"] = _rows(torch.cat(parts, dim=1), order)
        with self._hold.hidden() as hidden:
            outputs = _rows(forward(given).logits, back)
        states = _rows(hidden[-1], back)
        carried = states[:, -written:] if written else states[:, :memory]
        return outputs[:, memory : memory + mask.shape[1]], carried.to(state.dtype)

    def first(self, state: torch.Tensor | None, num_rows: int) -> torch.Tensor | None:
        """The memory of the first documents."""
        return state if state is None else state[:num_rows]

    def detach(self, state: torch.Tensor | None) -> torch.Tensor | None:
        """The memory as figures only."""
        return state if state is None else state.detach()

    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """(N, N): all that came before."""
        if not self.num_tokens:
            return super().reach(num_windows, num_layers)
        return np.tri(num_windows, dtype=np.bool_)


class FirstMemory(torch.nn.Module):
    """What every document begins with: drawn like token embeddings, then trained."""

    def __init__(self, num_tokens: int, width: int, deviation: float) -> None:
        super().__init__()
        self.start = torch.nn.Parameter(torch.randn(num_tokens, width) * deviation)


class Hold:
    """Where a memory goes into a model, and where it comes out."""

    def __init__(self, model: Any) -> None:
        self.model = model
        try:
            self.embed = model.get_input_embeddings()
        except NotImplementedError as error:
            raise refusal(model, "recurrent", "it has no token embeddings") from error

    @contextmanager
    def hidden(self) -> Iterator[list[torch.Tensor]]:
        """Last hidden states (B, L, D) of the forward passes that run meanwhile, with their gradient."""
        caught: list[torch.Tensor] = []
        handle = self.model.base_model.register_forward_hook(lambda module, args, output: caught.append(output[0]))
        try:
            yield caught
        finally:
            handle.remove()

    def prove(self) -> int:
        """See that embeddings stand in for token ids and that hidden states come out; returns the width of both.

        Raises:
            UserError: They do not.
        """
        inputs = probe_inputs(self.model)
        try:
            with quiet(), evaluating(self.model):
                expected = self.model(**inputs).logits
                own = self.embed(inputs.pop("input_ids"))
                with self.hidden() as hidden:
                    logits = self.model(**inputs, inputs_embeds=own).logits
            states = hidden[-1]
            same = bool(torch.allclose(logits, expected, rtol=1e-3, atol=1e-4))
        except REFUSALS as error:
            raise refusal(self.model, "recurrent", error) from error
        if logits.ndim != 3:
            raise refusal(self.model, "recurrent", "its head reads the place where the memory stands")
        if not same or logits.shape[1] != PROBE_TOKENS:
            raise refusal(self.model, "recurrent", "embeddings do not stand in for token ids")
        if states.shape != own.shape:
            shapes = f"{tuple(states.shape[1:])} for embeddings of {tuple(own.shape[1:])}"
            raise refusal(self.model, "recurrent", f"its hidden states are {shapes}")
        return int(own.shape[-1])


def _order(mask: torch.Tensor, read: int, written: int) -> torch.Tensor:
    """(B, read + W + written) places in [read, window, written] from first to last: padding comes behind all else."""
    rank = 2 * (1 - mask)
    before, behind = rank.new_zeros(len(mask), read), rank.new_ones(len(mask), written)
    return torch.cat([before, rank, behind], dim=1).argsort(dim=1, stable=True)


def _around(values: torch.Tensor, read: int, written: int, order: torch.Tensor, fill: int = 0) -> torch.Tensor:
    """Values (B, W) of the window with ``fill`` at the places of the memory, in order."""
    before, behind = (values.new_full((len(values), num), fill) for num in (read, written))
    return torch.cat([before, values, behind], dim=1).gather(1, order)


def _rows(values: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """(B, L, ...) in another order of L."""
    return values.gather(1, order[..., None].expand(-1, -1, values.shape[-1]))
