"""brat's files; the expected entities are the text at the character offsets in the annotations."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file
from ctxlab.tasks.ner import NER

TEXT = "Öra Lund went to\nNew Tarn.\n"
ANN = "T1\tPER 0 8\tÖra Lund\nT2\tLOC 17 25\tNew Tarn\nR1\tgoes_to Arg1:T1 Arg2:T2\n#1\tAnnotatorNotes T1\ta note\n"


def write(folder, name="a", text=TEXT, annotations=ANN):
    (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    (folder / f"{name}.ann").write_text(annotations, encoding="utf-8")


@pytest.mark.parametrize("name", ["a.ann", "a.txt", "."])
def test_entities_are_words_of_the_text(tmp_path, name):
    write(tmp_path)
    (record,) = read_file(tmp_path / name, "ner")
    parsed = NER().parse(record.fields, record.origin, gold=True)
    assert parsed.fields["tokens"] == ["Öra", "Lund", "went", "to", "New", "Tarn", "."]
    assert parsed.fields["tags"] == ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "O"]
    assert parsed.id == "a"


def test_a_folder_is_a_document_a_text(tmp_path):
    for name in ("b", "a"):
        write(tmp_path, name)
    write(tmp_path, "c", annotations="")
    assert [r.fields["id"] for r in read_file(tmp_path, "ner")] == ["a", "b", "c"]
    assert read_file(tmp_path, "ner")[2].fields["spans"] == []


@pytest.mark.parametrize(
    ("annotations", "says"),
    [
        ("T1\tPER 0 3;5 8\tÖra Lund\n", "line 1: the entity T1 is in 2 pieces"),
        ("T1\tPER 1 9\tÖra Lund\n", "line 1: the entity T1 is 'Öra Lund', and characters 1 to 9 .* are 'ra Lund '"),
        ("\nT1 PER 0 3\n", "line 2 is not a brat entity"),
    ],
)
def test_entities_that_cannot_be_are_named_by_line(tmp_path, annotations, says):
    write(tmp_path, annotations=annotations)
    with pytest.raises(UserError, match=says):
        read_file(tmp_path / "a.ann", "ner")
    (tmp_path / "b.ann").write_text("T1\tX 0 1\tx\n")
    with pytest.raises(UserError, match=r"put b\.txt into the same folder"):
        read_file(tmp_path / "b.ann", "ner")
