"""Training documents as each epoch sees them under ``augment=``, tokenised anew where they have changed."""

import copy
import time
from collections.abc import Iterable, Sequence

import numpy as np

from ctxlab.core.augmentation import DOCUMENTS, MENTIONS, SENTENCES, TAGS, Augmentation, changed, generator
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Encoded
from ctxlab.data.encode import encode_now
from ctxlab.workbench.bench import Workbench

FITTING = {
    TAGS: ("a tag per word", "task=ner"),
    MENTIONS: ("mentions with types", "task=ner or task=relation"),
    DOCUMENTS: ("labels of the whole only, none of a place in the text", "task=classification, nli or summarization"),
    SENTENCES: ("a text that may hold more sentences than its gold says", "task=ner, classification, nli or qa"),
}
"""What an augmentation needs beyond a text, and tasks that have it."""

WITH_TEXT = "task=ner, relation, classification, nli, qa, summarization or translation"


def check_fits(augmentation: Augmentation, task: Task, group: str = "augment") -> None:
    """Refuse an augmentation that cannot change the documents of a task and keep their labels.

    Args:
        augmentation: What is to change them.
        task: In its form for the kind of model.
        group: Group of the configuration that names it.

    Raises:
        UserError: It does not fit; names tasks that it fits.
    """
    if not augmentation.share:
        return
    name, shape = f"{group}={option_of(augmentation, group)}", task.shape
    if shape is None:
        raise UserError(
            f"{name} changes the text of documents, and of task={task.name} that would change what is asked: use "
            f"{group}=none, or {WITH_TEXT}."
        )
    has = {TAGS: bool(shape.tags), MENTIONS: shape.typed, SENTENCES: not shape.aligned, DOCUMENTS: not shape.in_places}
    if not has.get(augmentation.needs, True):
        what, others = FITTING[augmentation.needs]
        raise UserError(
            f"{name} needs documents with {what}, which those of task={task.name} do not have: use {group}=none, or "
            f"{others}."
        )


def option_of(augmentation: Augmentation, group: str) -> str:
    """Return the name of an augmentation in its group: that of its file, and ``names`` for a perturbation by names."""
    name = option(augmentation)
    return "names" if group == "perturb" and name == "mention_swap" else name


def prepared(augmentation: Augmentation, documents: Iterable[Document], task: Task) -> Augmentation:
    """Return a copy of an augmentation that has learned from the documents."""
    own = copy.deepcopy(augmentation)
    if own.share:
        own.learn(documents, task)
    return own


def check_changes(
    augmentation: Augmentation, bench: Workbench, documents: Sequence[Document], encoded: Sequence[Encoded], group: str
) -> None:
    """Refuse an augmentation that changes no token of any document, so that it would silently do nothing.

    Args:
        augmentation: It has learned.
        bench: Its task and tokenizer encode documents.
        documents: The documents.
        encoded: The same documents tokenised.
        group: Group of the configuration that names it.

    Raises:
        UserError: No token differs; says whether words did.
    """
    words = False
    for document, before in zip(documents, encoded, strict=True):
        new = augmentation.change(document, bench.task, generator(document, 0, 0))
        if new is document:
            continue
        words = True
        (after,), _ = encode_now(bench.task, [bench.task.renew(new)], bench.tokenizer)
        if not np.array_equal(after.input_ids, before.input_ids):
            return
    name = f"{group}={option_of(augmentation, group)}"
    if words:
        raise UserError(
            f"{name} changes {augmentation.changes} of the {len(documents):,} documents but no token: the tokenizer of "
            f"this model writes them alike, as one that lower-cases does, so that there is nothing to see; use another "
            f"model or {group}=none."
        )
    raise UserError(
        f"{name} finds no {augmentation.changes} to change in the {len(documents):,} documents: raise {group}.dose, "
        f"give more documents, or use {group}=none."
    )


class Augmented:
    """Changes documents for an epoch, and counts what that costs."""

    def __init__(self, augmentation: Augmentation, bench: Workbench, documents: Sequence[Document], seed: int) -> None:
        """Store what changes which documents.

        Args:
            augmentation: It has learned.
            bench: Its task and tokenizer encode documents.
            documents: Training documents in memory; empty where they come in blocks.
            seed: Seed of the run.
        """
        self._augmentation, self._bench, self._documents, self._seed = augmentation, bench, documents, seed
        self._epoch, self._total, self._changed, self._seconds = -1, 0, 0, 0.0

    def encoded(self, epoch: int, index: int) -> Encoded | None:
        """Return the tokens of a document as an epoch sees it, or None where it is as it was.

        Args:
            epoch: Index of the pass over the documents.
            index: Place of the document.
        """
        started = time.perf_counter()
        self._count(epoch)
        document = self._documents[index]
        new = changed(self._augmentation, document, self._bench.task, seed=self._seed, epoch=epoch)
        found = None
        if new is not document:
            (found,), _ = encode_now(self._bench.task, [new], self._bench.tokenizer)
            self._changed += 1
        self._total += 1
        self._seconds += time.perf_counter() - started
        return found

    def block(self, documents: Sequence[Document], epoch: int) -> list[Document]:
        """Return the documents of a block of a large file as an epoch sees them."""
        started = time.perf_counter()
        self._count(epoch)
        new = [changed(self._augmentation, one, self._bench.task, seed=self._seed, epoch=epoch) for one in documents]
        self._total += len(new)
        self._changed += sum(one is not other for one, other in zip(documents, new, strict=True))
        self._seconds += time.perf_counter() - started
        return new

    def _count(self, epoch: int) -> None:
        """Start to count anew in a new epoch."""
        if epoch != self._epoch:
            self._epoch, self._total, self._changed, self._seconds = epoch, 0, 0, 0.0

    def notes(self) -> list[str]:
        """Return what the last epoch took, for the report."""
        if not self._total:
            return []
        tokenised = "and tokenised anew " if self._documents else ""
        return [
            f"augment={option_of(self._augmentation, 'augment')}: {self._changed:,} of {self._total:,} training "
            f"documents were changed {tokenised}in the last epoch (number {self._epoch + 1}), which took "
            f"{self._seconds:.2g} s; validation and test documents are as they were."
        ]
