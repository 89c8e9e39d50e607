"""Lines that are read by number, against the reader of whole files."""

import json
import os

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers import json_lines, jsonl
from ctxlab.data.readers.json_lines import JsonLines, has_json_lines
from ctxlab.data.readers.read import read_file

ROWS = [{"id": f"d{i}", "text": "día " * (i % 5 + 1) + "\u2028", "label": "a"} for i in range(20)]


def write(path, rows=ROWS, begin="", end="\n"):
    path.write_bytes((begin + end.join(json.dumps(row, ensure_ascii=False) for row in rows) + end).encode())
    return path


def flat(lines, numbers=None):
    return [record for row in lines.read(range(len(lines)) if numbers is None else numbers, []) for record in row]


@pytest.mark.parametrize("chunk", [1 << 24, 64, 7])
@pytest.mark.parametrize(("begin", "end"), [("", "\n"), ("\ufeff", "\r\n"), ("\n\n", "\n\n"), ("", "\n  \n")])
def test_the_lines_are_those_of_the_whole_file(begin, end, chunk, tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "CHUNK_BYTES", chunk)
    path = write(tmp_path / "a.jsonl", begin=begin, end=end)
    lines = JsonLines(path, "classification")
    assert flat(lines) == jsonl.read(path)  # with the numbers of the lines
    assert flat(lines) == read_file(path, "classification")
    order = np.random.default_rng(0).permutation(len(lines))
    assert lines.read(order, []) == [lines.read([int(number)], [])[0] for number in order]


def test_a_last_line_without_an_end_and_a_maximum(tmp_path):
    path = write(tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    assert len(JsonLines(path, "classification")) == len(ROWS)
    assert flat(JsonLines(path, "classification", 3)) == jsonl.read(path)[:3]


def test_records_without_ids_are_named_by_their_lines(tmp_path):
    rows = [{"text": "a"}, {"text": "b", "id": 7}, {"text": "c"}]
    path = write(tmp_path / "corpus.jsonl", rows)
    found = [record.fields["id"] for record in flat(JsonLines(path, "lm"))]
    assert found == [record.fields["id"] for record in read_file(path, "lm")] == ["corpus-0", "7", "corpus-2"]


def test_lines_of_another_tool_are_converted(tmp_path):
    rows = [{"context": "Ada was here.", "qas": [{"qid": f"q{i}", "question": "Who?", "answers": ["Ada"]}]}
            for i in range(3)]  # fmt: skip
    path = write(tmp_path / "a.jsonl", rows)
    notes, whole = [], []
    assert [one for row in JsonLines(path, "qa").read(range(3), notes) for one in row] == read_file(path, "qa", whole)
    assert notes == whole


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": }', r"line 3 is not JSON"),
        (b"[1, 2]", r"line 3 is a JSON list"),
        (b'{"text": "\xe4rger"}', r"line 3 is not UTF-8 \(byte 0xe4 at offset {place}\)"),
        (b'{"text": "\\ud800"}', r"line 3 contains half of a surrogate pair"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_when_it_is_met(line, message, tmp_path):
    path = write(tmp_path / "a.jsonl", ROWS[:5])
    data = path.read_bytes().split(b"\n")
    data[2] = line
    path.write_bytes(b"\n".join(data))
    lines = JsonLines(path, "lm")
    assert len(flat(lines, [0, 1, 3, 4])) == 4
    place = len(b"\n".join(data[:2])) + 1 + line.find(b"\xe4")
    with pytest.raises(UserError, match=message.format(place=place)):
        lines.read([2], [])
    with pytest.raises(UserError, match=message.format(place=place)):
        read_file(path, "lm")  # as the whole file is


def test_a_file_that_changes_is_refused(tmp_path):
    path = write(tmp_path / "a.jsonl")
    lines = JsonLines(path, "lm")
    os.utime(path, ns=(1, 1))
    with pytest.raises(UserError, match="has changed"):
        lines.read([0], [])


@pytest.mark.parametrize(
    ("name", "content", "streams"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": "b"}\n', True),
        ("a.ndjson", b'\xef\xbb\xbf\n{"text": "a"}\n', True),
        ("a.JSON", b'{"text": "a"}\n{"text": "b"}\n', True),
        ("a.json", b'[{"text": "a"},\n{"text": "b"}]\n', False),
        ("a.json", b'{"data":\n[{"text": "b"}]}\n', False),
        ("a.json", b'{"data": [{"text": "b"}]}', False),
        ("a.jsonl", '{"text": "a"}\n{"text": "b"}\n'.encode("utf-16"), False),
        ("a.jsonl", b'{"text": "\xe4"}\n{"text": "b"}\n', False),
        ("a.txt", b'{"text": "a"}\n{"text": "b"}\n', False),
        ("a.jsonl.gz", b'{"text": "a"}\n{"text": "b"}\n', False),
    ],
)
def test_only_json_lines_are_read_by_number(name, content, streams, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert has_json_lines(tmp_path / name, len(content)) == streams
    assert not has_json_lines(tmp_path / name, len(content) + 1)
    assert not has_json_lines(tmp_path / "missing.jsonl", 0)
    assert not has_json_lines(tmp_path, 0)
