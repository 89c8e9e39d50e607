"""The user's own files."""

from ctxlab.core.data import Record, Source
from ctxlab.data.identity import check_max_documents
from ctxlab.data.readers.read import read_file


class Files(Source):
    """Files in any format that ``readers.read`` supports, one per split."""

    invented = False

    def __init__(
        self,
        train_file: str | None = None,
        validation_file: str | None = None,
        test_file: str | None = None,
        max_documents: int | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            train_file: Path of the training documents, relative to the current directory.
            validation_file: Path of those that select the checkpoint; None holds out some training documents.
            test_file: Path of those scored once at the end; None for none.
            max_documents: Maximum documents per split, at least 1; None reads all.
        """
        check_max_documents(max_documents)
        self._files = {"train": train_file, "validation": validation_file, "test": test_file}
        self._max_documents = max_documents
        self.notes: list[str] = []

    def load(self, task_name: str, split: str, seed: int) -> list[Record] | None:
        """Read the first ``max_documents`` records of the split's file."""
        file = self._files[split]
        return None if file is None else read_file(file, task_name, self.notes)[: self._max_documents]
