"""Plain text: one document a file."""

from pathlib import Path

from ctxlab.core.data import Record
from ctxlab.data.readers.text import read_text
from ctxlab.data.readers.unpacked import bare


def read(path: Path) -> list[Record]:
    """The whole file as ``text``, its line ends made one kind, named like the file without its extension."""
    text = read_text(path).replace("\r\n", "\n")
    return [Record({"id": bare(path).stem, "text": text}, path.name)]
