"""Lists of names with their types, as inputs of the model.

Shape legend: L words of a document.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ctxlab.config.nearest import suggestion
from ctxlab.core.added_modules import attach
from ctxlab.core.architecture import installed, note_installed
from ctxlab.core.errors import UserError
from ctxlab.core.knowledge import FAMILY, Knowledge
from ctxlab.core.task import Task
from ctxlab.core.types import FIRST_KNOWN, IntArray
from ctxlab.knowledge.gazetteers.entries import read_entries
from ctxlab.knowledge.gazetteers.module import KnownTypes
from ctxlab.text.phrases import Phrases, Words


class Gazetteer(Knowledge):
    """Marks the words that the user's list has, and lets the model learn what the marks mean.

    For each type, the longest entry that begins at a word is marked, from left to right: its first word as beginning
    and the others as continuing that type, as BIO does; a word may have several types. A trainable vector for each of
    these marks is added to the embedding of every token of the word. The vectors are 0 at first, so that training
    begins from the same model. Hard matches as features of a tagger: Huang et al. 2015 (arXiv:1508.01991), section
    3.3.2; deviation: there they reach the output layer, here the input of a pretrained model.
    """

    wants_marks = True

    def __init__(self, file: str | None = None, relation: str | None = None) -> None:
        """Read the list.

        Args:
            file: Path of a UTF-8 file, each line ``text<TAB>type`` or ``subject<TAB>relation<TAB>object``.
            relation: Relation of the triples whose object is a type of the subject; None takes all.

        Raises:
            UserError: There is no file, or it is not such a list.
        """
        if file is None:
            raise UserError("knowledge=gazetteer needs knowledge.file=<file with one entry a line: text<TAB>type>.")
        self.file = file
        self.marker = Marker(read_entries(file, relation))

    def teach(self, task: Task) -> None:
        """Mark the words of the documents of ``task``.

        Raises:
            UserError: The task does not label words.
        """
        if not task.labels_words:
            raise UserError(
                f"knowledge=gazetteer marks words, which task={task.name} does not label: use task=ner, or "
                "knowledge=none."
            )
        task.mark = self.marker

    def install(self, model: Any, *, keeps_marks: bool) -> None:
        """Attach the vectors to ``model``; those of a checkpoint are for the types that it was trained with.

        Raises:
            UserError: The list has another type.
        """
        trained = installed(model.config, FAMILY).get("types")
        if trained is not None:
            for name in sorted(set(self.marker.types) - set(trained)):
                raise UserError(
                    f"knowledge.file={self.file} has the type '{name}', for which the model was not trained"
                    f"{suggestion(name, trained, 'types')}"
                )
            self.marker.types = list(trained)
        module = KnownTypes(len(self.marker.types), model.get_input_embeddings().weight.shape[1])
        attach(model, FAMILY, module)
        module.watch(model, keeps_marks=keeps_marks)
        note_installed(model.config, FAMILY, {"name": "gazetteer", "types": self.marker.types})


class Marker:
    """Marks the words of a document by the types of the entries that they belong to."""

    def __init__(self, entries: Mapping[str, frozenset[Words]]) -> None:
        """Take the entries of each type."""
        self.types = list(entries)
        """Types in the order of their bits; those of the checkpoint, where there is one."""
        self._entries = dict(entries)
        self._phrases = Phrases(words for found in entries.values() for words in found)

    @cached_property
    def _digest(self) -> str:
        entries = {name: sorted(found) for name, found in self._entries.items()}
        return hashlib.sha256(json.dumps(entries).encode()).hexdigest()

    @property
    def key(self) -> str:
        """Return a digest of entries and types."""
        return f"{self._digest} {json.dumps(self.types)}"

    def __call__(self, words: Sequence[str]) -> IntArray:
        """Return (L,) sums of bits: for type t, bit ``FIRST_KNOWN + 2t`` begins an entry, and the next continues it."""
        marks = np.zeros(len(words), np.int64)
        for place, name in enumerate(self.types):
            begins = 1 << (FIRST_KNOWN + 2 * place)
            for found in self._phrases.longest(words, self._entries.get(name, frozenset())):
                marks[found.start] |= begins
                marks[found.start + 1 : found.stop] |= begins << 1
        return marks
