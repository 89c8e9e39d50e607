"""Reading a corpus of passages."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.knowledge.passages.corpus import read_passages


def test_both_formats(tmp_path):
    lines = tmp_path / "corpus.jsonl"
    lines.write_text('{"text": "One."}\n\n{"title": " T ", "text": "Two."}\n{"text": "One."}\n')
    assert read_passages(str(lines)) == ["One.", "T: Two."]
    plain = tmp_path / "corpus.txt"
    plain.write_bytes("\ufeffA b.\r\n\r\nÄ\u2028d.\n".encode())
    assert read_passages(str(plain)) == ["A b.", "Ä\u2028d."]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": 3}\n', r'a\.jsonl line 2 has no text in "text" \(it has text\): write'),
        ("a.jsonl", b'{"body": "x"}\n', r'line 1 has no text in "text" \(it has body\)'),
        ("a.jsonl", b"x\n", r"line 1 is no JSON: write"),
        ("a.txt", b" \n", "has no passage: write one a line"),
        ("a.txt", b"\xff\xfe", "is not UTF-8"),
        ("b.txt", None, r"cannot be read \(No such file"),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_passages(str(tmp_path / name))
