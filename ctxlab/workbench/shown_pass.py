"""A pass over training documents that stay in their file, with its progress on the screen."""

from collections.abc import Iterator
from dataclasses import dataclass

from ctxlab.core.types import Document
from ctxlab.data.streamed import StreamedDocuments
from ctxlab.tracking.console import ProgressDisplay

UPDATES = 1000
"""Times that a pass shows how far it is, at most."""


@dataclass(frozen=True)
class ShownPass:
    """The documents of a large file, each pass over which says what it is for and how far it is."""

    documents: StreamedDocuments
    title: str

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        every = max(len(self) // UPDATES, 1)
        with ProgressDisplay(self.title) as display:
            for number, document in enumerate(self.documents, 1):
                if number % every == 0:
                    display.update(min(number / len(self), 1.0), f"{number:,} documents")
                yield document
