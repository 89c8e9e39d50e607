"""Texts of training documents, translated there and back by two runs before training, and kept in the run."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ctxlab.core.augmentation import Augmentation
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data.splits import Splits
from ctxlab.data.streamed import StreamedDocuments
from ctxlab.runtime.ranks import current
from ctxlab.tracking.console import ProgressDisplay
from ctxlab.training import checkpoint
from ctxlab.workbench.other_run import parts_of
from ctxlab.workbench.parts import Parts

FILE = "translations.jsonl"
"""File of a run: a line for each text, with its key and its translation there and back."""

TEXTS_AT_ONCE = 32
"""Texts that are translated before their lines are written."""

ENDS = ("there", "back")
"""Keys of ``augment`` with the translating runs, in order."""

OpenBench = Callable[..., Any]


def check_translators(parts: Parts) -> None:
    """Refuse a run whose augmentation needs translating runs that are not there, before any document is read.

    A resumed run has its translations, or opens those runs again.

    Raises:
        UserError: There is no such run, or it does not translate; there are several processes.
    """
    runs = parts.augment.translators
    if runs is None or not parts.augment.share:
        return
    if current().size > 1:
        raise UserError(
            f"augment={option(parts.augment)} translates in one process: use trainer.processes=1, or augment=none."
        )
    for run, end in zip(runs, ENDS, strict=True) if parts.start is None else ():
        _parts(parts, run, f"augment.{end}")


def translated(
    parts: Parts, documents: Sequence[Document] | StreamedDocuments, task: Task, open_bench: OpenBench
) -> Augmentation:
    """Return the augmentation of a run with the translations of its documents, where it asks for them.

    Those that the run's directory has are not made again, so that a resumed run trains on the same texts.

    Args:
        parts: The run to be trained.
        documents: Its training documents.
        task: Says where they have their text.
        open_bench: Opens the translating runs, ``workbench.opening.open_bench``.

    Raises:
        UserError: The documents are not in memory, or a run cannot be opened.
    """
    augmentation, runs = parts.augment, parts.augment.translators
    if runs is None or not augmentation.share:
        return augmentation
    name = f"augment={option(augmentation)}"
    if isinstance(documents, StreamedDocuments):
        raise UserError(f"{name} translates all documents before training, and a file of this size is read in parts: "
                        "use a smaller file, or augment=none.")  # fmt: skip
    assert task.shape is not None
    texts = list(dict.fromkeys(document.fields[task.shape.text] for document in documents))
    file = parts.origin.run_dir / FILE
    known = _read(file)
    keys = {text: _key(text, runs) for text in texts}
    missing = [text for text in texts if keys[text] not in known]
    if missing:
        there, back = (
            _translator(parts, run, f"augment.{end}", open_bench) for run, end in zip(runs, ENDS, strict=True)
        )
        for text, new in _pairs(missing, there, back):
            known[keys[text]] = new
            _append(file, keys[text], new)
    own = copy.deepcopy(augmentation)
    own.take_translations({text: known[key] for text, key in keys.items()})
    return own


def _translator(parts: Parts, run: str, key: str, open_bench: OpenBench) -> Any:
    """Open a translating run; returns what answers documents."""
    return open_bench(_parts(parts, run, key), lambda _: Splits(train=[], validation=[], test=[])).bench.answerer()


def _parts(parts: Parts, run: str, key: str) -> Parts:
    """Return the parts of a translating run.

    Raises:
        UserError: There is no such run, it was trained for another task, or no checkpoint of it is valid.
    """
    other = parts_of(key, run, parts)
    if other.task.name != "translation":
        raise UserError(f"{key}={run} is a run of task={other.task.name}: give one of task=translation.")
    assert other.start is not None
    checkpoint.find(other.start.folder, other.start.checkpoint)
    return other


def _pairs(texts: Sequence[str], there: Any, back: Any) -> Iterator[tuple[str, str]]:
    """Yield each text with its translation there and back, and show how far it is."""
    with ProgressDisplay("translate") as display:
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            group = texts[start : start + TEXTS_AT_ONCE]
            yield from zip(group, _translations(_translations(group, there), back), strict=True)
            done = start + len(group)
            display.update(done / len(texts), f"{done:,} documents")


def _translations(texts: Sequence[str], answerer: Any) -> list[str]:
    """Return the translation of each text; that of an empty one is empty."""
    documents = [Document(str(i), {"source": text}, f"text {i + 1}") for i, text in enumerate(texts) if text.strip()]
    found = {answer.record["id"]: answer.record["text"] for answer in answerer.answers(documents)} if documents else {}
    return [found.get(str(i), "") for i in range(len(texts))]


def _key(text: str, runs: tuple[str, str]) -> str:
    return hashlib.sha256(json.dumps([*runs, text]).encode()).hexdigest()


def _read(file: Path) -> dict[str, str]:
    """Return the translations in a file by key; a line that a kill has cut short is left out."""
    found: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").split("\n") if file.is_file() else ():
        try:
            record = json.loads(line)
            found[record["key"]] = str(record["text"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _append(file: Path, key: str, text: str) -> None:
    """Write a line; the line end comes first, so that a line that a kill has cut short does not spoil it."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write("\n" + json.dumps({"key": key, "text": text}))
