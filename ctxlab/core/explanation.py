"""Protocols of explanations: on which parts of a document an answer depends.

Shape legend: L tokens of a document, U units of it (tokens, words or sentences), T tokens whose outputs make a score,
C outputs per token, S variants of a document, W tokens of a window.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ctxlab.core.contract import Component
from ctxlab.core.types import DoubleArray, Encoded, FloatArray, IntArray, Merged, Prediction

TOKEN, WORD, SENTENCE = "token", "word", "sentence"
"""Units that an attribution is given to."""

UNITS = (TOKEN, WORD, SENTENCE)

GRADIENT, OUTPUTS, ATTENTION = "gradient", "outputs", "attention"
"""What a mechanism needs of a model: gradients of its outputs, outputs alone, or its attention weights."""

ZERO, MASK = "zero", "mask"
"""What stands for a token that is absent: an embedding of zeros, or that of the mask token (else of padding)."""

BASELINES = (ZERO, MASK)


@dataclass(frozen=True, eq=False)
class Target:
    """One part of an answer that is explained, with its score."""

    name: str
    """What was answered, such as ``label spam``."""
    tokens: IntArray
    """(T,) document tokens from whose outputs the score is computed."""
    score: Callable[[torch.Tensor], torch.Tensor]
    """Maps the merged outputs (T, C) of these tokens to a scalar that is higher the surer the answer is."""
    marked: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """Document tokens that the answer is about (a name, a span); empty where it is about the whole document."""
    evidence: Sequence[IntArray] = ()
    """Tokens of each known piece of evidence; empty where none is known."""
    distance: int | None = None
    """Words between the answer and its evidence, where that is known."""


@dataclass(frozen=True, eq=False)
class Answered:
    """A document that has been read and answered, for ``Task.explained``."""

    encoded: Encoded
    merged: Merged
    prediction: Prediction
    outputs: Callable[[IntArray], FloatArray]
    """Returns the merged outputs (T, C) of some tokens, as ``Task.explained_outputs`` makes them."""
    spell: Callable[[int], str]
    """Returns a token of the vocabulary as text."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What there is to explain about one document."""

    text: str
    """Its text, over which explanations are drawn."""
    offsets: Sequence[Sequence[int]] | None
    """First and last character (not included) of each word, for documents of words; None: tokens have their own."""
    targets: Sequence[Target]
    nothing: str = ""
    """Why there is no target, in one sentence."""


@dataclass(frozen=True, eq=False)
class Path:
    """Scores and gradients of a document whose embeddings move from those of absent tokens to its own."""

    scores: DoubleArray
    """(S,)"""
    products: DoubleArray
    """(S, L) gradient times the whole move, summed over the width of the embeddings and over windows."""
    added: DoubleArray
    """(S,) gradient times embedding of the tokens that are not from the document (special ones, a question), which
    stay as they are; 0 for ``MASK``."""


@dataclass(frozen=True, eq=False)
class Attended:
    """The attention of one window."""

    token_index: IntArray
    """(W,) document token of each place, or ``ADDED``."""
    layers: Sequence[torch.Tensor]
    """(W, W) weights of each layer, mean over heads: row by row what a token attends to."""
    start: torch.Tensor
    """(W,) how much the state of each place counts for the score."""


class Subject(ABC):
    """One document in front of a model, as a mechanism sees it."""

    num_tokens: int
    """L"""
    units: dict[str, list[IntArray]]
    """Unit → tokens of each of them that were read; units of which nothing was read are left out."""

    @abstractmethod
    def scores(self, target: Target, hidden: Sequence[IntArray]) -> DoubleArray:
        """Return (S,) the score of each variant of the document, in which some tokens are replaced by the mask token.

        A variant whose outputs do not depend on what is hidden has exactly the score of the document as it is.
        """

    @abstractmethod
    def path(self, target: Target, shares: DoubleArray, baseline: str) -> Path:
        """Return scores and gradients at ``shares`` (S,) of the way from absent tokens (0) to the document (1).

        Args:
            target: What is explained.
            shares: Fractions of the way.
            baseline: What absent tokens of the document are: ``ZERO`` or ``MASK``.
        """

    @abstractmethod
    def attended(self, target: Target, longest: int) -> list[Attended]:
        """Return the attention of each window that the score depends on.

        Raises:
            UserError: Not all attention weights of this model and strategy are known, or a window has more than
                ``longest`` tokens.
        """


@dataclass(frozen=True, eq=False)
class Attribution:
    """What a mechanism attributes to the units of a document."""

    unit: str
    values: DoubleArray
    """(U,) in the order of ``Subject.units``; positive where the unit speaks for the answer."""
    score: float | None = None
    """Of the document as it is."""
    base: float | None = None
    """Of the document without any of the units, where the mechanism knows it."""
    added: float | None = None
    """What is attributed to tokens that are not from the document."""
    errors: DoubleArray | None = None
    """(U,) standard error of each value, where it is estimated from a sample."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the mechanism has to say of itself: steps, completeness error, number of passes."""


class Explanation(Component, ABC):
    """A way to attribute an answer to parts of a document; each is one file under ``ctxlab/explanation``."""

    needs: str
    """``GRADIENT``, ``OUTPUTS`` or ``ATTENTION``."""
    completes: bool
    """Whether the values of all units add up to the score less that of an empty document."""
    by_answer: bool
    """Whether the values depend on which answer is explained, rather than on its place alone."""

    def check(self, counts: Mapping[str, int]) -> None:
        """Check the number of units of a document, by unit, before it is read; any number by default.

        Raises:
            UserError: The document is too long for the mechanism; names one that can.
        """
        del counts

    @abstractmethod
    def attribute(self, subject: Subject, target: Target) -> Attribution:
        """Explain one target of one document.

        Raises:
            UserError: The document is too long for the mechanism; names one that can.
        """
