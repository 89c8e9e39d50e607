"""Compressed files by their extension or first bytes; what other programs wrote under a text's name is named."""

import bz2
import gzip
import lzma

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file
from ctxlab.data.readers.unpacked import bare

LINE = b'{"text": "a b"}\n'


@pytest.mark.parametrize(
    ("pack", "extension"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2"), (lzma.compress, ".xz")]
)
@pytest.mark.parametrize("named", [True, False])
def test_packed_files_are_read_whatever_their_name(tmp_path, pack, extension, named):
    path = tmp_path / f"a.jsonl{extension if named else ''}"
    path.write_bytes(pack(LINE))
    assert [record.fields for record in read_file(path, "lm")] == [{"id": "a-0", "text": "a b"}]
    assert bare(path).name == "a.jsonl"


def test_a_name_that_promises_what_is_not_there_is_refused(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(LINE)
    with pytest.raises(UserError, match=r"does not unpack as \.gz"):
        read_file(tmp_path / "a.jsonl.gz", "lm")


@pytest.mark.parametrize(
    ("first", "what"),
    [
        (b"PK\x03\x04x", "a zip archive or an Excel workbook"),
        (b"PAR1x", "a Parquet file"),
        (b"%PDF-1.7", "a PDF"),
    ],
)
def test_files_of_other_programs_are_named(tmp_path, first, what):
    (tmp_path / "a.csv").write_bytes(first)
    with pytest.raises(UserError, match=f"is {what} and no text"):
        read_file(tmp_path / "a.csv", "lm")
