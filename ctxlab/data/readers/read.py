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


def read_file(path: str | Path) -> list[Record]:
    """Records of one file, each with an id; ``~`` is the home folder.

    Raises:
        UserError: The file is missing, empty, of an unknown kind or not well formed, or repeats an id.
    """
    path = Path(path).expanduser()
    _check(path)
    reader = importlib.import_module(f"ctxlab.data.readers.{READERS[path.suffix.lower()]}")
    try:
        records = reader.read(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}): check its permissions.") from None
    return identified(records, path.stem)


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
