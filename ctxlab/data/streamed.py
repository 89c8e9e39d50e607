"""Training documents of a file that is too large for memory: parsed and tokenised in blocks, when training needs them.

An epoch takes all lines in an order drawn from (seed, epoch), in blocks of about ``BLOCK_BYTES``. So a block is
a function of the file, the seed and its number, whatever was read before and by whichever process: resuming needs the
number of the block and no buffer of a shuffle.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ctxlab.core.data import RecordFile
from ctxlab.core.task import Task
from ctxlab.core.types import Document, IntArray
from ctxlab.data.parsing import documents_of, split_documents

BLOCK_BYTES = 1 << 22
"""Bytes of the file in a block, about a million tokens of text: a few seconds of tokenising, and little memory."""


@dataclass(frozen=True, slots=True)
class Block:
    """The documents of some lines."""

    documents: list[Document]
    notes: list[str]
    """Choices that were made where the user gave none, one sentence each."""


class StreamedDocuments:
    """The training documents of a large file."""

    def __init__(self, records: RecordFile, lines: IntArray, task: Task) -> None:
        """Store where the documents are.

        Args:
            records: The file.
            lines: (N,) numbers of the lines for training.
            task: Checks and divides the records of a line.
        """
        self._records, self._lines, self._task = records, lines, task
        share = len(lines) / max(len(records), 1)
        self.num_blocks = max(min(round(records.num_bytes * share / BLOCK_BYTES), len(lines)), 1)

    def __len__(self) -> int:
        """Return the number of lines, which are documents unless they are of another tool, or blank."""
        return len(self._lines)

    def __iter__(self) -> Iterator[Document]:
        """Read all documents once, in the order of the file."""
        for lines in np.array_split(self._lines, self.num_blocks):
            yield from self._read(lines).documents

    def share(self, block: int) -> float:
        """Return the fraction of the lines that are in a block of an epoch."""
        start, end = self._bounds(block)
        return (end - start) / len(self._lines)

    def block(self, seed: int, epoch: int, block: int) -> Block:
        """Read a block of an epoch; over all blocks every line is in one.

        Args:
            seed: Seed of the run.
            epoch: Index of the pass over the file.
            block: Number of the block, below ``num_blocks``.

        Raises:
            UserError: A document is invalid; names its line.
        """
        order = np.random.default_rng((seed % 2**63, epoch)).permutation(len(self._lines))
        start, end = self._bounds(block)
        read = self._read(self._lines[order[start:end]])
        self._task.check_labels(read.documents)
        return read

    def _bounds(self, block: int) -> tuple[int, int]:
        count = len(self._lines)
        return block * count // self.num_blocks, (block + 1) * count // self.num_blocks

    def _read(self, lines: IntArray) -> Block:
        """Parse the documents of some lines; the notes of the task stay as they are."""
        before, notes = list(self._task.notes), list[str]()
        records = [record for row in self._records.read(lines.tolist(), notes) for record in row]
        documents = split_documents(self._task, documents_of(self._task, records, gold=True))
        notes += [note for note in self._task.notes if note not in before]
        self._task.notes[:] = before
        return Block(documents, notes)
