"""JSON in every layout that files use; the oracle is ``json.load`` of the same objects."""

import bz2
import gzip
import json
import lzma

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file

ROWS = [{"id": str(i), "tokens": ["Ora", "met", f"Lund{i}"], "tags": ["B-P", "O", "B-P"]} for i in range(3)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)

SHAPES = {
    "lines": LINES,
    "compact list": json.dumps(ROWS),
    "indented list": json.dumps(ROWS, indent=2),
    "blank lines and a list": "\n\n " + json.dumps(ROWS, indent="\t") + "\n\n",
    "list over lines": "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n",
    "indented objects": "\n".join(json.dumps(row, indent=1) for row in ROWS),
    "under data": json.dumps({"version": "2", "data": ROWS}),
    "under data, indented": json.dumps({"data": ROWS, "info": {"n": 3}}, indent=4),
    "by name": json.dumps({row["id"]: {k: v for k, v in row.items() if k != "id"} for row in ROWS}, indent=1),
    "under a split": json.dumps({"train": ROWS}),
    "rows of a viewer": json.dumps({"features": [], "rows": [{"row_idx": i, "row": r} for i, r in enumerate(ROWS)]}),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_every_shape_holds_the_same_records(tmp_path, shape, name):
    (tmp_path / name).write_text(SHAPES[shape], encoding="utf-8")
    assert [record.fields for record in read_file(tmp_path / name, "ner")] == ROWS


@pytest.mark.parametrize(
    ("extension", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_packed_files_are_unpacked_and_ids_are_named_without_the_extension(tmp_path, extension, pack):
    rows = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
    path = tmp_path / f"a.jsonl{extension}"
    path.write_bytes(pack("".join(json.dumps(row) + "\n" for row in rows).encode()))
    assert [record.fields["id"] for record in read_file(path)] == ["a-0", "a-1", "a-2"]
    path.write_bytes(b"no such thing")
    with pytest.raises(UserError, match=rf"does not unpack as \{extension}"):
        read_file(path)


def test_places_name_the_item_and_its_line(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(ROWS, indent=1), encoding="utf-8")
    text = (tmp_path / "a.json").read_text().split("\n")
    first, second, _ = (record.origin for record in read_file(tmp_path / "a.json"))
    assert first == "a.json item 1 (line 2)"
    line = int(second.rsplit(" ", 1)[1].rstrip(")"))
    assert text[line - 1] == " {"
    assert text[line] == '  "id": "1",'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[{"a": 1}, 3]', "item 2 .line 1. is a JSON int"),
        ('[{"a": 1}\n{"a": 2}]', "line 2 is not JSON .expecting ',' or ']' after item 1"),
        ('[{"a": 1},\n{"a": ]', "line 2 is not JSON"),
        ('[{"a": 1}]\n[{"a": 2}]', "line 2 continues after the end of its list"),
        ('[{"a": 1}', "after item 1"),
        ('{\n"a": 1,\n}', "line 3 is not JSON|line 2 is not JSON"),
        ('{"train": [{"a": 1}], "test": [{"a": 2}]}', "several splits .train, test."),
        ('{"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": 2}}', "pandas.*orient=.records."),
    ],
)
def test_broken_files_are_named_by_line(tmp_path, content, says):
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=says) as caught:
        read_file(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


def test_a_record_with_a_list_of_its_own_is_no_wrapper(tmp_path):
    row = {"context": "a b", "questions": [{"question": "?", "answers": []}]}
    (tmp_path / "a.json").write_text(json.dumps(row), encoding="utf-8")
    (record,) = read_file(tmp_path / "a.json", "qa")
    assert record.fields == {**row, "id": "a-0"}


def test_ids_of_twenty_digits_and_dates_stay_as_they_are(tmp_path):
    row = {"id": 12345678901234567890, "text": "x", "label": "2024-01-01T10:00:00Z"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (record,) = read_file(tmp_path / "a.jsonl", "classification")
    assert record.fields == {**row, "id": "12345678901234567890"}
