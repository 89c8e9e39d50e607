"""Tokenising documents, with a disk cache by content and tokenizer."""

import hashlib
import json
import logging
import multiprocessing
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ctxlab.core.cache import make_once
from ctxlab.core.files import write_json
from ctxlab.core.folders import fault, sha256
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Encoded
from ctxlab.data import token_file
from ctxlab.text.known import known_characters, known_words, unknown_id

FORMAT = 11
"""Increased whenever the stored fields or the encoding of tasks change."""

DOCUMENTS, NOTES = "documents.arrow", "notes.json"
"""Content of an entry: the tokens as Arrow, and the notes of the task."""

DOCUMENTS_PER_SHARE = 16
"""Documents per job of a tokenising process."""

logger = logging.getLogger(__name__)


def encode_documents(
    task: Task, documents: Sequence[Document], tokenizer: Any, cache_dir: Path, num_workers: int = 0
) -> Sequence[Encoded]:
    """Tokenise whole documents, or read them from ``<cache_dir>/encoded/<fingerprint>``.

    They stay in the cache's file, and are new objects at every access. A damaged entry is replaced; if the cache cannot
    be written a warning is logged once and it is not used. Notes that the task adds while encoding are stored in the
    entry and added again.

    Args:
        task: Encodes documents; its labels are known.
        documents: As the task parsed them.
        tokenizer: A fast tokenizer.
        cache_dir: Root of the cache.
        num_workers: Processes that tokenise; 0 does it in this one.
    """
    if not documents:
        return []
    entry = cache_dir / "encoded" / fingerprint(task, documents, tokenizer)
    stored = _load(entry, len(documents))
    if stored is None:
        stored = encode_now(task, documents, tokenizer, num_workers)
        try:
            _store(entry, *stored)
            stored = _load(entry, len(documents)) or stored
        except OSError as error:
            _say_once(
                f"The token cache {cache_dir} cannot be written ({error.strerror or error}): continuing without it."
            )
    encoded, notes = stored
    task.notes.extend(note for note in notes if note not in task.notes)
    return encoded


def fingerprint(task: Task, documents: Sequence[Document], tokenizer: Any) -> str:
    """Return the name of the cache entry: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    beside = [] if task.beside is None else [task.beside.key]
    for part in (FORMAT, task.name, task.labels, task.encode_options, _foreign_code(task), *beside):
        digest.update(json.dumps(part).encode() + b"\n")
    # The task's other options act before (parse) or after (loss) encoding, so that these and the content suffice.
    digest.update(tokenizer.backend_tokenizer.to_str().encode() + b"\n")
    for document in documents:
        # The origin occurs in notes.
        digest.update(
            json.dumps([document.id, document.origin, dict(document.fields)], default=_plain).encode() + b"\n"
        )
    return digest.hexdigest()


def _foreign_code(task: Task) -> list[str]:
    """Return checksums of the files with the task's classes outside ctxlab, whose changes ``FORMAT`` does not count."""
    modules = dict.fromkeys(cls.__module__ for cls in type(task).__mro__)
    foreign = (name for name in modules if name.split(".")[0] not in ("ctxlab", *sys.stdlib_module_names))
    files = (getattr(sys.modules.get(name), "__file__", None) for name in foreign)
    return [sha256(Path(file)) for file in files if file]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":  # numbers of words, of which there may be millions
        return [str(value.dtype), value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def encode_now(
    task: Task, documents: Sequence[Document], tokenizer: Any, num_workers: int = 0
) -> tuple[list[Encoded], list[str]]:
    """Tokenise whole documents without the cache; returns them and the notes, which are not added to the task's.

    Args:
        task: Encodes documents; its labels are known.
        documents: As the task parsed them.
        tokenizer: A fast tokenizer.
        num_workers: Processes that tokenise; 0 does it in this one.
    """
    if not num_workers:
        return _encode_share(task, documents, tokenizer)
    shares = [documents[i : i + DOCUMENTS_PER_SHARE] for i in range(0, len(documents), DOCUMENTS_PER_SHARE)]
    # Spawned, because a process that has used the tokenizer's threads must not be forked.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(num_workers, len(shares)), mp_context=context) as pool:
        results = list(pool.map(_encode_share, [task] * len(shares), shares, [tokenizer] * len(shares)))
    return [e for encoded, _ in results for e in encoded], [note for _, notes in results for note in notes]


def _encode_share(task: Task, documents: Sequence[Document], tokenizer: Any) -> tuple[list[Encoded], list[str]]:
    """Return encoded documents, and the notes that the task added (removed from its notes)."""
    count = len(task.notes)
    encoded = [
        _with_known(task, *pair, tokenizer) for pair in zip(documents, task.encode(documents, tokenizer), strict=True)
    ]
    notes = task.notes[count:]
    del task.notes[count:]
    return encoded, notes


def _with_known(task: Task, document: Document, encoded: Encoded, tokenizer: Any) -> Encoded:
    """Add the counts of characters that the tokenizer knows and does not know, and what stands before every window."""
    unknown = unknown_id(tokenizer)
    if len(encoded.starts):
        known = known_characters(encoded.input_ids, encoded.starts, encoded.ends, unknown)
    else:
        known = known_words(document.fields.get("tokens", ()), encoded.input_ids, encoded.word_ids, unknown)
    if task.beside is not None:
        encoded = task.beside(encoded, tokenizer)
    return replace(encoded, num_characters=known.characters, num_unknown=known.unknown, num_split=known.split)


def _store(entry: Path, encoded: Sequence[Encoded], notes: Sequence[str]) -> None:
    def fill(folder: Path) -> None:
        token_file.write(folder / DOCUMENTS, encoded)
        write_json(folder / NOTES, list(notes))

    make_once(entry, fill)


def _load(entry: Path, count: int) -> tuple[Sequence[Encoded], list[str]] | None:
    """Return the content of ``entry``, or None if it is missing or damaged."""
    if not entry.is_dir():
        return None
    try:
        if problem := fault(entry):
            raise ValueError(problem)
        encoded = token_file.TokenFile(entry / DOCUMENTS)
        if len(encoded) != count:
            raise ValueError(f"it holds {len(encoded)} documents instead of {count}")
    except Exception as error:  # whatever is wrong with it, it can be recomputed
        logger.warning("The token cache entry %s is damaged (%s) and is recomputed.", entry, error)
        shutil.rmtree(entry, ignore_errors=True)
        return None
    notes: list[str] = json.loads((entry / NOTES).read_text(encoding="utf-8"))
    return encoded, notes


@cache
def _say_once(message: str) -> None:
    logger.warning(message)
