"""Files of other programs that are not read, each with the command that converts them."""

from collections.abc import Mapping
from pathlib import Path

_SPACY = (
    'python -c "import json, spacy; from spacy.tokens import DocBin; [print(json.dumps(d.to_json())) for d in '
    "DocBin().from_disk('{file}').get_docs(spacy.blank('xx').vocab)]\" > {stem}.jsonl"
)
_EXCEL = "python -c \"import pandas; pandas.read_excel('{file}').to_csv('{stem}.csv', index=False)\""
_FEATHER = "python -c \"import pandas; pandas.read_feather('{file}').to_parquet('{stem}.parquet')\""

COMMANDS: Mapping[str, tuple[str, str]] = {
    ".spacy": ("a DocBin of spaCy", _SPACY),
    ".xlsx": ("an Excel workbook", _EXCEL),
    ".xls": ("an Excel workbook", _EXCEL),
    ".ods": ("a spreadsheet", _EXCEL),
    ".arrow": ("an Arrow file", _FEATHER),
    ".feather": ("an Arrow file", _FEATHER),
    ".zip": ("a zip archive", "unzip {file}"),
    ".tar": ("a tar archive", "tar -xf {file}"),
    ".tgz": ("a tar archive", "tar -xf {file}"),
    ".zst": ("compressed by Zstandard", "unzstd {file}"),
    ".pdf": ("a PDF", "pdftotext {file} {stem}.txt"),
    ".docx": ("a Word document", "pandoc {file} -t plain --wrap=none -o {stem}.txt"),
    ".odt": ("a text document", "pandoc {file} -t plain --wrap=none -o {stem}.txt"),
    ".epub": ("an e-book", "pandoc {file} -t plain --wrap=none -o {stem}.txt"),
    ".html": ("a web page", "pandoc {file} -t plain --wrap=none -o {stem}.txt"),
    ".htm": ("a web page", "pandoc {file} -t plain --wrap=none -o {stem}.txt"),
    ".md": ("Markdown", "pandoc {file} -t plain --wrap=none -o {stem}.txt"),
}
"""Extension → what such a file is, and a command that converts it."""


def conversion(path: Path) -> str | None:
    """Return what a file is and the command that converts it, as a clause; None for an unknown extension."""
    if path.suffix.lower() in (".pkl", ".pickle", ".pt", ".npy"):
        return f"a {path.suffix} file, which is never loaded because it can run code: write JSON lines"
    known = COMMANDS.get(path.suffix.lower())
    if known is None:
        return None
    what, command = known
    return f"{what}: convert it, for example with `{command.format(file=path.name, stem=path.stem)}`"
