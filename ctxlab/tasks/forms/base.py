"""Defaults shared by most tasks; a task overrides only what differs."""

from abc import ABC
from collections.abc import Sequence
from typing import Any

import torch

from ctxlab.core.data import Record
from ctxlab.core.generation import Continuations, Decoding
from ctxlab.core.task import Task
from ctxlab.core.task_hooks import Choose, Mark
from ctxlab.core.types import BoolArray, Chosen, Document, Encoded, FloatArray


def most_probable(outputs: FloatArray, seen: BoolArray) -> Chosen:
    """Choose the label with the highest output for each word alone: outputs (L, C), seen (L,)."""
    del seen
    return Chosen(outputs.argmax(axis=-1))


class BaseTask(Task, ABC):
    """Defaults of ``core.task.Task``; a task adds ``parse``, ``encode``, ``loss``, ``decode`` and ``record``."""

    kinds: frozenset[str] = frozenset({"encoder", "decoder", "encoder_decoder"})
    streams = False
    contiguous = False
    lower_is_better = False
    runs_model = True
    generates = False
    decoding = Decoding()
    by_token = False
    chooses = False
    continuations = Continuations()
    stops: tuple[int, ...] = ()
    scores_target = False
    num_examples = 0
    learns_labels = False
    labels_words = False
    mark: Mark | None = None
    language = ""

    choose: Choose = staticmethod(most_probable)

    def __init__(self, labels: list[str] | None = None) -> None:
        """Store the names of the outputs, where they are known from the start."""
        self.labels: list[str] = labels or []
        self.notes: list[str] = []

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return no options: encoding depends on labels only."""
        return ()

    def for_kind(self, kind: str) -> Any:
        """Return the task itself for every kind of model."""
        del kind
        return self

    def take_examples(self, documents: Sequence[Document], seed: int) -> None:
        """Do nothing: prompts contain no examples."""
        del documents, seed

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Return all records."""
        del gold
        return list(records)

    def collect(self, documents: Sequence[Document]) -> None:
        """Do nothing: no record depends on another."""
        del documents

    def expand(self, document: Document) -> list[Document]:
        """Return the record as its only document."""
        return [document]

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Do nothing: there are no labels to learn."""
        del documents

    def take_labels(self, names: Sequence[str]) -> None:
        """Adopt the model's labels unless some were given."""
        self.labels = self.labels or list(names)

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Accept all labels."""
        del documents

    def prepare(self, tokenizer: Any) -> None:
        """Do nothing: the task needs nothing from the tokenizer."""
        del tokenizer

    def install(self, model: Any) -> None:
        """Do nothing: the task has no modules of its own."""
        del model

    def resample(self, encoded: Encoded, seed: int) -> Encoded:
        """Return the document unchanged in every epoch."""
        del seed
        return encoded

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the outputs unchanged."""
        del labels
        return outputs
