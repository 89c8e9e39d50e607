"""Tables; the oracle is pandas, which wrote them or also reads them."""

import pandas as pd
import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file

TEXTS = ["good day", 'she said "no", twice', "two\nlines", "tab\there", "[laughs] and left", "a\u2028b", "x" * 200_000]
FRAME = pd.DataFrame({"text": TEXTS, "label": ["ham", "spam"] * 3 + ["ham"]})


@pytest.mark.parametrize(
    ("name", "options"), [("a.csv", {}), ("a.csv", {"sep": ";"}), ("a.tsv", {"sep": "\t"}), ("a.csv.gz", {})]
)
def test_what_pandas_wrote_is_read(tmp_path, name, options):
    FRAME.to_csv(tmp_path / name, index=False, **options)
    records = read_file(tmp_path / name, "classification")
    assert [(r.fields["text"], r.fields["label"]) for r in records] == list(FRAME.itertuples(index=False, name=None))


def test_tabs_without_quotation_rules(tmp_path):
    (tmp_path / "a.tsv").write_text('id\ttext\tlabel\n1\t"Hello, he said\tham\n2\tno 5" disk\tspam\n', encoding="utf-8")
    records = read_file(tmp_path / "a.tsv", "classification")
    assert [r.fields["text"] for r in records] == ['"Hello, he said', 'no 5" disk']
    assert records[1].origin == "a.tsv line 3"


def test_lists_in_cells(tmp_path):
    rows = {"tokens": [["a", "b"], ["c"]], "tags": [["O", "B-X"], ["O"]]}
    pd.DataFrame(rows).to_csv(tmp_path / "python.csv", index=False)  # as Python prints a list
    (tmp_path / "json.csv").write_text('tokens,tags\n"[""a"", ""b""]","[""O"", ""B-X""]"\n"[""c""]","[""O""]"\n')
    (tmp_path / "blanks.csv").write_text("tokens,tags\na b,O B-X\nc,O\n")
    for name in ("python.csv", "json.csv", "blanks.csv"):
        records = read_file(tmp_path / name, "ner")
        assert [(r.fields["tokens"], r.fields["tags"]) for r in records] == list(zip(*rows.values(), strict=True))


def test_a_cell_may_be_a_novel(tmp_path):
    (tmp_path / "a.csv").write_text(f"text,label\n{'word ' * 40_000},x\n", encoding="utf-8")
    (record,) = read_file(tmp_path / "a.csv", "classification")
    assert len(record.fields["text"]) == 200_000


def test_a_word_a_row(tmp_path):
    (tmp_path / "a.csv").write_text(
        "Sentence #,Word,POS,Tag\nSentence: 1,Ora,NNP,B-per\n,met,VBD,O\n,Lund,NNP,B-per\nSentence: 2,Tarn,NNP,B-geo\n",
        encoding="utf-8",
    )
    (record,) = read_file(tmp_path / "a.csv", "ner")
    assert record.fields == {
        "id": "a-0",
        "tokens": ["Ora", "met", "Lund", "Tarn"],
        "tags": ["B-per", "O", "B-per", "B-geo"],
        "sentence_starts": [0, 3],
    }


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "text,label\ngood day, friend,ham\n", "line 2 has 3 cells where the header has 2"),
        ("a.tsv", "text\tlabel\na\tb\tc\n", "line 2 has 3 cells"),
        ("a.csv", "text,text\na,b\n", r"\(text, text\) is no header: begin the file with the names"),
        ("a.csv", "what a fine day this is,ham\nno it is not,spam\n", "is no header"),
        ("a.csv", "今天很好。,ham\n不好。,spam\n", "is no header"),
        ("a.csv", "text,label\n", "no row"),
        ("a.csv", "", "empty"),
    ],
)
def test_ragged_tables_are_named_by_line(tmp_path, name, content, says):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=says):
        read_file(tmp_path / name, "classification")


@pytest.mark.parametrize(
    "content",
    [
        ",text,label\n0,good day,ham\n1,go,spam\n",
        "text|label\ngood day|ham\ngo|spam\n",
        "text\tlabel\ngood day\tham\ngo\tspam\n",
    ],
    ids=["numbers of rows as pandas writes them", "bars", "tabs"],
)
def test_other_forms_of_a_table(tmp_path, content):
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    found = [record.fields for record in read_file(tmp_path / "a.csv", "classification")]
    assert found == [{"id": "a-0", "text": "good day", "label": "ham"}, {"id": "a-1", "text": "go", "label": "spam"}]


def test_columns_with_tabs_are_no_table(tmp_path):
    (tmp_path / "a.tsv").write_text("Ora\tB-P\nmet\tO\n\n#tarn\tB-L\n", encoding="utf-8")
    (record,) = read_file(tmp_path / "a.tsv", "ner")
    assert record.fields["tokens"] == ["Ora", "met", "#tarn"]
    (tmp_path / "c.tsv").write_text("Ora\tPER\n\nTarn\tLOC\n", encoding="utf-8")  # tags that the task names
    assert read_file(tmp_path / "c.tsv", "ner")[0].fields["tags"] == ["PER", "LOC"]
    (tmp_path / "d.tsv").write_text("word\ttag\nOra\tB-P\n", encoding="utf-8")
    assert read_file(tmp_path / "d.tsv", "ner")[0].fields["tokens"] == ["Ora"]
    (tmp_path / "b.tsv").write_text("tokens\ttags\nOra met\tB-P O\n", encoding="utf-8")
    (record,) = read_file(tmp_path / "b.tsv", "ner")
    assert record.fields["tags"] == ["B-P", "O"]
