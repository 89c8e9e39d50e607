"""Plain text: one document per file."""

from pathlib import Path

from ctxlab.core.data import Record
from ctxlab.data.readers.text import read_text
from ctxlab.data.readers.unpacked import bare


def read(path: Path) -> list[Record]:
    """Return the whole file as ``text`` with normalised line ends; its id is the file name without extension."""
    text = read_text(path).replace("\r\n", "\n")
    return [Record({"id": bare(path).stem, "text": text}, path.name)]
