"""The protocol of tasks: from a record to whole documents, and from model outputs back to an answer."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from ctxlab.core.contract import Component
from ctxlab.core.data import Record, Source
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Answered, Asked
from ctxlab.core.generation import Continuations, Decoding
from ctxlab.core.labelling import LabelForm
from ctxlab.core.numbers import Numbers
from ctxlab.core.shape import LabelledSpan, Shape
from ctxlab.core.task_hooks import Beside, Choose, Enclose, FindMentions, Mark, Original
from ctxlab.core.types import (
    NO_LABEL,
    Document,
    Encoded,
    IntArray,
    Merged,
    Opinion,
    Prediction,
    Window,
)


@dataclass(frozen=True, slots=True)
class Loss:
    """The summed loss and its weight (number of labels), so that the parts of a batch add up exactly."""

    total: torch.Tensor
    weight: torch.Tensor


LABELS, LABEL_SETS, POSITIONS, TOKENS = "labels", "label_sets", "positions", "tokens"
"""Values of ``Task.predicts``: one of the task's labels, any of them, a place in the window, a token."""


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """The N distributions over C alternatives that a loss compares with gold.

    The loss of the task is the sum of ``weights`` times the cross entropy of each, and its weight is their sum.
    """

    logits: torch.Tensor
    """(N, C); alternatives that do not exist have a very low one."""
    gold: torch.Tensor
    """(N,) the right alternative, or (N, C) the probability of each."""
    weights: torch.Tensor
    """(N,) weight of each in the loss."""


@dataclass(frozen=True, slots=True)
class HeadOf:
    """A head of a model, and the task that it answers for."""

    name: str
    head: str
    """Kind of model head, a key of ``models.heads.HEADS``."""
    labels: Sequence[str]


class Task(Component, ABC):
    """A task; each has its own file under ``ctxlab/tasks``."""

    name: str
    record_fields: ClassVar[Sequence[Sequence[str]]] = ()
    """Sets of fields that identify a record of the task: of its own format first, then of formats converted to it."""
    only_field: ClassVar[str] = ""
    """Field that identifies a record of the task if the record has no other one."""
    head: str
    """Kind of model head, a key of ``models.heads.HEADS``."""
    streams: bool
    """Whether records can be admitted, parsed and expanded in parts of a split, so that a large file is never read
    whole: nothing is collected from the others of its split, and ``learn_labels`` iterates over them once."""
    kinds: frozenset[str]
    """Kinds of model that the task works with: ``encoder``, ``decoder``, ``encoder_decoder``."""
    contiguous: bool
    """Whether windows must be contiguous, because the task predicts the next token."""
    metric: str
    """Name of the file under ``ctxlab/evaluation/metrics`` that scores the task, or of a plug-in's module in full."""
    primary_metric: str
    """Name of the figure that selects checkpoints."""
    lower_is_better: bool
    """Whether a smaller primary metric is better."""
    labels: list[str]
    """Names of the model's outputs, known after ``learn_labels``; empty where the outputs are the vocabulary."""
    language: str
    """Two-letter language of the documents if the user gave it, else "": then it is guessed from the script."""
    notes: list[str]
    """One sentence for the report about each repair or workaround in the data."""
    runs_model: bool
    """Whether a forward pass is needed; if not, the text that the reading keeps is the answer."""
    generates: bool
    """Whether the answer is generated text, rather than derived from the outputs of a head."""
    decoding: "Decoding"
    """Settings of generation."""
    by_token: bool
    """Whether ``loss`` is a sum over tokens, each from its own output, so that the tokens of a window may be split."""
    chooses: bool
    """Whether the answer is one of ``continuations``: the model scores each of them and generates nothing."""
    continuations: "Continuations"
    """The texts to choose from; known after ``prepare``."""
    stops: tuple[int, ...]
    """Token ids that end generation; known after ``prepare``."""
    scores_target: bool
    """Whether an evaluation also computes the model's likelihood of the gold target."""
    labels_words: bool
    """Whether it predicts one label per word, which ``choose`` chooses and whose tokens ``mark`` marks."""
    choose: "Choose"
    """Chooses the labels of a document's words from outputs (L, C), given which words (L,) any window saw."""
    mark: "Mark | None"
    """Marks the words of a document, with bits from ``core.types.FIRST_KNOWN`` on; None adds none."""
    beside: "Beside | None" = None
    """Puts text before every window, once documents are encoded; None puts nothing."""
    takes_beside: bool = True
    """Whether text about a document before its windows leaves what is predicted to be predicted."""
    encloses_mentions: bool = False
    """Whether it predicts from mentions of entities that are given, around which ``enclose`` writes."""
    enclose: "Enclose | None" = None
    """Writes around the mentions of a document; None writes nothing."""
    takes_numbers: bool = False
    """Whether words of a record may have numbers, which its tokens carry to the model."""
    numbers_field: str | None = None
    """Field of a record with the numbers of each word; None reads none."""
    numbers: Numbers = Numbers()
    """The numbers that the model takes; set before documents are parsed."""
    learns_labels: bool
    """Whether evaluating an untrained model requires a call of ``learn_labels`` first."""
    num_examples: int
    """Number of solved training documents (few-shot examples) before every window."""
    views: int = 1
    """How often every window is in a training pass, in adjacent rows: 2 for a loss that compares draws of dropout."""
    sides: int = 1
    """Number of kinds of windows that follow one another in a training item, each of which is read in a pass of its own
    width: 2 where short queries and long windows alternate."""
    mentions_run: str | None = None
    """Directory of a run of ``task=ner`` that finds the entities which documents lack; None where none does."""
    relates: bool = False
    """Whether an answer is relations between entities, so that answers can be written as a graph."""
    compares: bool = False
    """Whether the loss compares the windows of a pass, so that a pass of one window or pair teaches nothing."""
    untrained: bool = False
    """Whether published weights answer without training although the task's head is not among them."""
    gathers: bool = False
    """Whether answers depend on the other documents of the split, so that ``gathered`` makes them of all together."""
    predicts: str = ""
    """What the distributions of ``predicted`` are over: ``LABELS``, ``LABEL_SETS``, ``POSITIONS`` or ``TOKENS``; empty
    where the loss compares none."""
    explains: bool = False
    """Whether ``explained`` says what there is to explain about an answer."""
    shares: Sequence[float] = ()
    """How often batches of each member are drawn, where the task has members; empty for others."""
    shape: Shape | None = None
    """Where documents have their text and refer to places in it; None where the text of a document cannot be changed
    without changing what is asked of it."""

    @property
    @abstractmethod
    def encode_options(self) -> tuple[Any, ...]:
        """Return what determines the encoding of a document besides labels; part of the key of cached tokens."""

    @abstractmethod
    def for_kind(self, kind: str) -> "Task":
        """Return the form of the task for models of this ``kind``, possibly another object; called before all else."""

    def part(self, member: int) -> "Task":
        """Return the task that documents for this ``member`` are of; the task itself where it has no members."""
        del member
        return self

    @property
    def built(self) -> "HeadOf":
        """Return the head that the model is built with."""
        return HeadOf(self.name, self.head, self.labels)

    @property
    def joined(self) -> Sequence["HeadOf"]:
        """Return the heads of all members, in their order, where there are several; none for others."""
        return ()

    @property
    def gold_fields(self) -> Sequence[str]:
        """Return the fields of a record of which one is needed as gold; empty where any record will do."""
        return ()

    def take_note(self, note: Mapping[str, Any]) -> None:
        """Adopt what ``install`` noted in the config of a checkpoint; called before documents are read."""
        del note

    def load(self, source: Source, split: str, seed: int) -> list[Record] | None:
        """Return the records of a split of ``source``; None if there is no such split."""
        return source.load(self.name, split, seed)

    @abstractmethod
    def take_examples(self, documents: Sequence[Document], seed: int) -> None:
        """Keep the training documents, of which ``num_examples`` are drawn per document; called before ``encode``."""

    @abstractmethod
    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Return the usable records of a split; called once with all of them, before any is parsed.

        Records that are left out are counted in ``notes``. With ``gold`` a record needs labels. Raises UserError where
        none is usable.
        """

    @abstractmethod
    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check a raw record and return its document; raises UserError naming ``origin`` and the field.

        With ``gold=False`` (prediction) the record needs no labels, and plain text is accepted.
        """

    def take_mentions(self, find: FindMentions) -> None:
        """Take what finds the entities in documents; called where ``mentions_run`` is set."""
        raise NotImplementedError(f"task={self.name} declares mentions_run and does not take mentions.")

    @abstractmethod
    def collect(self, documents: Sequence[Document]) -> None:
        """Collect what one record needs of the others of its split; called with all of them before ``expand``."""

    @abstractmethod
    def expand(self, document: Document) -> list[Document]:
        """Return the documents that a parsed record consists of, such as one per question; usually just the record."""

    @abstractmethod
    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix the label list from the training documents (unless the user gave one)."""

    @abstractmethod
    def take_labels(self, names: Sequence[str]) -> None:
        """Adopt the labels of an already fine-tuned model, unless the user gave some.

        Raises:
            UserError: The task cannot predict such labels.
        """

    @abstractmethod
    def check_labels(self, documents: Sequence[Document]) -> None:
        """Raise UserError where a gold label is not among those that the model can predict."""

    @abstractmethod
    def prepare(self, tokenizer: Any) -> None:
        """Read what the task needs from the tokenizer.

        Called before ``resample`` and ``decode``, also when the tokens come from the cache.

        Raises:
            UserError: The task cannot work with it.
        """

    @abstractmethod
    def install(self, model: Any) -> None:
        """Attach the task's own trainable modules to ``model`` (``core.added_modules.attach``), if it has any.

        Called once labels are known and before a checkpoint's weights are loaded.
        """

    @abstractmethod
    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids with labels."""

    @abstractmethod
    def resample(self, encoded: Encoded, seed: int) -> Encoded:
        """Return a training document as one epoch sees it, such as with new masks; depends only on the arguments."""

    def training_windows(self, encoded: Encoded, read: Callable[[Encoded], list[Window]]) -> list[Window]:
        """Return the windows of a training document; ``read`` returns those of the reading."""
        return read(encoded)

    def labelled_spans(self, document: Document) -> list[LabelledSpan]:
        """Return the parts of the document's text that have a label, in order; none by default."""
        del document
        return []

    def renew(self, document: Document) -> Document:
        """Return a document whose text has changed with all that depends on the places of its labels."""
        return document

    @abstractmethod
    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the loss of outputs (B, W, C) against labels (B, W)."""

    def predicted(self, outputs: torch.Tensor, labels: torch.Tensor) -> Predicted:
        """Return the distributions that ``loss`` compares with gold; called where ``predicts`` is set.

        Outputs (B, W, C), labels (B, W).
        """
        raise NotImplementedError(f"task={self.name} declares predicts={self.predicts!r} and defines no predicted.")

    def gold_labels(self, encoded: Encoded) -> IntArray:
        """Return (N,) the gold labels of a document, each as often as it counts."""
        labels: IntArray = encoded.labels[encoded.labels != NO_LABEL]
        return labels

    def label_names(self, labels: Collection[str]) -> set[str]:
        """Return the names under which a user lists ``labels``."""
        return set(labels)

    def has_loss(self, labels: IntArray) -> bool:
        """Whether a window with ``labels`` (W,) contributes to ``loss``; training skips windows that do not."""
        return bool((labels != NO_LABEL).any())

    @abstractmethod
    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Reduce outputs (B, W, C) with labels (B, W) to what ``decode`` needs: (B, W, D), often D is much below C."""

    @abstractmethod
    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the answer for a whole document from the reduced outputs of its tokens (L, D)."""

    def gathered(self, documents: Sequence[Document], predictions: Sequence[Prediction]) -> list[Prediction]:
        """Return the answers of a split once all its documents have been read; called where ``gathers`` is set."""
        del documents
        return list(predictions)

    def opinion(self, document: Document, encoded: Encoded, merged: Merged) -> Opinion:
        """Return the probabilities from which ``decide`` makes the answer of ``decode``, for a mean over models.

        Raises:
            UserError: Answers of the task are not made from probabilities of a fixed set.
        """
        del document, encoded, merged
        raise UserError(
            f"task={self.name} has no answers that can be averaged over models: evaluate one run at a time with run=."
        )

    def decide(self, document: Document, encoded: Encoded, merged: Merged, opinion: Opinion) -> Prediction:
        """Return the answer for a whole document from a mean of opinions; called only where ``opinion`` returns one.

        Args:
            document: The document.
            encoded: Its tokens.
            merged: Outputs of one of the models, for what else an answer says, such as the fraction read.
            opinion: The mean.
        """
        del document, encoded, merged, opinion
        raise NotImplementedError(f"task={self.name} returns opinions and defines no decide.")

    def baselines(self, training: Sequence[Document], documents: Sequence[Document]) -> dict[str, list[Prediction]]:
        """Return answers without a model, as a reference for scores; by name of the baseline, none by default.

        Args:
            training: At least one training document, with gold labels.
            documents: The documents to be answered.
        """
        del training, documents
        return {}

    @abstractmethod
    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the prediction as one JSON line; empty for a document that is no question of its own."""

    def relocated(self, line: dict[str, Any], document: Document, original: Original) -> dict[str, Any]:
        """Return a line of ``record`` with its characters counted in the texts as they were before any replacement.

        Args:
            line: As ``record`` returned it; by default it names no characters.
            document: Its document, whose texts are those after the replacements.
            original: Turns characters of a field of the record into those of the original.
        """
        del document, original
        return line

    def label_form(self) -> LabelForm:
        """Return how labels are suggested for unlabelled documents and become training documents.

        Raises:
            UserError: The task has no labels that a model can suggest.
        """
        raise UserError(
            f"task={self.name} with these options has no labels that a run could suggest: ctxlab label works with "
            "task=ner, and with task=classification and task=nli where a head was trained."
        )

    def explained(self, document: Document, answered: Answered) -> Asked:
        """Return the parts of an answer that can be explained, each with a score; called where ``explains`` is set."""
        raise NotImplementedError(f"task={self.name} declares explains={self.explains} and defines no explained.")

    def explained_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Reduce outputs (B, W, C) with labels (B, W) to those that scores of ``explained`` are made from (B, W, D)."""
        return self.reduce_outputs(outputs, labels)
