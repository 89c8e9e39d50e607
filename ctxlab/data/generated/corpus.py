"""The source that writes its own documents, so that every task runs without a network."""

import difflib
import importlib
from collections.abc import Sequence
from pathlib import Path

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.identity import check_max_documents

SHORTEST = 20
"""Words of a document that a grammar can always fill."""


class Generated:
    """Documents with gold whose evidence lies at a controlled distance, a pure function of seed, split and index.

    The grammar of a task is ``ctxlab/data/generated/<task>.py`` with a function ``generate``.
    """

    invented = True

    def __init__(
        self,
        documents: int = 40,
        validation_documents: int = 8,
        test_documents: int = 8,
        words_per_document: int = 3000,
        ambiguous_share: float = 0.1,
        evidence_distance: Sequence[int] = (16, 64, 256, 1024),
        max_documents: int | None = None,
    ) -> None:
        check_max_documents(max_documents)
        counts = {
            "documents": documents,
            "validation_documents": validation_documents,
            "test_documents": test_documents,
        }
        for name, count in counts.items():
            least = 1 if name == "documents" else 0
            if count < least:
                raise UserError(f"data.{name}={count} is too few: give at least {least}.")
        if words_per_document < SHORTEST:
            raise UserError(f"data.words_per_document={words_per_document} is too short: give at least {SHORTEST}.")
        if not 0 <= ambiguous_share <= 1:
            raise UserError(f"data.ambiguous_share={ambiguous_share} is no share: give a number from 0 to 1.")
        if not evidence_distance or min(evidence_distance) < 1:
            raise UserError(
                f"data.evidence_distance={list(evidence_distance)} is no list of distances: "
                "give word counts of at least 1, such as [16,64]."
            )
        self._counts = dict(zip(("train", "validation", "test"), counts.values(), strict=True))
        self._options = {
            "words_per_document": words_per_document,
            "ambiguous_share": ambiguous_share,
            "evidence_distance": tuple(evidence_distance),
        }
        self._max_documents = max_documents

    def load(self, task_name: str, split: str, seed: int) -> list[Record]:
        """Documents of the split; raises UserError where the task has no grammar."""
        count = min(self._counts[split], self._max_documents or self._counts[split])
        module = importlib.import_module(f"ctxlab.data.generated.{_checked(task_name)}")
        records = module.generate(split=split, seed=seed, documents=count, **self._options)
        return [Record(fields, f"generated {split} document {index}") for index, fields in enumerate(records, start=1)]


def grammars() -> list[str]:
    """Tasks that have a grammar."""
    names = (path.stem for path in Path(__file__).parent.glob("*.py"))
    return sorted(name for name in names if not name.startswith("_") and name != Path(__file__).stem)


def _checked(task_name: str) -> str:
    known = grammars()
    if task_name in known:
        return task_name
    close = difflib.get_close_matches(task_name, known, n=1)
    hint = f"; the nearest is {close[0]}" if close else ""
    raise UserError(
        f"There is no generated corpus for task={task_name}{hint} (there are: {', '.join(known)}): "
        "use your own files with data=files data.train_file=…."
    )
