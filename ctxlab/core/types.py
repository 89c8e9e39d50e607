"""Data types passed from sources to reports: documents, windows, predictions, tables.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch, C outputs per token, F numbers of a
token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NO_LABEL = -100
"""Label of a token that is excluded from the loss (the default ignore index of cross entropy)."""

ADDED = -1
"""Index for a window token that does not come from the document (special tokens, a question)."""

LAST = -2
"""Anchor of a target token that belongs after the last window, whatever that window contains."""

SENTENCE, PARAGRAPH, HEADING, GIVEN = 1, 2, 4, 8
"""Bit flags of a token: a sentence, a paragraph or a heading begins with it, or the data lists it as important."""

FIRST_KNOWN = 4
"""First bit of the marks of a gazetteer: two for each type, one of words that begin an entry and one of the others."""

MOST_KNOWN = 29
"""Most types of a gazetteer, whose bits fit a mark."""

TEXT = 1 << 62
"""Bit flag of a token, after those of a gazetteer: one of several texts in a document begins with it."""


@dataclass(frozen=True, slots=True)
class Document:
    """One whole unit of the user's data; only a strategy splits it into windows."""

    id: str
    fields: Mapping[str, Any]
    """The record, checked by the task."""
    origin: str
    """Where the record comes from, for messages: ``train.jsonl line 3``."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A whole document as token ids, without special tokens and without a length limit."""

    input_ids: IntArray
    """(L,)"""
    word_ids: IntArray
    """(L,) index of the word that a token belongs to."""
    labels: IntArray
    """(L,) gold label of a token, ``NO_LABEL`` where it has none."""
    before: tuple[int, ...] = ()
    """Token ids inserted before every window ([CLS], a question)."""
    after: tuple[int, ...] = ()
    """Token ids appended to every window ([SEP])."""
    query: tuple[int, ...] = ()
    """Token ids of the question about the document (also in ``before`` or ``after``); empty without one."""
    marks: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(L,) sums of ``SENTENCE``, ``PARAGRAPH``, ``HEADING``, ``GIVEN`` and ``TEXT``; empty where nothing is known."""
    starts: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(L,) first character of each token in the document's text; empty where the document is words."""
    ends: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(L,) index after the last character of each token, non-decreasing; empty like ``starts``."""
    target: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(T,) target token ids, end of text included; empty where there is no target or it is not known."""
    anchors: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(T,) document token that each target token renders (a translation); ``ADDED`` where every window is to generate
    it, ``LAST`` where only the last window is."""
    evidence: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(E,) document tokens that a window must all contain to be trained on ``target``; empty: every window is."""
    absent: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(A,) target token ids of a window that does not contain all of ``evidence``."""
    terms: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(L,) term of each token in lexical ranking: its id, or a negative hash of its characters where these are an
    unknown token or several byte tokens; empty where all terms are ids."""
    query_terms: tuple[int, ...] = ()
    """The same for ``query``; empty where all terms are ids."""
    num_characters: int = 0
    """Number of the document's characters that are covered by tokens (``ctxlab.text.known``)."""
    num_unknown: int = 0
    """How many of them are covered by unknown tokens."""
    num_split: int = 0
    """How many of them are encoded as several tokens each."""
    room: int = 0
    """Tokens that every window leaves free for generation (decoders, whose context contains both)."""
    numbers: FloatArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """(L, F) numbers of each token, such as the box of its word on the page; empty where tokens have none."""
    member: int = 0
    """Number of the member that the document is for, where a task has several; else 0."""

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The tokens of one document that one forward pass sees."""

    input_ids: IntArray
    """(W,)"""
    token_index: IntArray
    """(W,) index of the document token of each window token, ``ADDED`` for tokens that are not from the document."""
    begins: bool = True
    """Whether the window starts a new sequence; False where it continues the previous window (memory, hierarchy)."""
    kept: BoolArray | None = None
    """(W,) which of its encoder states the decoder reads, together with those of the windows that it continues or that
    continue it; None where a window is read alone."""

    def __len__(self) -> int:
        return len(self.input_ids)

    def labels(self, encoded: Encoded) -> IntArray:
        """Return (W,) labels of the window's tokens, ``NO_LABEL`` for added tokens."""
        return np.where(self.token_index == ADDED, NO_LABEL, encoded.labels[self.token_index])

    def marks(self, encoded: Encoded) -> IntArray:
        """Return (W,) marks of the window's tokens, 0 for added tokens and where nothing is known."""
        if not len(encoded.marks):
            return np.zeros(len(self), np.int64)
        return np.where(self.token_index == ADDED, 0, encoded.marks[self.token_index])

    def numbers(self, encoded: Encoded) -> FloatArray:
        """Return (W, F) numbers of the window's tokens, 0 for added tokens; F is 0 where tokens have none."""
        if not encoded.numbers.size:
            return np.zeros((len(self), 0), np.float32)
        return np.where((self.token_index == ADDED)[:, None], np.float32(0), encoded.numbers[self.token_index])


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedTokens:
    """The text that a model generated after one window, or several that its decoder read together."""

    token_ids: IntArray
    """(T,) without the end of text."""
    score: float
    """Mean log probability of these tokens (nats); that of the end token alone where the text is empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Window outputs merged into one output per document token."""

    outputs: FloatArray
    """(L, C); zero where no window saw the token."""
    seen: BoolArray
    """(L,)"""
    generated: Sequence[GeneratedTokens] = ()
    """The generated text of each window in order, or of each group of windows that are read together."""
    target_nll: float = 0.0
    """Negative log likelihood of the gold target (nats), summed over all windows that have a part of it."""
    num_asked: int = 0
    """Number of target tokens in that sum."""
    num_windows: int = 0
    """Number of windows that the document was read in, as the reader counts them."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The labels that were chosen for the words of a document."""

    labels: IntArray
    """(L,) index of the label of each word."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What the choice did, by name of the figure; summed over documents for the report."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A task's answer for one whole document."""

    id: str
    answer: Any
    """An object of the task's own type; for named entities one BIO tag per word."""
    seen: Sequence[bool]
    """Which units of the answer (such as words) the model saw."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What decoding did besides the most probable answer (``Chosen.counts``)."""


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """What a model holds likely of every unit of an answer (a word, a document, a token), for a mean over models."""

    probabilities: npt.NDArray[np.float64]
    """(U, C); only columns of the same ``names`` are averaged."""
    seen: BoolArray
    """(U,) which units the model saw; the others do not count in a mean."""
    names: tuple[str, ...]
    """(C,) name of each column."""
    tokens: IntArray | None = None
    """(U,) token of each unit, where units are tokens, so that only models with one tokenizer can be averaged."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table for the report, also stored in ``result.json``."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    chance: float | None = None
    """Figure of random guessing, for a table whose rows all depend on the context; else None, also where unknown.
    Such a table has a column ``low``, preceded by the count and the figure."""
    drawn: str = ""
    """Kind of plot in the report: ``BARS``, ``DEPTHS``, ``HEADS`` or ``CONFUSION``; empty for none."""

    @property
    def figure(self) -> str:
        """Return the column that a plot shows: the one before ``low`` and ``high``, else the last."""
        return self.columns[max(list(self.columns).index("low") - 1, 0)] if "low" in self.columns else self.columns[-1]


BARS = "bars"
"""Bar chart: a bar for each row, with an error bar from ``low`` to ``high``."""

DEPTHS = "depths"
"""Heat map: a cell for each row, at its columns ``length`` and ``depth``."""

HEADS = "heads"
"""Heat map: a cell for each row, at its first two columns, layer and head."""

CONFUSION = "confusion"
"""Heat map: a cell for each row, at its first two columns, the right and the given class."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Fractions of a split that the model saw."""

    tokens: float
    labels: float
    characters: float = 1.0
    """Fraction of the characters that the tokenizer knows."""


@dataclass(frozen=True, slots=True)
class ScoredRecord:
    """The contribution of one scored unit (a document, a question, a ranking) to the figures of its split.

    All units of a split have the same statistics, so that figures can be recomputed over any subset of records.
    """

    id: str
    """Id of the unit."""
    group: str
    """Id of the record that the unit belongs to; intervals and comparisons resample whole records."""
    statistics: Mapping[str, Mapping[str, Any]]
    """Plain values of each sufficient statistic, by its name (a file under ``ctxlab/evaluation/sufficient``)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures over whole documents; gold that the model never saw counts as missed."""

    metrics: Mapping[str, float]
    coverage_labels: float
    """Fraction of the gold answers that the model saw completely."""
    tables: Sequence[Table] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    records: Sequence[ScoredRecord] = ()
    """The units from which ``metrics`` is computed; written to ``scores/<split>.jsonl``."""
