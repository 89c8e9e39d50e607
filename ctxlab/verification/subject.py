"""A model with an installed strategy, and its states for documents, computed by the same passes as in evaluation.

Shape legend: W tokens of a window, C outputs per token, D hidden size.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from ctxlab.core.architecture import first_position
from ctxlab.core.model import ModelFacts
from ctxlab.core.numbers import BOXES, LARGEST
from ctxlab.core.parts import Part
from ctxlab.core.passes import Item
from ctxlab.core.strategy import Forward, Strategy
from ctxlab.core.types import FIRST_KNOWN, NO_LABEL, SENTENCE, Encoded, FloatArray, IntArray, Window
from ctxlab.models.loading.token_numbers import taken_by
from ctxlab.runtime.context_parallel import split_call
from ctxlab.runtime.forward import Passes, make_items
from ctxlab.verification.precision import KeepDouble

OUTPUTS = 256
"""Outputs of a token that are compared, at most: each logit of a vocabulary depends on the whole state."""

SENTENCE_TOKENS = 24
"""Tokens of a sentence in a random document."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model and a strategy that are verified."""

    model: Any
    strategy: Strategy
    facts: ModelFacts
    length: int
    tokens: IntArray
    """Token ids for random documents, sorted, without special tokens."""
    example: Encoded
    """A document as the task encodes it; defines the tokens before and after the document in every window."""
    pad_id: int
    device: torch.device
    seed: int
    part: Part | None = None
    """This process's part of every window, where several hold a window together; None for whole windows."""

    @property
    def is_causal(self) -> bool:
        """Whether tokens of the model attend to earlier ones only."""
        return self.facts.kind == "decoder"

    def call(self, inputs: Mapping[str, Any], **options: Any) -> Any:
        """Return the model's output for whole windows, of which each process may compute a part."""
        if self.part is None:
            return self.model(**inputs, **options)
        first = first_position(self.model)
        call = split_call(lambda own: self.model(**own, **options), self.strategy.attention, self.part, first=first)
        output = call(inputs)
        layers = getattr(output, "hidden_states", None) or ()
        return SimpleNamespace(
            logits=self.whole(output.logits), hidden_states=tuple(self.whole(states) for states in layers)
        )

    def whole(self, tensor: torch.Tensor, dim: int = 1) -> torch.Tensor:
        """Return a tensor of whole windows, given that of this process's part along the tokens' dimension ``dim``."""
        return tensor if self.part is None else self.part.whole(tensor, dim)

    def own(self, tensor: torch.Tensor, dim: int = 1) -> torch.Tensor:
        """Return this process's part of a tensor of whole windows: the inverse of ``whole``."""
        if self.part is None:
            return tensor
        places = self.part.places(tensor.shape[dim])
        return tensor.narrow(dim, places.start, places.stop - places.start)

    def passes(self, forward: Forward, pad_id: int | None = None) -> Passes:
        """Return passes of whole windows by ``forward``, padded with ``pad_id`` instead of the usual token if given."""
        pad_id = self.pad_id if pad_id is None else pad_id
        return Passes(self.strategy, forward, pad_id, self.device, part=self.part)

    def document(self, num_tokens: int, draw: int = 0) -> Encoded:
        """Return a document of random tokens; each ``draw`` is another document.

        They have sentence marks, and the numbers that the model takes. Some tokens begin or continue an entry of the
        first type of a gazetteer, which other parts ignore.
        """
        random = np.random.default_rng((self.seed, num_tokens, draw))
        place = np.arange(num_tokens)
        return Encoded(
            random.choice(self.tokens, num_tokens),
            place,
            labels=np.full(num_tokens, NO_LABEL),
            before=self.example.before,
            after=self.example.after,
            query=self.example.query,
            marks=np.where(place % SENTENCE_TOKENS == 0, SENTENCE, 0) | ((place % 3) << FIRST_KNOWN),
            numbers=self.numbers(num_tokens, random),
        )

    def numbers(self, count: int, random: np.random.Generator) -> FloatArray:
        """Return (count, F) numbers that the model takes, all different from 0."""
        taken = taken_by(self.model)
        if taken.kind == BOXES:
            low, high = np.sort(random.uniform(1, LARGEST, (2, count, 2)), axis=0)
            pages = random.integers(0, taken.pages, (count, 1))
            return np.concatenate([low, high, pages], axis=1).astype(np.float32)
        return random.uniform(0.5, 1.5, (count, taken.count)).astype(np.float32)

    def items(self, encoded: Encoded, windows: Sequence[Window] | None = None) -> list[Item]:
        """Return a document in the windows of the strategy's reading, or in the given ones."""
        read = self.strategy.reading.windows(encoded, self.length) if windows is None else windows
        return make_items(0, encoded, read)

    def other(self, ids: IntArray) -> IntArray:
        """Return a different token for each of ``ids``."""
        place = np.searchsorted(self.tokens, ids)
        return self.tokens[(place + len(self.tokens) // 2 + 1) % len(self.tokens)]


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """Hidden states and outputs of one window."""

    layers: Sequence[torch.Tensor]
    """(W, D) hidden states after each layer; none unless requested."""
    outputs: torch.Tensor
    """(W, C)"""

    def levels(self) -> list[torch.Tensor]:
        """Return the hidden states after each layer, then the outputs."""
        return [*self.layers, self.outputs]


@torch.no_grad()
def states(
    subject: Subject, documents: Sequence[Sequence[Item]], *, layers: bool = False, pad_id: int | None = None
) -> list[list[States]]:
    """Return the states of every window of every document; documents are batched.

    Args:
        subject: What is verified, with the model in evaluation mode.
        documents: Items of each document.
        layers: Whether to return hidden states after each layer.
        pad_id: Token used as padding; None for the usual one.
    """
    items = [item for own in documents for item in own]
    hidden: list[Sequence[torch.Tensor]] = []

    def forward(inputs: Mapping[str, Any]) -> Any:
        outputs = subject.call(inputs, output_hidden_states=layers)
        hidden.append(outputs.hidden_states[1:] if layers else ())
        return outputs

    passes = subject.passes(forward, pad_id)
    found: list[list[States | None]] = [[None] * len(item.windows) for item in items]
    front = subject.strategy.memory.num_front
    # Where parts declare upper bounds only, small influences need not be measured.
    with KeepDouble() if subject.strategy.attention.exact else nullcontext():
        for passed in passes.run(items):
            by_layer = hidden.pop()
            for row, (i, w) in enumerate(passed.rows):
                end = len(items[i].windows[w])
                own = [layer[row, front : front + end] for layer in by_layer]
                found[i][w] = States(own, passed.outputs[row, :end, :OUTPUTS])
    rest = iter(found)
    return [[state for _ in own for state in next(rest) if state is not None] for own in documents]


def difference(ones: Sequence[States], others: Sequence[States]) -> float:
    """Return the largest difference of the outputs, relative to their root mean square."""
    pairs = [(a.outputs, b.outputs) for a, b in zip(ones, others, strict=True)]
    return max((largest(a - b) / rms(a) for a, b in pairs), default=0.0)


def largest(changes: torch.Tensor) -> float:
    """Return the largest absolute value; NaN counts as infinite."""
    return float(changes.abs().nan_to_num(nan=torch.inf).max())


def rms(values: torch.Tensor) -> float:
    """Return the root mean square."""
    return float(values.double().square().mean().sqrt().clamp(min=1e-300))
