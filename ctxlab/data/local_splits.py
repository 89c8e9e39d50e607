"""Files of a local data set folder by split, for file formats without types of their own."""

import re
from pathlib import Path

from ctxlab.data.readers.read import PLAIN, READERS
from ctxlab.data.readers.unpacked import bare

COLUMNS = frozenset(extension for extension, reader in READERS.items() if reader == "conll") - {PLAIN}
"""Formats of columns, of which the library would make a document per line."""

TYPELESS = COLUMNS | {".json", ".jsonl", ".ndjson", ".csv", ".tsv"}
"""Formats for which the library would also guess types: ids of 20 digits are too large for it, and texts that look
like dates become dates."""

Aliases = dict[str, tuple[str, ...]]


def typeless_files(folder: Path, aliases: Aliases) -> dict[str, list[Path]]:
    """Return the files of each split, to be read as ``data=files`` reads them; empty to let the library decide.

    A file belongs to the split whose name is a word in its relative path; if no path has one, all are training files,
    as in the library.

    Args:
        folder: Folder of the data set.
        aliases: Names that data sets give to each split.
    """
    data = [path for path in sorted(folder.rglob("*")) if path.is_file() and bare(path).suffix.lower() in READERS]
    if not data or _says_what_is_what(folder) or any(bare(path).suffix.lower() not in TYPELESS for path in data):
        return {}
    found: dict[str, list[Path]] = {}
    for path in data:
        words = set(re.split(r"[^a-z]+", str(bare(path.relative_to(folder)).with_suffix("")).casefold()))
        splits = [split for split, names in aliases.items() if words & set(names)]
        if len(splits) > 1:
            return {}
        found.setdefault(splits[0] if splits else "", []).append(path)
    if set(found) == {""}:
        return {"train": found[""]}
    return {} if "" in found else found


def _says_what_is_what(folder: Path) -> bool:
    """Return whether a data set card names files, or the folder was saved by the library."""
    card = folder / "README.md"
    names_files = card.is_file() and "data_files" in card.read_text(encoding="utf-8", errors="replace")
    return names_files or any((folder / marker).is_file() for marker in ("dataset_dict.json", "state.json"))
