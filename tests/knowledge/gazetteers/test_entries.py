"""Files of gazetteers, well-formed and not."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.knowledge.gazetteers.entries import read_entries

TRIPLES = "Paris\tinstance_of\tcity\nParis\tcapital_of\tFrance\nAda\tinstance_of\thuman\n"


def read(tmp_path, text, relation=None):
    path = tmp_path / "names.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_entries(str(path), relation)


def test_entries_and_triples(tmp_path):
    assert read(tmp_path, "New York\tLOC\n\nAda\tPER\r\nBo\tPER") == {
        "LOC": {("New", "York")},
        "PER": {("Ada",), ("Bo",)},
    }
    assert list(read(tmp_path, TRIPLES)) == ["France", "city", "human"]
    assert read(tmp_path, TRIPLES, "instance_of") == {"city": {("Paris",)}, "human": {("Ada",)}}


def test_a_text_is_divided_at_blanks_and_as_plain_text_is(tmp_path):
    assert read(tmp_path, "St. Ives\tLOC") == {"LOC": {("St.", "Ives"), ("St", ".", "Ives")}}
    assert read(tmp_path, b"\xef\xbb\xbfAda\tPER") == {"PER": {("Ada",)}}  # a mark at the beginning of the file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"names.tsv has no entry: write one a line, text<TAB>type"),
        ("\n \n", r"has no entry"),
        ("Ada\tPER\nBo PER\n", r"names.tsv line 2 is 'Bo PER', which is no entry"),
        ("Ada\tPER\n\nBo\t \n", r"line 3 is 'Bo\\t ', which is no entry"),
        ("Ada\tis\tPER\nBo\tPER\n", r"line 2 .* the same on every line"),
        ("a\tb\tc\td\n", r"line 1 "),
        (b"Ada\tPER\nJos\xe9\tPER\n", r"names.tsv line 2 is not UTF-8"),
        ("".join(f"a\tT{index}\n" for index in range(30)), r"has 30 types \(T0, T1, .* at most 29"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_a_relation_that_is_not_there_gets_the_nearest(tmp_path):
    with pytest.raises(UserError, match=r"knowledge.relation=instance is in no line of .*did you mean 'instance_of'"):
        read(tmp_path, TRIPLES, "instance")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_entries(str(tmp_path), None)
