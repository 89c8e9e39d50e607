"""One file of documents, whatever its kind; the extension says which."""

import difflib
import importlib
from pathlib import Path

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.identity import identified

READERS = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".txt": "conll",
}
"""Extension to the file under ``ctxlab/data/readers`` that reads it."""


PLAIN = ".txt"
"""Extension of plain text, a document a file, for tasks that read plain text."""

PLAIN_TASKS = frozenset({"lm", "mlm", "classification"})
"""These tasks; to all others such a file is CoNLL columns."""


def read_file(path: str | Path, task_name: str = "") -> list[Record]:
    """Records of one file, each with an id; ``~`` is the home folder.

    For tasks that read plain text a ``.txt`` file is a document, and a folder all such files in it by name.

    Raises:
        UserError: The file is missing, empty, of an unknown kind or not well formed, or repeats an id.
    """
    path = Path(path).expanduser()
    plain = task_name in PLAIN_TASKS
    files = sorted(path.glob(f"*{PLAIN}")) if plain and path.is_dir() else []
    if not files:
        _check(path)
    records = [record for file in files or [path] for record in _read(file, plain=plain)]
    return identified(records, path.stem)


def _read(path: Path, *, plain: bool) -> list[Record]:
    extension = path.suffix.lower()
    name = "plain" if plain and extension == PLAIN else READERS[extension]
    try:
        records: list[Record] = importlib.import_module(f"ctxlab.data.readers.{name}").read(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}): check its permissions.") from None
    return records


def _check(path: Path) -> None:
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file in it, or load a data set folder with data=hub data.path=….")
    if not path.exists():
        raise UserError(f"The file {path} does not exist{_nearest(path)}.")
    if path.suffix.lower() not in READERS:
        raise UserError(
            f"{path} has the extension '{path.suffix}', which no reader knows: use one of {', '.join(READERS)}."
        )


def _nearest(path: Path) -> str:
    """What the folder has instead, as the end of a sentence."""
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    if folder != path.parent:
        return f", and neither does its folder: the path exists only as far as {folder}"
    names = [entry.name for entry in folder.iterdir() if entry.suffix.lower() in READERS]
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.4)
    return (
        f"; the nearest name there is {close[0]}" if close else f"; give a path that does ({folder} has no such file)"
    )
