"""The items of each step where the training documents stay in their file: an epoch is read in blocks.

To the loop a block is what an epoch is in memory: the cursor counts blocks, and steps within a block. A block is a
function of (seed, number of the block) alone, so that a run resumes from it without reading what came before.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.passes import Item
from ctxlab.core.types import Document, Encoded
from ctxlab.data.sampler import plan_epoch
from ctxlab.data.streamed import StreamedDocuments
from ctxlab.runtime.forward import make_items
from ctxlab.training.stream import Epoch, Read, Resample, Stream
from ctxlab.training.window_selection import Choose, SkippedWindows, choose_windows

Encode = Callable[[Sequence[Document]], tuple[Sequence[Encoded], list[str]]]
"""Returns the tokens of documents, and notes."""

Change = Callable[[Sequence[Document], int], Sequence[Document]]
"""Returns documents as an epoch sees them, before they are tokenised."""

PART = "the part of the training documents that was read last"


class DocumentIds(Sequence[str]):
    """The ids of the documents of the block that is in memory."""

    def __init__(self) -> None:
        self.current: list[str] = []

    def __len__(self) -> int:
        return len(self.current)

    def __getitem__(self, index: Any) -> Any:
        return self.current[index]


class BlockStream(Stream):
    """The training items of each block of a large file."""

    def __init__(
        self,
        documents: StreamedDocuments,
        encode: Encode,
        read: Read,
        resample: Resample,
        choose: Choose,
        tokens_per_step: int,
        seed: int,
        *,
        change: Change | None = None,
    ) -> None:
        """Store the documents and the functions that divide them into steps.

        Args:
            documents: The training documents.
            encode: Tokenises the documents of a block.
            read: Returns the windows of a document at a context length.
            resample: A document as an epoch sees it.
            choose: Returns the windows of an item that training needs.
            tokens_per_step: Maximum tokens of a step, without padding.
            seed: Seed of the run.
            change: Changes the documents of a block; None for a training without augmentation.
        """
        super().__init__((), read, resample, choose=choose, tokens_per_step=tokens_per_step, seed=seed)
        self._documents, self._encode, self._change = documents, encode, change
        self._block: tuple[int, Sequence[Encoded]] | None = None
        self.document_ids = DocumentIds()
        """Ids by the number of a document in the block that was read last."""
        self.notes: list[str] = []
        """Choices made while that block was read and tokenised, one sentence each."""

    def epoch(self, index: int, length: int, share: float = 1.0, losses: Sequence[float] = ()) -> Epoch:
        """Return block ``index``, counted over all epochs, with windows for a context of ``length``.

        A block without any label or target is replaced by the next one that has some. The last block is cached. All
        items are admitted, since a curriculum that selects needs them all in memory.

        Raises:
            UserError: A document is invalid, or no window of any block has a label or target.
        """
        if self._epoch is None or self._epoch[0] != (index, length):
            for number in range(index, index + self._documents.num_blocks):
                items, skipped = self._items_of(number, length)
                if items:
                    break
            else:
                raise UserError(
                    f"No label or target of the training documents is in any of their windows at context.length="
                    f"{length}; give a longer context, or documents with gold."
                )
            lengths = [len(item) for item in items]
            steps = plan_epoch(lengths, self._tokens_per_step, self._seed, number)
            share = self._documents.share(index % self._documents.num_blocks)
            self._epoch = (index, length), Epoch(items, lengths, steps, skipped=skipped, share=share)
        return self._epoch[1]

    @property
    def documents(self) -> Sequence[Encoded]:
        """Return the documents of the block that was read last."""
        return self.encoded(self._block[0] if self._block is not None else 0)

    def encoded(self, index: int) -> Sequence[Encoded]:
        """Return the tokens of the documents of block ``index``; those of the last block are cached."""
        if self._block is None or self._block[0] != index:
            self._block = self._epoch = None  # two blocks are never in memory
            epoch, block = divmod(index, self._documents.num_blocks)
            read = self._documents.block(self._seed, epoch, block)
            current = read.documents if self._change is None else self._change(read.documents, epoch)
            encoded, notes = self._encode(current)
            self._block, self.notes = (index, encoded), [*read.notes, *notes]
            self.document_ids.current = [document.id for document in read.documents]
        return self._block[1]

    def _items_of(self, index: int, length: int) -> tuple[list[Item], SkippedWindows]:
        encoded = self.encoded(index)
        documents = [self._resample(one, self._seed_of(index, i)) for i, one in enumerate(encoded)]
        items = (item for i, one in enumerate(documents) for item in make_items(i, one, self._read(one, length)))
        return choose_windows(items, self._choose, PART)
