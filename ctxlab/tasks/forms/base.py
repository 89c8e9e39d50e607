"""What most tasks have in common: every method here may stay as it is."""

from abc import ABC
from collections.abc import Sequence
from typing import Any

import torch

from ctxlab.core.data import Record
from ctxlab.core.task import Continuations, Decoding, Task
from ctxlab.core.types import Document, Encoded


class Base(Task, ABC):
    """Defaults of ``core.task.Task``; a task adds ``parse``, ``encode``, ``loss``, ``decode`` and ``record``."""

    kinds: frozenset[str] = frozenset({"encoder", "decoder", "encoder_decoder"})
    contiguous = False
    lower_is_better = False
    runs_model = True
    writes = False
    decoding = Decoding()
    chooses = False
    continuations = Continuations()
    stops: tuple[int, ...] = ()
    scores_target = False
    num_examples = 0
    learns_labels = False
    language = ""

    def __init__(self, labels: list[str] | None = None) -> None:
        """Take the names behind the outputs, where they are known or there are none."""
        self.labels: list[str] = labels or []
        self.notes: list[str] = []

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Nothing else than labels."""
        return ()

    def form(self, kind: str) -> Any:
        """The same for every kind of model."""
        del kind
        return self

    def take_examples(self, documents: Sequence[Document], seed: int) -> None:
        """None are shown."""
        del documents, seed

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """All of them."""
        del gold
        return list(records)

    def gather(self, documents: Sequence[Document]) -> None:
        """A record says all that is needed."""
        del documents

    def split(self, document: Document) -> list[Document]:
        """A record is one document."""
        return [document]

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Nothing to learn."""
        del documents

    def take_labels(self, names: Sequence[str]) -> None:
        """The model's own."""
        self.labels = self.labels or list(names)

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Nothing to refuse."""
        del documents

    def prepare(self, tokenizer: Any) -> None:
        """Nothing to know."""
        del tokenizer

    def install(self, model: Any) -> None:
        """Nothing to put into it."""
        del model

    def renew(self, encoded: Encoded, seed: int) -> Encoded:
        """Every epoch sees the same document."""
        del seed
        return encoded

    def observe(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The outputs themselves."""
        del labels
        return outputs
