"""A strategy is five small parts; each is one file under ``ctxlab/strategies/<family>``.

Parts never ask what kind of model or which other part they are with: a stage reads the attributes that they
declare and refuses a combination that cannot work.

Shape legend: B windows of a batch, W tokens of a window, C outputs per token, N windows of a document.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.contract import Component
from ctxlab.core.types import BoolArray, Encoded, FloatArray, Merged, Table, Window

ModelKind = str
"""``encoder``, ``decoder`` or ``encoder_decoder``."""

Pattern = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
"""Query indices, key indices that broadcast against them, tokens of the window: may they attend? (bool)"""

Forward = Callable[[Mapping[str, Any]], Any]
"""One call of the model: named inputs (B, W) to what the library's models return (``logits`` (B, W, C) and more)."""


class Reading(Component, ABC):
    """What does one forward pass see?"""

    supports: frozenset[ModelKind]
    contiguous: bool
    """Whether every window is an unbroken stretch of the document, so that the next token is the next token."""
    covers: bool
    """Whether every token of every document is in some window."""
    links: bool
    """Whether windows go on from one another: some have ``begins=False``."""
    joins: bool
    """Whether the reading itself carries something between linked windows, which must then share a forward pass.

    The model is then given ``groups``: (B,) windows of one number are linked, in order of their rows.
    """

    wants_scorer: bool
    """Whether it is to be given a language model to choose by, the run's own as it was published."""

    @abstractmethod
    def take_scorer(self, model: Any) -> None:
        """Choose by a causal language ``model``; raises UserError where it is none."""

    @abstractmethod
    def fit(self, trained_length: int | None, added: int, length: int, *, stretched: bool) -> None:
        """Settle what depends on the model; called when it is known, perhaps again with a better figure.

        Args:
            trained_length: Tokens that the model was trained for; None where any length works.
            added: Positions that a memory takes beside the window's own.
            length: Context of the run; a curriculum may stay below it for a while.
            stretched: Whether a positions part reaches past the trained length.

        Raises:
            UserError: The reading cannot work so.
        """

    @abstractmethod
    def settle(self, *, causal: bool, next_token: bool) -> None:
        """Settle how windows that overlap are merged; called when model and task are known.

        Args:
            causal: A token sees only those before it, so that the window with most of them knows most.
            next_token: The task asks how likely each token is given those before it.

        Raises:
            UserError: The rule that was asked for gives tokens less context than was read for them, and the task's
                figures hang on it.
        """

    @abstractmethod
    def longest(self, length: int) -> int:
        """Tokens of the longest window at this context length."""

    @abstractmethod
    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Windows in document order; information flows across ``length`` tokens at most, special tokens included."""

    @abstractmethod
    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """Put outputs (W, C) of the windows back onto the ``num_tokens`` tokens of the document."""

    @abstractmethod
    def install(self, model: Any) -> None:
        """Put what the reading needs into ``model``, trainable modules by ``core.added_modules.attach``."""

    @abstractmethod
    def learn(self, encoded: Sequence[Encoded], model: Any) -> None:
        """Learn from the training documents, before the first step; what ``model`` brought from a checkpoint stays."""

    @abstractmethod
    def reach(self, num_windows: int) -> BoolArray:
        """(N, N) declared: may all of a window (row) depend on all of another of its row of linked ones (column)?

        By the reading itself, after ``install``; what a memory carries, and the attention within a window, come on top.
        So a reading that joins has the diagonal True only where a window's own states come back to all of its tokens.
        """

    @abstractmethod
    def notes(self, kept: Mapping[str, float]) -> list[str]:
        """What a report must say, given the share of each split's tokens that the model saw."""


class Positions(Component, ABC):
    """How do positions reach past the trained length?"""

    supports: frozenset[ModelKind]
    extends: bool
    """Whether ``extend`` reaches past the trained length."""
    kinds: frozenset[str]
    """Position kinds that it can extend: ``learned``, ``rotary``, ``relative``."""
    by_batch: bool
    """Whether a window's positions depend on the longest window of its batch.

    Then only windows of one length share a forward pass, and no key is kept while a text grows.
    """

    @abstractmethod
    def configure(self, config: Any, length: int) -> None:
        """Change a model's config for windows of ``length`` tokens, before the model is built from it.

        For what takes effect only there (rotary positions); nothing where the length fits or another kind is meant.
        """

    @abstractmethod
    def extend(self, model: Any, length: int) -> None:
        """Make ``model`` accept windows of ``length`` tokens, in place, its config included.

        What ``configure`` set must be proved here to be active; raises UserError where it is not.
        """

    @abstractmethod
    def grow(self, model: Any, trained: int, length: int) -> None:
        """Fit an extended model to windows of ``length`` tokens, where positions up to ``trained`` have learned.

        Called when a curriculum grows, and around an evaluation that reads further than the curriculum has come.
        """

    @abstractmethod
    def deviation(self, model: Any, length: int) -> float | None:
        """Largest difference between the positions that an extended model uses and those that the part declares.

        Relative to the declared ones, for windows of up to ``length`` tokens; None where nothing was changed.
        A table is compared with what it started as: training moves it away from there.
        """


class Attention(Component, ABC):
    """Which pairs of tokens attend, and at what cost?"""

    supports: frozenset[ModelKind]
    wants_marks: bool
    """Whether the model is to be given ``marks`` (B, W) of the tokens (``core.types.SENTENCE`` and the like)."""
    caches: bool
    """Whether a decoder under it may write with the keys of what it has read kept, one new token at a time."""
    looks_ahead: bool
    """Whether the whole window decides which allowed pairs attend, so that even a causal model hears of later ones."""

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether all allowed pairs attend; False where the pattern is an upper bound, as the states decide."""

    @abstractmethod
    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declared pattern: may ``query`` attend to ``key`` (index tensors that broadcast)?

        Padding and causality come on top, from the model. The fast kernel must equal dense attention under it.
        """

    @abstractmethod
    def pattern(self, inputs: Mapping[str, torch.Tensor], row: int) -> Pattern:
        """``allowed`` for one window of a batch: the same, but where the pattern depends on the tokens themselves."""

    def pattern_of_head(self, inputs: Mapping[str, torch.Tensor], row: int, head: int, num_heads: int) -> Pattern:
        """``pattern`` of one of ``num_heads`` query heads, counted from 0; a part whose heads differ overrides it."""
        del head, num_heads
        return self.pattern(inputs, row)

    @abstractmethod
    def pairs(self, length: int) -> int:
        """Query-key pairs that the kernel computes for one head and one window of ``length`` tokens."""

    @abstractmethod
    def install(self, model: Any) -> None:
        """Make every self-attention of ``model`` use the pattern; raises UserError where it would not take effect."""

    @abstractmethod
    def penalty(self, model: Any) -> torch.Tensor | None:
        """What the installed part adds to the loss of one label; None where it learns nothing."""

    @abstractmethod
    def figures(self, model: Any) -> dict[str, float]:
        """What it has learned so far, for every logged point; empty where it learns nothing."""

    @abstractmethod
    def tables(self, model: Any) -> list[Table]:
        """What the installed part has learned, for the report; empty where it learns nothing."""


class Memory(Component, ABC):
    """What is carried from one window to the next?"""

    supports: frozenset[ModelKind]
    positions: frozenset[str]
    """Kinds of positions (``ModelFacts.positions``) that it works with."""
    sequential: bool
    """Whether linked windows are steps in order rather than independent rows."""
    num_added: int
    """Tokens that run through the model with every window."""
    num_front: int
    """How many of them stand in front of the window's own; the others stand behind."""
    num_cached: int | None
    """Positions that keys of earlier windows take at most; None for as many as a window has."""
    gradient_windows: int
    """Windows after which what is carried is cut off from the gradient, so that memory stays bounded."""

    @abstractmethod
    def fit(self, window: int) -> None:
        """Settle what depends on the tokens of the longest window; called before ``install``, perhaps again."""

    @abstractmethod
    def install(self, model: Any) -> None:
        """Put what the memory needs into ``model``; raises UserError where the model gives no hold for it."""

    @abstractmethod
    def start(self, batch_size: int) -> Any:
        """State before the first window of ``batch_size`` documents."""

    @abstractmethod
    def step(self, forward: Forward, inputs: Mapping[str, Any], state: Any) -> tuple[torch.Tensor, Any]:
        """Outputs (B, W, C) of one window per document, and the state for the next; memory tokens are left out."""

    @abstractmethod
    def first(self, state: Any, num_rows: int) -> Any:
        """The state of the first ``num_rows`` documents, when the others have come to their end."""

    @abstractmethod
    def detach(self, state: Any) -> Any:
        """The same state, cut off from the gradient."""

    @abstractmethod
    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """(N, N) declared: may something in a window (row) depend on another (column) after so many layers?

        Within a window (the diagonal) the attention part says more.
        """


class Curriculum(Component, ABC):
    """How does the length grow while training?"""

    sorts: bool
    """Whether documents are sorted by length over a whole epoch, and not only within pools."""

    @abstractmethod
    def length(self, progress: float, longest: int) -> int:
        """Context length at ``progress`` (share of the budget spent, 0 to 1), at most ``longest``."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """The five parts together, under the name of their preset."""

    name: str
    reading: Reading
    positions: Positions
    attention: Attention
    memory: Memory
    curriculum: Curriculum

    def num_positions(self, length: int) -> int:
        """Positions that the longest window takes at this context length, with what the memory puts beside it."""
        memory, window = self.memory, self.reading.longest(length)
        return window + memory.num_added + (window if memory.num_cached is None else memory.num_cached)
