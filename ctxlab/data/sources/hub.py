"""Data sets from the hub or a local folder."""

import difflib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ctxlab.core.data import Record, Source
from ctxlab.core.errors import UserError
from ctxlab.core.quiet import quiet
from ctxlab.data.class_names import named
from ctxlab.data.formats.known import converted
from ctxlab.data.identity import check_max_documents, identified
from ctxlab.data.local_splits import typeless_files
from ctxlab.data.readers.read import read_files
from ctxlab.data.readers.tally import Tally

ALIASES = {"train": ("train",), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
"""Split → names in data sets, the most common first."""


class Hub(Source):
    """A data set given by hub id or folder, loaded by ``datasets.load_dataset``; its code is never run."""

    invented = False

    def __init__(
        self,
        path: str | None,
        name: str | None = None,
        max_documents: int | None = None,
        stages: Sequence[Any] | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            path: Hub id or folder.
            name: Configuration of a data set that has several; None for its only one.
            max_documents: Maximum documents per split, at least 1; None reads all.
            stages: Corpora in sequence, see ``Source.stages``.

        Raises:
            UserError: There is no path.
        """
        if not path:
            raise UserError("data=hub has no data set to load: set data.path=<hub id or folder>.")
        check_max_documents(max_documents)
        self._path, self._name, self._max_documents = path, name, max_documents
        self.stages = stages
        self.notes: list[str] = []

    def load(self, task_name: str, split: str, seed: int) -> list[Record] | None:
        """Read the first ``max_documents`` records of the split, with class names instead of numbers."""
        if self._files:
            files = self._files.get(split)
            return None if files is None else read_files(files, task_name, split, self.notes)[: self._max_documents]
        found = next((alias for alias in ALIASES[split] if alias in self._splits), None)
        if found is None:
            return None
        rows = self._splits[found]
        count = min(len(rows), self._max_documents or len(rows))
        if not count:
            raise UserError(f"The split '{found}' of {self._path} is empty: name another data set in data.path.")
        label = f"{self._path}/{found}"
        tally = Tally()
        records = (
            Record(named(fields, rows.features), f"{label} row {row}")
            for row, fields in enumerate(rows.select(range(count)), start=1)
        )
        found_records = list(converted(records, task_name, tally))[: self._max_documents]
        self.notes.extend(f"{label}: {sentence}" for sentence in tally.sentences())
        return identified(found_records, f"{Path(self._path).name}-{found}")

    @cached_property
    def _files(self) -> Mapping[str, list[Path]]:
        """Return the files of a local folder by split, if the library would guess the types of their values; else
        none."""
        folder = Path(self._path).expanduser()
        return {} if self._name or not folder.is_dir() else typeless_files(folder, ALIASES)

    @cached_property
    def _splits(self) -> Mapping[str, Any]:
        from datasets import Dataset

        loaded = self._load()
        return {"train": loaded} if isinstance(loaded, Dataset) else loaded

    def _load(self) -> Any:
        folder = Path(self._path).expanduser()
        if not folder.exists() and self._path[0] in "/.~":  # no hub id begins like this
            raise UserError(f"The folder {folder} does not exist{_nearest(folder)}: set data.path to one that does.")
        try:
            with quiet("huggingface_hub"):  # hide each attempt of its client; the final error is raised
                return self._read(folder)
        except Exception as error:  # the library and its clients raise errors of many kinds
            raise UserError(self._explain(folder, error)) from error

    def _read(self, folder: Path) -> Any:
        from datasets import load_dataset, load_from_disk

        if any((folder / marker).is_file() for marker in ("dataset_dict.json", "state.json")):
            return load_from_disk(str(folder))
        return load_dataset(str(folder) if folder.exists() else self._path, self._name)

    def _explain(self, folder: Path, error: Exception) -> str:
        reason = " ".join(str(error).split()).rstrip(". ")[:300]
        if folder.exists():
            return f"The folder {folder} does not load as a data set ({reason}): check data.path and data.name."
        return (
            f"The data set '{self._path}' cannot be loaded from the hub ({type(error).__name__}: {reason}): check "
            f"data.path and the connection{_nearest(folder)}, or use your own files with data=files "
            "data.train_file=…."
        )


def _nearest(folder: Path) -> str:
    """Suggest a folder with a similar name, as the end of a clause."""
    near = [entry.name for entry in folder.parent.iterdir() if entry.is_dir()] if folder.parent.is_dir() else []
    close = difflib.get_close_matches(folder.name, near, n=1, cutoff=0.8)
    return f" (the nearest folder is {folder.parent / close[0]})" if close else ""
