"""CoNLL columns: a token a line, its tag in the last column."""

from pathlib import Path

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.readers.text import read_lines

DOCUMENT_START = "-DOCSTART-"


def read(path: Path) -> list[Record]:
    """One record a document: ``tokens``, ``tags`` (where there is a second column), ``sentence_starts``.

    A blank line ends a sentence, ``-DOCSTART-`` starts a document; a file without it is one document. Columns are
    parted by tabs, or by blanks in a line without a tab.

    Raises:
        UserError: A line with another number of columns than the first.
    """
    records: list[Record] = []
    width = 0
    in_sentence = False
    for number, line in enumerate(read_lines(path), start=1):
        columns = _columns(line)
        if not columns:
            in_sentence = False
            continue
        if columns[0] == DOCUMENT_START or not records:
            records.append(_empty(path, number))
            in_sentence = False
        if columns[0] == DOCUMENT_START:
            continue
        width = width or len(columns)
        if len(columns) != width:
            raise UserError(
                f"{path} line {number} has {len(columns)} columns where the lines before have {width}: write a token "
                "a line, with its tag in the last column and a blank line after each sentence."
            )
        _append(records[-1], columns, starts_sentence=not in_sentence)
        in_sentence = True
    if width == 1:  # tokens alone, to be tagged
        for record in records:
            del record.fields["tags"]
    return records


def _columns(line: str) -> list[str]:
    # Not str.split(): a token may be a no-break space or another blank that is not ASCII.
    columns = line.split("\t") if "\t" in line.strip(" \t") else line.strip(" \t").split(" ")
    columns = [column.strip(" ") for column in columns]
    return [column for column in columns if column]


def _empty(path: Path, number: int) -> Record:
    return Record({"tokens": [], "tags": [], "sentence_starts": []}, f"{path.name} line {number}")


def _append(record: Record, columns: list[str], *, starts_sentence: bool) -> None:
    if starts_sentence:
        record.fields["sentence_starts"].append(len(record.fields["tokens"]))
    record.fields["tokens"].append(columns[0])
    record.fields["tags"].append(columns[-1])
