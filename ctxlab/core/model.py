"""What a model source owes the rest."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.contract import Component

PARTS = "ctxlab_parts"
"""Attribute of a model that holds the trainable modules of a strategy or task; so begin their names in a checkpoint."""

TASK_PART = "task"
"""Name of the task's module among them."""

TUNING_PART = "tuning"
"""Name of a tuning rule's module among them; it is saved in ``TUNING`` and not with the model's own weights."""

TUNING = "tuning.safetensors"
"""File of a checkpoint with what a tuning rule added to the model; absent where it added nothing."""

WEIGHTS_NOTES = "weights_notes"
"""Field of a model's config: what a reader of its scores must know of its weights, a list of sentences.

It is saved with the model, so that a checkpoint says it too; stages put it into the notes of a report."""


NEW_HEAD = "ctxlab_new_head"
"""Attribute of a model: True where its head was drawn at random, as the weights came without."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a stage must know of a built model to judge whether a strategy fits it."""

    kind: str
    """``encoder``, ``decoder`` or ``encoder_decoder``."""
    positions: str
    """``learned``, ``rotary``, ``relative`` or ``none``."""
    trained_length: int | None
    """Tokens that the positions were trained for; None where any length works."""
    num_layers: int
    hidden_size: int
    stretched: str = ""
    """Kind of the stretch that rotary positions were published with; empty for none."""


class ModelSource(Component, ABC):
    """One file under ``ctxlab/models`` a model: where tokenizer and weights come from."""

    name: str
    dropout: float | None = None
    """Rate on hidden states that was asked for; None keeps that of the weights' config."""
    attention_dropout: float = 0.0
    """Rate on attention probabilities."""

    @abstractmethod
    def kind(self) -> str:
        """``encoder``, ``decoder`` or ``encoder_decoder``, known before the model is built."""

    @abstractmethod
    def tokenizer(self) -> Any:
        """A fast tokenizer that neither cuts nor pads; raises UserError where there is none."""

    def head_labels(self, head: str) -> list[str]:
        """Names behind the outputs of the ``head`` that comes with the weights; none where it comes without."""
        del head
        return []

    @abstractmethod
    def build(self, head: str, labels: Sequence[str], configure: Callable[[Any], None] | None = None) -> Any:
        """The model with a head for ``labels``, in fp32 and evaluation mode.

        ``configure`` changes the config before the model is built, for what takes effect only there.
        """
