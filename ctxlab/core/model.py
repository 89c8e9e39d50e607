"""Protocol of model sources, and the names of what is added to a model."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.numbers import Numbers

ADDED_MODULES = "ctxlab_parts"
"""Attribute of a model with the trainable modules of a strategy, task or tuning rule; prefix of their names in a
checkpoint."""

TASK_MODULE = "task"
"""Name of the task's module among the added ones."""

MEMBER = "member"
"""Name of the input of a model with the heads of several tasks that says which of them answers."""

TUNING_MODULE = "tuning"
"""Name of a tuning rule's module among the added ones; it is saved in ``TUNING``, not with the model's weights."""

TUNING = "tuning.safetensors"
"""File of a checkpoint with the tensors of a tuning rule that its weights lack; absent if there are none."""

GROWTH = "growth"
"""Name of the note in a model's config that layers or hidden units were added to it (``model.growth``)."""

UNMERGED = "unmerged"
"""Name of the note in a model's config that its weights lack what its tuning rule trained, as it cannot be merged."""

WEIGHTS_NOTES = "weights_notes"
"""Field of a model's config: a list of sentences about its weights that matter for its scores.

It is saved with the model and its checkpoints; stages copy it into the notes of a report."""


BEGINNING_NOTES = "beginning_notes"
"""Field of a model's config: those of its notes that say what started at random, or was taken by name.

A run that begins with these weights has them as they are, and leaves these notes out."""

NEW_HEAD = "ctxlab_new_head"
"""Attribute of a model: True if its head was initialised at random because the weights have none."""


DRAWN = "ctxlab_drawn"
"""Attribute of a model that was loaded: names of the weights that started at random because the file has none."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Properties of a built model that decide whether a strategy fits it."""

    kind: str
    """``encoder``, ``decoder`` or ``encoder_decoder``."""
    positions: str
    """``learned``, ``rotary``, ``relative`` or ``none``."""
    trained_length: int | None
    """Tokens that the positions were trained for; None if any length works."""
    num_layers: int
    hidden_size: int
    rope_scaling: str = ""
    """Kind of rotary scaling that the model was published with; empty for none."""
    grown: bool = False
    """Whether layers or hidden units were added to it."""


class ModelSource(Component, ABC):
    """A source of tokenizer and weights; each is one file under ``ctxlab/models``."""

    name: str
    dropout: float | None = None
    """Dropout rate on hidden states; None keeps the rate in the weights' config."""
    attention_dropout: float = 0.0
    """Dropout rate on attention probabilities."""
    growth: Mapping[str, Any] | None = None
    """Options of ``model.growth``: what is added to the weights that are loaded; None for nothing."""
    numbers: Mapping[str, Any] | None = None
    """Options of ``model.numbers``: numbers that tokens carry besides their text; None for none."""

    @abstractmethod
    def kind(self) -> str:
        """Return ``encoder``, ``decoder`` or ``encoder_decoder``; called before the model is built."""

    @abstractmethod
    def tokenizer(self) -> Any:
        """Return a fast tokenizer that neither truncates nor pads; raises UserError if there is none."""

    def head_labels(self, head: str) -> list[str]:
        """Return the label names of the ``head`` in the weights; empty if the weights have no such head."""
        del head
        return []

    def taken_numbers(self, config: Any) -> Numbers:
        """Return the numbers of tokens that the model takes, once it is built with ``config``.

        Raises:
            UserError: An option of ``numbers`` is not valid.
        """
        del config
        return Numbers.of(self.numbers)

    @abstractmethod
    def build(self, head: str, labels: Sequence[str], configure: Callable[[Any], None] | None = None) -> Any:
        """Build the model with a head for ``labels``, in fp32 and evaluation mode.

        ``configure`` changes the config before the model is built, for settings that only then take effect.
        """
