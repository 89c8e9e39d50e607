import gzip
import json
import stat

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file
from ctxlab.data.sources.files import Files


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def line(**fields):
    return json.dumps(fields, ensure_ascii=False) + "\n"


def test_jsonl_gives_a_record_a_line_with_its_place(tmp_path):
    path = write(tmp_path / "a.jsonl", line(id="x", tokens=["a"]) + "\n" + line(tokens=["b"]))
    first, second = read_file(path)
    assert (first.fields, first.origin) == ({"id": "x", "tokens": ["a"]}, "a.jsonl line 1")
    assert (second.fields, second.origin) == ({"id": "a-1", "tokens": ["b"]}, "a.jsonl line 3")


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0c", "\x1c"])
def test_only_a_newline_ends_a_line(tmp_path, separator):
    # str.splitlines would cut these in two.
    path = write(
        tmp_path / "a.jsonl", line(tokens=[f"a{separator}b"]) if separator != "\x0c" else '{"tokens":[]}\x0c\n'
    )
    if separator == "\x0c":
        with pytest.raises(UserError, match="line 1"):
            read_file(path)
    else:
        assert [r.fields.get("tokens") for r in read_file(path)] == [[f"a{separator}b"]]


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + line(tokens=["a"]).strip().encode() + b"\r\n" + line(tokens=["b"]).encode())
    assert [r.fields["tokens"] for r in read_file(path)] == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"tokens": ["a"]}\n{"tokens": ["a"\n', "line 2 is not JSON"),
        ("[1, 2]\n", r"item 1 \(line 1\) is a JSON int"),
        ("3\n", "line 1 is a JSON int"),
        ("[" * 100_000 + "\n", "line 1 is not JSON"),
        ("", "empty"),
        (" \n\n", "empty"),
    ],
)
def test_broken_json_lines_are_named(tmp_path, content, says):
    with pytest.raises(UserError, match=says) as caught:
        read_file(write(tmp_path / "bad.jsonl", content))
    assert "bad.jsonl" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_not_utf8_are_located(tmp_path, bom):
    path = tmp_path / "latin.jsonl"
    head = bom + b'{"tokens": ["a"]}\n{"tokens": ["'
    path.write_bytes(head + "é".encode("latin1") + b'"]}\n')
    with pytest.raises(UserError, match=f"line 2 is not UTF-8 .byte 0xe9 at offset {len(head)}.*iconv"):
        read_file(path)


def test_a_missing_file_names_the_nearest(tmp_path):
    write(tmp_path / "train.jsonl", line(tokens=["a"]))
    with pytest.raises(UserError, match=r"nearest name there is train\.jsonl"):
        read_file(tmp_path / "trian.jsonl")
    with pytest.raises(UserError, match="exists only as far as"):
        read_file(tmp_path / "nowhere" / "deep" / "train.jsonl")


def test_folders_and_unknown_extensions_are_refused(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        read_file(tmp_path)
    with pytest.raises(UserError, match=r"'\.docm'.*\.parquet"):
        read_file(write(tmp_path / "a.docm", "x"))


@pytest.mark.parametrize("name", ["eng.train", "eng.testa", "dev.tags.gz", "eng.test"])
def test_columns_that_are_named_by_their_split(tmp_path, name):
    content = b"-DOCSTART- -X- -X- O\n\nOra NNP B-NP B-PER\nran VBD B-VP O\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (record,) = read_file(tmp_path / name, "ner")
    assert (record.fields["tokens"], record.fields["tags"]) == (["Ora", "ran"], ["B-PER", "O"])


def test_a_file_without_permission_is_refused(tmp_path):
    path = write(tmp_path / "a.jsonl", line(tokens=["a"]))
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        with pytest.raises(UserError, match="cannot be read"):
            read_file(path)
    finally:
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)


def test_duplicate_ids_name_both_places(tmp_path):
    path = write(tmp_path / "a.jsonl", line(id="x", tokens=["a"]) + line(id="y", tokens=["a"]) + line(id="x"))
    with pytest.raises(UserError, match=r"'x' of a\.jsonl line 3 is already that of a\.jsonl line 1"):
        read_file(path)


def test_a_made_up_id_cannot_hide_a_given_one(tmp_path):
    with pytest.raises(UserError, match="already"):
        read_file(write(tmp_path / "a.jsonl", line(id="a-1", tokens=["a"]) + line(tokens=["b"])))


def test_numbers_as_ids_become_text(tmp_path):
    records = read_file(write(tmp_path / "a.jsonl", line(id=0, tokens=["a"]) + line(id=7, tokens=["a"])))
    assert [record.fields["id"] for record in records] == ["0", "7"]


CONLL = """-DOCSTART- -X- -X- O

EU NNP I-NP B-ORG
rejects VBZ I-VP O

Peter NNP I-NP B-PER
Blackburn NNP I-NP I-PER
-DOCSTART- -X- O O

Brussels NNP I-NP B-LOC

"""


def test_conll_documents_sentences_and_columns(tmp_path):
    first, second = read_file(write(tmp_path / "c.conll", CONLL))
    assert first.fields["tokens"] == ["EU", "rejects", "Peter", "Blackburn"]
    assert first.fields["tags"] == ["B-ORG", "O", "B-PER", "I-PER"]
    assert first.fields["sentence_starts"] == [0, 2]
    assert (first.origin, second.origin) == ("c.conll line 1", "c.conll line 8")
    assert second.fields == {"id": "c-1", "tokens": ["Brussels"], "tags": ["B-LOC"], "sentence_starts": [0]}


@pytest.mark.parametrize("extension", [".bio", ".iob", ".txt", ".CONLL"])
def test_conll_without_document_marks_is_one_document(tmp_path, extension):
    (record,) = read_file(write(tmp_path / f"c{extension}", "\n\na\tO\nb\tB-X\n\n\nc\tO"))
    assert record.fields["tokens"] == ["a", "b", "c"]
    assert record.fields["sentence_starts"] == [0, 2]


def test_conll_tokens_may_be_blanks_that_are_not_ascii(tmp_path):
    (record,) = read_file(write(tmp_path / "c.conll", "\u00a0 O\n\u200b\tO\n\u3000 B-X\n"))
    assert record.fields["tokens"] == ["\u00a0", "\u200b", "\u3000"]
    assert record.fields["tags"] == ["O", "O", "B-X"]


def test_conll_tokens_alone_have_no_tags(tmp_path):
    (record,) = read_file(write(tmp_path / "c.conll", "a\nb\n"))
    assert record.fields == {"id": "c-0", "tokens": ["a", "b"], "sentence_starts": [0]}


def test_prose_in_a_txt_file_is_refused_by_line(tmp_path):
    with pytest.raises(UserError, match="line 2 has 3 columns where the lines before have 4"):
        read_file(write(tmp_path / "c.txt", "once upon a time\nthere was rain\n"))


def test_parquet_rows(tmp_path):
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"tokens": [["a", "b"], ["c"]], "tags": [["O", "B-X"], ["O"]]}), path)
    first, second = read_file(path)
    assert first.fields == {"tokens": ["a", "b"], "tags": ["O", "B-X"], "id": "p-0"}
    assert second.origin == "p.parquet row 2"


def test_parquet_class_numbers_become_names(tmp_path):
    from datasets import ClassLabel, Dataset, Features, List, Value

    features = Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=["O", "B-X"]))})
    path = tmp_path / "p.parquet"
    table = Dataset.from_dict({"tokens": [["a", "b"]], "tags": [[1, 0]]}, features=features)
    pq.write_table(table.with_format("arrow")[:], path)
    assert read_file(path)[0].fields["tags"] == ["B-X", "O"]


def test_what_is_no_parquet_or_has_no_row_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a readable Parquet file"):
        read_file(write(tmp_path / "p.parquet", "x" * 100))
    pq.write_table(pa.table({"tokens": pa.array([], pa.list_(pa.string()))}), tmp_path / "q.parquet")
    with pytest.raises(UserError, match="empty"):
        read_file(tmp_path / "q.parquet")


def test_files_source_reads_each_split_and_cuts(tmp_path):
    train = write(tmp_path / "a.jsonl", "".join(line(tokens=[str(i)]) for i in range(5)))
    source = Files(train_file=str(train), max_documents=2)
    assert [r.fields["tokens"] for r in source.load("ner", "train", 1)] == [["0"], ["1"]]
    assert source.load("ner", "validation", 1) is None
    with pytest.raises(UserError, match="max_documents=0"):
        Files(max_documents=0)


def test_plain_text_is_a_document_for_tasks_that_read_it(tmp_path):
    write(tmp_path / "b.txt", "\ufeffonce upon\r\na time\n")
    write(tmp_path / "a.txt", "there was rain\n")
    write(tmp_path / "c.jsonl", line(text="x"))
    (record,) = read_file(tmp_path / "b.txt", "lm")
    assert (record.fields, record.origin) == ({"id": "b", "text": "once upon\na time\n"}, "b.txt")
    assert [r.fields["id"] for r in read_file(tmp_path, "mlm")] == ["a", "b"]
    assert Files(validation_file=str(tmp_path)).load("lm", "validation", 1)[1].origin == "b.txt"
    with pytest.raises(UserError, match="is a folder"):
        read_file(tmp_path, "ner")
    with pytest.raises(UserError, match="empty"):
        read_file(write(tmp_path / "e.txt", " \n"), "lm")
