"""Protocol of compression: how a trained model is made smaller or faster.

Shape legend: L tokens of a document.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.types import Encoded, Table


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained model that is to be compressed, and what may be asked of it."""

    model: Any
    """With its strategy and task installed; changed in place."""
    tokenizer: Any
    documents: Sequence[Encoded]
    """Training documents."""
    read: Callable[[bool], None]
    """Runs the model over a sample of them, without dropout; with True the backward pass of the task's loss follows
    each pass, so that hooks on tensors receive their gradients."""


@dataclass(frozen=True, eq=False)
class Compressed:
    """What a mechanism made of a subject."""

    tokenizer: Any
    """The same, or a smaller one."""
    summary: str
    """What was done, in a few words: ``4 of 6 layers``."""
    note: Mapping[str, Any] = field(default_factory=dict)
    """What the loader must know besides the config's own fields; see ``models.loading.reduced.rebuild``."""
    tables: Sequence[Table] = ()
    """What was chosen by which figures, for the report."""


class Compression(Component, ABC):
    """A way to compress a model; each is one file under ``ctxlab/compression``."""

    heals: bool = True
    """Whether training afterwards makes up for what is lost; False where nothing is lost, or nothing can be trained."""

    @abstractmethod
    def check(self, model: Any, tokenizer: Any) -> None:
        """Check that the mechanism can compress the model; called before anything is measured.

        Args:
            model: The original.
            tokenizer: Its tokenizer.

        Raises:
            UserError: It cannot, or an option does not fit; says why, and what would do.
        """

    @abstractmethod
    def compress(self, subject: Subject) -> Compressed:
        """Change the model of ``subject`` and its config, so that it is saved as it is now."""
