"""The user's own files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ctxlab.core.data import Record, RecordFile, Source
from ctxlab.data.identity import check_max_documents
from ctxlab.data.readers.json_lines import JsonLines, has_json_lines
from ctxlab.data.readers.read import read_file

STREAMED_BYTES = 1 << 26
"""Size from which JSON lines are read while training goes on: with their tokens, smaller ones fit the memory."""


class Files(Source):
    """Files in any format that ``readers.read`` supports, one per split."""

    invented = False

    def __init__(
        self,
        train_file: str | None = None,
        validation_file: str | None = None,
        test_file: str | None = None,
        max_documents: int | None = None,
        stages: Sequence[Any] | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            train_file: Path of the training documents, relative to the current directory.
            validation_file: Path of those that select the checkpoint; None holds out some training documents.
            test_file: Path of those scored once at the end; None for none.
            max_documents: Maximum documents per split, at least 1; None reads all.
            stages: Corpora in sequence, see ``Source.stages``.
        """
        check_max_documents(max_documents)
        self._files = {"train": train_file, "validation": validation_file, "test": test_file}
        self._max_documents, self.stages = max_documents, stages
        self.notes: list[str] = []

    def load(self, task_name: str, split: str, seed: int) -> list[Record] | None:
        """Read the first ``max_documents`` records of the split's file."""
        file = self._files[split]
        return None if file is None else read_file(file, task_name, self.notes)[: self._max_documents]

    def stream(self, task_name: str, split: str) -> RecordFile | None:
        """Return the lines of the split's file if it has JSON lines and at least ``STREAMED_BYTES``."""
        path = Path(self._files[split] or "").expanduser()
        return JsonLines(path, task_name, self._max_documents) if has_json_lines(path, STREAMED_BYTES) else None
