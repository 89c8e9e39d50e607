"""Reading a file of documents: the reader is chosen by extension, the format of records by their fields."""

import difflib
import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats.known import converted
from ctxlab.data.identity import identified
from ctxlab.data.readers import brat
from ctxlab.data.readers.conll import looks_like_columns
from ctxlab.data.readers.foreign import conversion
from ctxlab.data.readers.table import has_header
from ctxlab.data.readers.tally import Tally
from ctxlab.data.readers.text import read_text
from ctxlab.data.readers.unpacked import UNPACK, bare

READERS = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".csv": "table",
    ".tsv": "table",
    ".conll": "conll",
    ".conllu": "conll",
    ".conllup": "conll",
    ".bio": "conll",
    ".bioes": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".ann": "brat",
    ".hocr": "hocr",
    ".txt": "conll",
}
"""Extension → module under ``ctxlab/data/readers``; ``.gz``, ``.bz2`` and ``.xz`` may follow the extension."""

COLUMNS = frozenset({".train", ".testa", ".testb", ".dev", ".test", ".valid", ".tags", ".col"})
"""Extensions of column files that are named by their split, as CoNLL 2003's ``eng.train``."""

PLAIN = ".txt"
"""Extension of plain text, one document per file, unless it has columns and the task tags words."""

TAGS_WORDS = frozenset({"ner"})
"""Tasks whose plain files may be columns."""

MARKS_TEXTS = TAGS_WORDS | {"relation"}
"""Tasks that read the annotations beside a plain text."""


PAGES = (".hocr", ".json")
"""Extensions of files of one page each (hOCR, FUNSD), of which a folder is read as a whole."""


def read_file(path: str | Path, task_name: str = "", notes: list[str] | None = None) -> list[Record]:
    """Read the records of one file, in the fields that the task reads, each with an id; ``~`` is the home folder.

    A folder means all plain texts in it, or, for tasks of entities, its brat files; for task=ner without any, its pages
    as hOCR or JSON.

    Args:
        path: File or folder.
        task_name: The task that reads it; without one ``.txt`` files are columns.
        notes: Receives a sentence for each choice that the reader made.

    Raises:
        UserError: The file is missing, empty, of an unknown kind or not well formed, or repeats an id.
    """
    path = Path(path).expanduser()
    files = _folder(path, task_name) if path.is_dir() else []
    if not files:
        _check(path)
    return read_files(files or [path], task_name, bare(path).stem, notes)


def read_files(files: Sequence[Path], task_name: str, stem: str, notes: list[str] | None = None) -> list[Record]:
    """Read the records of several files as one; see ``read_file``.

    Args:
        files: Existing files.
        task_name: The task that reads them.
        stem: Prefix of the ids of records without one.
        notes: Receives a sentence for each choice that the reader made.
    """
    found = (record for file in files for record in _read(file, task_name))
    sentences: list[str] = []
    records = recognised(found, task_name, stem, sentences)
    if notes is not None:
        notes.extend(f"{files[0].name}: {sentence}" for sentence in sentences)
    return records


def recognised(records: Iterable[Record], task_name: str, stem: str, notes: list[str]) -> list[Record]:
    """Return records in the fields that the task reads, whatever tool wrote them, each with an id.

    Args:
        records: Records of files, or given from Python.
        task_name: The task that reads them.
        stem: Prefix of the ids of records without one.
        notes: Receives a sentence for each choice that was made.

    Raises:
        UserError: A record does not follow its format, or repeats an id.
    """
    tally = Tally()
    found = identified(list(converted(records, task_name, tally)), stem)
    notes.extend(tally.sentences())
    return found


def _folder(path: Path, task_name: str) -> list[Path]:
    if not task_name:
        return []
    if task_name not in MARKS_TEXTS:
        return sorted(path.glob(f"*{PLAIN}"))
    kinds = (brat.ANNOTATIONS, *(PAGES if task_name in TAGS_WORDS else ()))
    return next((found for kind in kinds if (found := sorted(path.glob(f"*{kind}")))), [])


def _read(path: Path, task_name: str) -> list[Record]:
    try:
        file = brat.beside(path) if task_name in MARKS_TEXTS else None
        name = _reader(file or path, task_name)
        records: list[Record] = importlib.import_module(f"ctxlab.data.readers.{name}").read(file or path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}): check its permissions.") from None
    return records


def _reader(path: Path, task_name: str) -> str:
    """Return the name of the reader: that of the extension, unless the text shows another one."""
    extension = bare(path).suffix.lower()
    if extension == PLAIN and task_name:
        return "conll" if task_name in TAGS_WORDS and looks_like_columns(read_text(path)) else "plain"
    if extension == ".tsv" and task_name in TAGS_WORDS | {""} and not has_header(read_text(path)):
        return "conll"
    return _known(path) or "plain"


def _known(path: Path) -> str | None:
    extension = bare(path).suffix.lower()
    is_columns = extension.endswith("conll") or extension in COLUMNS  # .v4_gold_conll of OntoNotes
    return READERS.get(extension, "conll" if is_columns else None)


def _check(path: Path) -> None:
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file in it, or load a data set folder with data=hub data.path=….")
    if not path.exists():
        raise UserError(f"The file {path} does not exist{_nearest(path)}.")
    if _known(path) is None:
        other = conversion(path)
        if other is not None:
            raise UserError(f"{path} is {other}.")
        raise UserError(
            f"{path} has the extension '{path.suffix}', which no reader knows: use one of {', '.join(READERS)}, "
            f"optionally compressed ({', '.join(UNPACK)})."
        )


def _nearest(path: Path) -> str:
    """Suggest another name in the folder, as the end of a sentence."""
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    if folder != path.parent:
        return f", and neither does its folder: the path exists only as far as {folder}"
    names = [entry.name for entry in folder.iterdir() if _known(entry) is not None]
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.4)
    return (
        f"; the nearest name there is {close[0]}" if close else f"; give an existing path ({folder} has no such file)"
    )
