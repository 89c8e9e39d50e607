"""Protocol of augmentations: documents as an epoch of training sees them, or a perturbed split as it is scored."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np

from ctxlab.core.contract import Component
from ctxlab.core.task import Task
from ctxlab.core.types import Document

Draw = np.random.Generator
"""Source of the random choices of one document in one epoch."""

TEXT, TAGS, MENTIONS, SENTENCES, DOCUMENTS = "text", "tags", "mentions", "sentences", "documents"
"""What an augmentation may need: a text, a tag per word, mentions with types, a text to which sentences may be added,
and labels of whole documents only, which refer to no place in the text."""


class Augmentation(Component, ABC):
    """A way of changing documents that keeps their labels; each is one file under ``ctxlab/augment``.

    What it does to a document depends on the document, the seed and the epoch alone (``changed``), once it has seen
    the documents from which it takes words (``learn``).
    """

    needs: ClassVar[str] = TEXT
    """What the documents of a task must have: ``TEXT``, ``TAGS``, ``MENTIONS``, ``SENTENCES`` or ``DOCUMENTS``."""
    changes: ClassVar[str] = "words"
    """What is replaced, for messages: words, mentions, sentences."""
    share: float
    """Fraction of the documents that are changed; 0 leaves every document as it is."""

    translators: tuple[str, str] | None = None
    """Directories of two runs that translate the text of documents there and back before training; None for none."""

    def take_translations(self, translations: Mapping[str, str]) -> None:
        """Take the translations of texts, there and back; called once before ``learn`` where ``translators`` is set."""
        del translations

    def learn(self, documents: Iterable[Document], task: Task) -> None:
        """Read the documents that words, mentions or sentences are taken from; called once before ``change``.

        Args:
            documents: Training documents or, for a perturbation, those of the scored split; iterated over once.
            task: Says where they have their text and labels.
        """
        del documents, task

    @abstractmethod
    def change(self, document: Document, task: Task, draw: Draw) -> Document:
        """Return the document changed, with labels at the right places; itself where nothing could be changed.

        Args:
            document: As the task parsed it.
            task: Says where it has its text and labels.
            draw: Source of all random choices.
        """


def generator(document: Document, seed: int, epoch: int) -> Draw:
    """Return the source of random choices for a document, which depends on nothing else but seed and epoch."""
    digest = hashlib.sha256(document.id.encode(errors="surrogatepass")).digest()
    return np.random.default_rng([seed % 2**63, epoch, int.from_bytes(digest[:8], "big")])


def changed(augmentation: Augmentation, document: Document, task: Task, seed: int, epoch: int) -> Document:
    """Return a document as an epoch sees it: changed with probability ``share``, else the document itself.

    Args:
        augmentation: How it is changed.
        document: As the task parsed it.
        task: Says where it has its text and labels.
        seed: Seed of the run.
        epoch: Index of the pass over the documents.
    """
    draw = generator(document, seed, epoch)
    if draw.random() >= augmentation.share:
        return document
    new = augmentation.change(document, task, draw)
    return document if new is document else task.renew(new)
