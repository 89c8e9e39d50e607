"""What flows from a source to a report: documents, windows, predictions, tables.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch, C outputs per token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

NO_LABEL = -100
"""Label of a token that takes no part in the loss (the default ignore index of cross entropy)."""

ADDED = -1
"""Document token behind a window token that the document does not have (special tokens, a question)."""

LAST = -2
"""Document token that a target token stands for which belongs behind the last window, whatever that holds."""

SENTENCE, PARAGRAPH, HEADING, GIVEN = 1, 2, 4, 8
"""Marks of a token, which add up: a sentence, a paragraph or a heading begins with it, or the data names it."""


@dataclass(frozen=True, slots=True)
class Document:
    """One unit as the user has it; nothing cuts it before the strategy does."""

    id: str
    fields: Mapping[str, Any]
    """The record after the task has checked it."""
    origin: str
    """Where it comes from, for messages: ``train.jsonl line 3``."""


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
    """Token ids put in front of every window ([CLS], a question)."""
    after: tuple[int, ...] = ()
    """Token ids put behind every window ([SEP])."""
    query: tuple[int, ...] = ()
    """Token ids of what is asked of the document (also in ``before``); empty where nothing is."""
    marks: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(L,) sums of ``SENTENCE``, ``PARAGRAPH``, ``HEADING`` and ``GIVEN``; empty where nothing is known."""
    starts: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(L,) first character of each token in the document's text; empty where the document is words."""
    ends: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(L,) character behind each token, never falling; empty like ``starts``."""
    target: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(T,) token ids that are to be written, the end of a text included; empty where nothing is, or it is not known."""
    anchors: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(T,) document token that each target token renders (a translation), ``ADDED`` where it is about all of them and
    every window is to write it, ``LAST`` where the last one is."""
    evidence: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(E,) document tokens that a window must hold, all of them, to be asked for ``target``; empty: any window is."""
    absent: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(A,) token ids that are to be written behind a window that does not hold all of ``evidence``."""
    terms: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(L,) what each token is to a ranking by words: its id, or a number below 0 of its characters where the tokenizer
    does not know them, or reads them byte by byte; empty where all are ids."""
    query_terms: tuple[int, ...] = ()
    """The same of ``query``; empty where all are ids."""
    num_characters: int = 0
    """Of the document that any token has (``ctxlab.text.known``)."""
    num_unknown: int = 0
    """How many of them are behind unknown tokens."""
    num_split: int = 0
    """How many of them are several tokens each."""
    room: int = 0
    """Tokens that every window leaves free for what is written behind it (decoders, whose context holds both)."""

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What one forward pass sees of one document."""

    input_ids: IntArray
    """(W,)"""
    token_index: IntArray
    """(W,) document token behind each window token, ``ADDED`` for tokens that the document does not have."""
    begins: bool = True
    """Whether it is read by itself; False where it goes on from the window before it (memory, hierarchy)."""

    def __len__(self) -> int:
        return len(self.input_ids)

    def labels(self, encoded: Encoded) -> IntArray:
        """(W,) labels of the window's tokens, ``NO_LABEL`` where the document has no token."""
        return np.where(self.token_index == ADDED, NO_LABEL, encoded.labels[self.token_index])

    def marks(self, encoded: Encoded) -> IntArray:
        """(W,) marks of the window's tokens, 0 where the document has no token or nothing is known."""
        if not len(encoded.marks):
            return np.zeros(len(self), np.int64)
        return np.where(self.token_index == ADDED, 0, encoded.marks[self.token_index])


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What a model wrote behind one window."""

    token_ids: IntArray
    """(T,) without the end of the text."""
    score: float
    """Mean log probability of these tokens (nats); that of the end alone where nothing was written."""


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Window outputs put back onto the document."""

    outputs: FloatArray
    """(L, C); zero where no window saw the token."""
    seen: BoolArray
    """(L,)"""
    written: Sequence[Written] = ()
    """Of each window in order, for tasks that write."""
    target_nll: float = 0.0
    """Nats that the gold target cost, in all windows that were to write any of it."""
    num_asked: int = 0
    """Target tokens that it is the sum over."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a task says about one whole document."""

    id: str
    answer: Any
    """In the task's own form; for named entities one BIO tag a word."""
    seen: Sequence[bool]
    """Which units of the answer (words) the model saw."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that a person reads and a program finds again in ``result.json``."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    chance: float | None = None
    """What guessing would give, of a table whose rows all need the context; None of others, and where it is not known.
    Such a table has a column ``low``, with the figure and its count in front of it."""
    drawn: str = ""
    """As what the report draws it: ``BARS``, ``DEPTHS`` or ``HEADS``; empty where it does not."""

    @property
    def figure(self) -> str:
        """The column that a picture shows: the one that ``low`` and ``high`` follow, else the last."""
        return self.columns[max(list(self.columns).index("low") - 1, 0)] if "low" in self.columns else self.columns[-1]


BARS = "bars"
"""A bar for each row, with a whisker from ``low`` to ``high``."""

DEPTHS = "depths"
"""A field of a grid for each row, by its columns ``length`` and ``depth``."""

HEADS = "heads"
"""A field of a grid for each row, by its first two columns, layer and head."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of a split that the model saw."""

    tokens: float
    labels: float
    characters: float = 1.0
    """Share of the characters that the tokenizer knows."""


@dataclass(frozen=True, slots=True)
class ScoredRecord:
    """What one scored unit (a document, a question, a ranking) adds to the figures of its split.

    All units of a split name the same statistics, so that figures can be computed anew over any choice of records.
    """

    id: str
    """Of the unit."""
    group: str
    """Id of the record that it belongs to; intervals and comparisons draw whole records."""
    statistics: Mapping[str, Mapping[str, Any]]
    """Plain values of each sufficient statistic, by its name (a file under ``ctxlab/evaluation/sufficient``)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures over whole documents; gold that the model never saw counts as missed."""

    metrics: Mapping[str, float]
    coverage_labels: float
    """Share of the gold that the model saw whole."""
    tables: Sequence[Table] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    records: Sequence[ScoredRecord] = ()
    """What ``metrics`` follows from, unit by unit; written to ``scores/<split>.jsonl``."""
