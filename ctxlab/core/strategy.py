"""A strategy is five small parts; each is one file under ``ctxlab/strategies/<family>``.

Parts never ask what kind of model or which other part they are with: a stage reads the attributes that they
declare and refuses a combination that cannot work.

Shape legend: B windows, W tokens of a window, C outputs per token, Q queries, K keys.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ctxlab.core.types import Encoded, FloatArray, Merged, Window

ModelKind = str
"""``encoder``, ``decoder`` or ``encoder_decoder``."""

Forward = Callable[[Mapping[str, torch.Tensor]], torch.Tensor]
"""One call of the model: named inputs (B, W) to outputs (B, W, C)."""


class Reading(Protocol):
    """What does one forward pass see?"""

    supports: frozenset[ModelKind]

    def longest(self, length: int) -> int:
        """Tokens of the longest window at this context length."""
        ...

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Windows of at most ``length`` tokens, special tokens included, in document order."""
        ...

    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """Put outputs (W, C) of the windows back onto the ``num_tokens`` tokens of the document."""
        ...


class Positions(Protocol):
    """How do positions reach past the trained length?"""

    supports: frozenset[ModelKind]
    extends: bool
    """Whether ``extend`` reaches past the trained length."""
    kinds: frozenset[str]
    """Position kinds that it can extend: ``learned``, ``rotary``, ``relative``."""

    def configure(self, config: Any, length: int) -> None:
        """Change a model's config for windows of ``length`` tokens, before the model is built from it.

        For what takes effect only there (rotary positions); nothing where the length fits or another kind is meant.
        """
        ...

    def extend(self, model: Any, length: int) -> None:
        """Make ``model`` accept windows of ``length`` tokens, in place, its config included.

        What ``configure`` set must be proved here to be active; raises UserError where it is not.
        """
        ...


class Attention(Protocol):
    """Which pairs of tokens attend, and at what cost?"""

    supports: frozenset[ModelKind]

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declared pattern: may ``query`` attend to ``key`` (index tensors that broadcast)?

        Padding and causality come on top, from the model. The fast kernel must equal dense attention under it.
        """
        ...

    def pairs(self, length: int) -> int:
        """Query-key pairs that the kernel computes for one head and one window of ``length`` tokens."""
        ...

    def install(self, model: Any) -> None:
        """Make every self-attention of ``model`` use the pattern; raises UserError where it would not take effect."""
        ...


class Memory(Protocol):
    """What is carried from one window to the next?"""

    supports: frozenset[ModelKind]
    sequential: bool
    """Whether the windows of a document are steps in order rather than independent rows."""

    def start(self, batch_size: int) -> Any:
        """State before the first window of ``batch_size`` documents."""
        ...

    def step(self, forward: Forward, inputs: Mapping[str, torch.Tensor], state: Any) -> tuple[torch.Tensor, Any]:
        """Outputs (B, W, C) of one window per document, and the state for the next."""
        ...


class Curriculum(Protocol):
    """How does the length grow while training?"""

    def length(self, progress: float, longest: int) -> int:
        """Context length at ``progress`` (share of the budget spent, 0 to 1), at most ``longest``."""
        ...


@dataclass(frozen=True, slots=True)
class Strategy:
    """The five parts together, under the name of their preset."""

    name: str
    reading: Reading
    positions: Positions
    attention: Attention
    memory: Memory
    curriculum: Curriculum
