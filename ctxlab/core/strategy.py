"""A strategy is five small parts; each is one file under ``ctxlab/strategies/<family>``.

A part does not inspect the kind of model or the other parts that it is combined with: the stage reads the attributes
that parts declare and refuses a combination that cannot work.

Shape legend: B windows of a batch, W tokens of a window, C outputs per token, N windows of a document.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ctxlab.core.contract import Component
from ctxlab.core.parts import Part
from ctxlab.core.types import BoolArray, DoubleArray, Encoded, FloatArray, Merged, Table, Window

ModelKind = str
"""``encoder``, ``decoder`` or ``encoder_decoder``."""

Pattern = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
"""Maps query indices, key indices that broadcast against them, and the window's length to bool: may they attend?"""

Forward = Callable[[Mapping[str, Any]], Any]
"""Runs the model on named inputs (B, W); returns the library's model output (``logits`` (B, W, C) and more)."""


class Reading(Component, ABC):
    """A reading decides which tokens of a document each forward pass sees."""

    supports: frozenset[ModelKind]
    contiguous: bool
    """Whether every window is a contiguous span, so that the token after a token is also next in the document."""
    covers: bool
    """Whether every token of every document is in some window."""
    links: bool
    """Whether windows continue one another: some have ``begins=False``."""
    joins: bool
    """Whether the reading itself passes information between linked windows, which must then share a forward pass.

    The model then receives ``groups`` (B,): windows with the same number are linked, in the order of their rows.
    """

    fuses: bool = False
    """Whether the decoder of an encoder-decoder reads linked windows together, and generates one text after them.

    ``Window.kept`` says what it reads. Such a reading ``joins``, and the model also receives ``kept`` (B, W).
    """

    wants_scorer: bool
    """Whether it needs a language model to score tokens with: the run's own model as published, by ``take_scorer``."""

    @abstractmethod
    def take_scorer(self, model: Any) -> None:
        """Score tokens with this ``model`` from now on; called once, where ``wants_scorer`` is set.

        Raises:
            UserError: The model is not a causal language model.
        """

    @abstractmethod
    def fit(self, trained_length: int | None, added: int, length: int, *, extended: bool) -> None:
        """Set what depends on the model; called once the model is known, perhaps again with a better estimate.

        Args:
            trained_length: Tokens that the model was trained for; None where any length works.
            added: Positions that a memory occupies in addition to the window's own.
            length: Context length of the run; a curriculum may train below it for a while.
            extended: Whether a positions part extends the model past its trained length.

        Raises:
            UserError: The reading cannot work with these lengths.
        """

    @abstractmethod
    def fit_merge(self, *, causal: bool, next_token: bool) -> None:
        """Choose how overlapping windows are merged; called once model and task are known.

        Args:
            causal: Whether a token sees only the tokens before it, so that the window with most of them is best.
            next_token: Whether the task scores the likelihood of each token given the tokens before it.

        Raises:
            UserError: The configured rule would score tokens with less context than another window has for them, and
                the task's metric depends on that context.
        """

    @abstractmethod
    def longest(self, length: int) -> int:
        """Return the number of tokens of the longest window at this context length."""

    @abstractmethod
    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Return windows in document order; linked ones have at most ``length`` tokens together, special ones too."""

    @abstractmethod
    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """Map the windows' outputs (W, C) back to the ``num_tokens`` tokens of the document."""

    @abstractmethod
    def install(self, model: Any) -> None:
        """Add what the reading needs to ``model``; trainable modules are added with ``core.added_modules.attach``."""

    @abstractmethod
    def learn(self, encoded: Sequence[Encoded], model: Any) -> None:
        """Collect statistics of the training documents before the first step; those of a checkpoint are kept."""

    @abstractmethod
    def reach(self, num_windows: int) -> BoolArray:
        """Declare (N, N) bool: may every token of a window (row) depend on every token of a linked window (column)?

        Only what the reading itself passes on, after ``install``; a memory and the attention within a window add more.
        The diagonal of a reading that ``joins`` is True only where a window's state is added to its own tokens.
        """

    @abstractmethod
    def notes(self, kept: Mapping[str, float]) -> list[str]:
        """Return sentences for the report, given the fraction of each split's tokens that the model saw."""


class Positions(Component, ABC):
    """A positions part decides how positions past the trained length are encoded."""

    supports: frozenset[ModelKind]
    extends: bool
    """Whether ``extend`` makes lengths past the trained one possible."""
    kinds: frozenset[str]
    """Position kinds that it can extend: ``learned``, ``rotary``, ``relative``."""
    by_batch: bool
    """Whether a window's positions depend on the longest window of its batch.

    Then only windows of equal length share a forward pass, and generation uses no KV cache.
    """

    @abstractmethod
    def configure(self, config: Any, length: int) -> None:
        """Change a model's config for windows of ``length`` tokens, before the model is built from it.

        Rotary positions are set here, as later changes have no effect. Nothing changes where the length fits already
        or where the model's positions are of another kind.
        """

    @abstractmethod
    def extend(self, model: Any, length: int) -> None:
        """Make ``model`` accept windows of ``length`` tokens, in place, its config included.

        Raises:
            UserError: What ``configure`` set in the config is not active in the model.
        """

    @abstractmethod
    def grow(self, model: Any, trained: int, length: int) -> None:
        """Adapt an extended model to windows of ``length`` tokens, of which positions up to ``trained`` were trained.

        Called when a curriculum grows, and around an evaluation on windows longer than the curriculum's current ones.
        """

    @abstractmethod
    def deviation(self, model: Any, length: int) -> float | None:
        """Return the largest difference between the positions that an extended model uses and the declared ones.

        Relative to the declared ones, for windows of up to ``length`` tokens; None where nothing was changed.
        A learned table is compared with its initial values, from which training moves it away.
        """


class Attention(Component, ABC):
    """An attention part decides which pairs of tokens attend to each other, and at what cost."""

    supports: frozenset[ModelKind]
    wants_marks: bool
    """Whether the model's inputs must include ``marks`` (B, W) of the tokens (such as ``core.types.SENTENCE``)."""
    caches: bool
    """Whether pairs of tokens attend to each other or not however the text goes on, so that a decoder may generate with
    a KV cache, one new token at a time."""
    shifts: bool
    """Whether padding before a text changes nothing, so that texts of unequal length may be continued together."""
    looks_ahead: bool
    """Whether the choice of attending pairs depends on the whole window, so that later tokens influence earlier ones
    even in a causal model."""

    least_part: int | None
    """Fewest tokens of a part of a window that is split among processes (context parallelism); None where the pattern
    cannot be split, because tokens attend further than to the next part."""

    trains_only: bool
    """Whether the pattern is for training only, while evaluation and prediction read with full attention."""

    reweights: bool
    """Whether attention weights are scaled beyond the softmax of scores (a learned span), so that dense attention under
    the declared mask differs."""

    unexportable: str | None
    """Why the part has no form that can be exported, as the end of a sentence; None where it has one."""

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether all allowed pairs attend; False where the hidden states decide and the pattern is an upper bound."""

    @abstractmethod
    def fit(self, window: int) -> None:
        """Set what depends on the tokens of the longest window; called before ``install``, perhaps repeatedly."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[None]:
        """Return a context for evaluation and prediction, in which a part that ``trains_only`` attends to all pairs."""

    @abstractmethod
    def exporting(self, longest: int) -> AbstractContextManager[None]:
        """Return a context in which models with this part can be exported: no step depends on the content of tensors.

        Called where ``unexportable`` is None. Only inference on the CPU, in fp32; outputs are those of ``reading``.

        Args:
            longest: Tokens of the longest window that the exported model receives.
        """

    @abstractmethod
    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare the pattern: may ``query`` attend to ``key`` (index tensors that broadcast)?

        The model applies padding and causality in addition. The kernel must equal dense attention under this mask.
        """

    @abstractmethod
    def pattern(self, inputs: Mapping[str, torch.Tensor], row: int) -> Pattern:
        """Return ``allowed`` for one window of a batch; it differs only where the pattern depends on the tokens."""

    def pattern_of_head(self, inputs: Mapping[str, torch.Tensor], row: int, head: int, num_heads: int) -> Pattern:
        """Return the pattern of query head ``head`` (from 0) of ``num_heads``; overridden where heads differ.

        Args:
            inputs: What the model receives, (B, W) each.
            row: Row of the window in the batch.
            head: Query head, counted from 0.
            num_heads: Query heads of the layer.
        """
        del head, num_heads
        return self.pattern(inputs, row)

    @property
    def idle(self) -> str:
        """Return a clause that says why the part changes nothing in the windows it was fitted to; empty where it does.

        It is asked for after ``install``. Such a part is refused in training, and noted elsewhere.
        """
        return ""

    def sharpening(self, num_keys: torch.Tensor) -> torch.Tensor:
        """Return the factor of all scores of queries that see ``num_keys`` keys, of the same shape; 1 by default."""
        return torch.ones_like(num_keys, dtype=torch.float32)

    @abstractmethod
    def pairs(self, length: int) -> int:
        """Return the query-key pairs that the kernel computes for one head and one window of ``length`` tokens."""

    @abstractmethod
    def install(self, model: Any) -> None:
        """Make every self-attention of ``model`` use the pattern.

        Raises:
            UserError: The pattern would not take effect in this model.
        """

    @abstractmethod
    def split(self, part: Part, padding: torch.Tensor) -> AbstractContextManager[None]:
        """Return a context in which the model receives a part of every window; called where ``least_part`` is set.

        Args:
            part: Exchanges tensors with the processes of the other parts.
            padding: (B, W) bool: True for tokens of the whole windows, False for padding.
        """

    @abstractmethod
    def penalty(self, model: Any) -> torch.Tensor | None:
        """Return what the installed part adds to the loss of one label; None where it has no parameters."""

    @abstractmethod
    def figures(self, model: Any) -> dict[str, float]:
        """Return what the part has learned so far, for the training log; empty where it has no parameters."""

    @abstractmethod
    def tables(self, model: Any) -> list[Table]:
        """Return what the installed part has learned, for the report; empty where it has no parameters."""


class Memory(Component, ABC):
    """A memory decides what is carried from one window to the next."""

    supports: frozenset[ModelKind]
    positions: frozenset[str]
    """Kinds of positions (``ModelFacts.positions``) that it works with."""
    sequential: bool
    """Whether linked windows are processed one after the other, not as independent rows of a batch."""
    num_added: int
    """Memory tokens that pass through the model with every window."""
    num_front: int
    """How many of them come before the window's own tokens; the others come after."""
    num_cached: int | None
    """Positions that cached keys of earlier windows occupy at most; None for as many as a window has."""
    gradient_windows: int
    """Windows after which the state is detached from the gradient, so that memory use stays bounded."""

    @abstractmethod
    def fit(self, window: int) -> None:
        """Set what depends on the tokens of the longest window; called before ``install``, perhaps repeatedly."""

    @abstractmethod
    def install(self, model: Any) -> None:
        """Add what the memory needs to ``model``.

        Raises:
            UserError: The memory does not work with this model.
        """

    @abstractmethod
    def start(self, batch_size: int) -> Any:
        """Return the state before the first window of ``batch_size`` documents."""

    @abstractmethod
    def step(self, forward: Forward, inputs: Mapping[str, Any], state: Any) -> tuple[torch.Tensor, Any]:
        """Run one window per document; return its outputs (B, W, C) without memory tokens, and the next state."""

    @abstractmethod
    def first(self, state: Any, num_rows: int) -> Any:
        """Return the state of the first ``num_rows`` documents, once the others have no windows left."""

    @abstractmethod
    def detach(self, state: Any) -> Any:
        """Return the same state, detached from the gradient."""

    @abstractmethod
    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """Declare (N, N) bool: may any token of a window (row) depend on another window (column) after these layers?

        Within a window (the diagonal) the attention part decides.
        """


class Curriculum(Component, ABC):
    """A curriculum decides how the context length grows during training, and which windows come first."""

    sorts: bool
    """Whether documents are sorted by length over a whole epoch, instead of within pools only."""
    selects: bool = False
    """Whether ``share`` is below 1 at some progress."""
    by_loss: bool = False
    """Whether difficulty depends on the model's losses, which are then computed whenever ``share`` changes."""

    @abstractmethod
    def length(self, progress: float, longest: int) -> int:
        """Return the context length at ``progress`` (fraction of the budget spent, 0 to 1), at most ``longest``."""

    def share(self, progress: float) -> float:
        """Return the fraction of the training items that are admitted at ``progress``, the easiest; it never falls."""
        del progress
        return 1.0

    def difficulty(self, items: Sequence[Sequence[Window]], losses: DoubleArray | None) -> DoubleArray:
        """Return (I,) the difficulty of each of I items, which is compared only; equal ones are admitted together.

        Args:
            items: Windows of each item.
            losses: (I,) mean loss of each item's document where ``by_loss`` and it is known.
        """
        del losses
        return np.zeros(len(items))


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
        """Return the positions that the longest window and its memory occupy at this context length."""
        memory, window = self.memory, self.reading.longest(length)
        return window + memory.num_added + (window if memory.num_cached is None else memory.num_cached)
