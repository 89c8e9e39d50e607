"""A model with a strategy in it, and its states on documents, through the same passes as evaluation.

Shape legend: W tokens of a window, C outputs per token, D hidden size.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ctxlab.core.model import ModelFacts
from ctxlab.core.passes import Item
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import NO_LABEL, SENTENCE, Encoded, IntArray, Window
from ctxlab.runtime.forward import Passes, make_items
from ctxlab.verification.precision import KeepDouble

OUTPUTS = 256
"""Outputs of a token that are looked at: a vocabulary depends on its states in every one of its places."""

SENTENCE_TOKENS = 24
"""Tokens of a sentence in a document made up for a check."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What is verified."""

    model: Any
    strategy: Strategy
    facts: ModelFacts
    length: int
    tokens: IntArray
    """Token ids that documents may be made of, sorted: no special ones."""
    example: Encoded
    """A document as the task encodes it; says what stands around every window."""
    pad_id: int
    device: torch.device
    seed: int

    @property
    def is_causal(self) -> bool:
        """Whether the model itself lets tokens see only those before them."""
        return self.facts.kind == "decoder"

    def document(self, num_tokens: int, draw: int = 0) -> Encoded:
        """Random tokens, in sentences; every ``draw`` is another document."""
        random = np.random.default_rng((self.seed, num_tokens, draw))
        place = np.arange(num_tokens)
        return Encoded(
            random.choice(self.tokens, num_tokens),
            place,
            np.full(num_tokens, NO_LABEL),
            self.example.before,
            self.example.after,
            self.example.query,
            np.where(place % SENTENCE_TOKENS == 0, SENTENCE, 0),
        )

    def items(self, encoded: Encoded, windows: Sequence[Window] | None = None) -> list[Item]:
        """A document in the windows that the strategy reads, or in those given."""
        read = self.strategy.reading.windows(encoded, self.length) if windows is None else windows
        return make_items(0, encoded, read)

    def other(self, ids: IntArray) -> IntArray:
        """Another token for each of ``ids``."""
        place = np.searchsorted(self.tokens, ids)
        return self.tokens[(place + len(self.tokens) // 2 + 1) % len(self.tokens)]


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What the model made of one window."""

    layers: Sequence[torch.Tensor]
    """(W, D) behind each layer; none where they were not asked for."""
    outputs: torch.Tensor
    """(W, C)"""

    def levels(self) -> list[torch.Tensor]:
        """Layers from the first on, then the outputs."""
        return [*self.layers, self.outputs]


@torch.no_grad()
def states(
    subject: Subject, documents: Sequence[Sequence[Item]], *, layers: bool = False, pad_id: int | None = None
) -> list[list[States]]:
    """States of every window of every document; all documents share their passes.

    Args:
        subject: The model, in evaluation mode.
        documents: The items of each.
        layers: Whether states behind each layer are wanted.
        pad_id: Token that pads; None for the usual one.
    """
    items = [item for own in documents for item in own]
    hidden: list[Sequence[torch.Tensor]] = []

    def forward(inputs: Mapping[str, Any]) -> Any:
        outputs = subject.model(**inputs, output_hidden_states=layers)
        hidden.append(outputs.hidden_states[1:] if layers else ())
        return outputs

    passes = Passes(subject.strategy, forward, subject.pad_id if pad_id is None else pad_id, subject.device)
    found: list[list[States | None]] = [[None] * len(item.windows) for item in items]
    front = subject.strategy.memory.num_front
    # Where the parts declare bounds only, no small influence is asked for.
    with KeepDouble() if subject.strategy.attention.exact else nullcontext():
        for passed in passes.run(items):
            behind = hidden.pop()
            for row, (i, w) in enumerate(passed.rows):
                end = len(items[i].windows[w])
                own = [layer[row, front : front + end] for layer in behind]
                found[i][w] = States(own, passed.outputs[row, :end, :OUTPUTS])
    rest = iter(found)
    return [[state for _ in own for state in next(rest) if state is not None] for own in documents]


def difference(ones: Sequence[States], others: Sequence[States]) -> float:
    """Largest difference of the outputs, relative to their size (root mean square)."""
    pairs = [(a.outputs, b.outputs) for a, b in zip(ones, others, strict=True)]
    return max((worst(a - b) / size(a) for a, b in pairs), default=0.0)


def worst(changes: torch.Tensor) -> float:
    """The largest one; what is not a number is the worst of all."""
    return float(changes.abs().nan_to_num(nan=torch.inf).max())


def size(values: torch.Tensor) -> float:
    """Root mean square."""
    return float(values.double().square().mean().sqrt().clamp(min=1e-300))
