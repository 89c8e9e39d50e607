"""Only ``ctxlab/text`` splits a document's text into words."""

import pytest

from scripts.check_words import faults, main


def test_no_module_cuts_text_by_itself(capsys):
    assert main() == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("len(text.split())", 1),
        ("[w for w in document.fields['text'].lower().split()]", 1),
        ("text.rsplit()[-1]", 1),
        ("text.split('\\n')", 0),
        ("text.split(maxsplit=1)", 0),
        ("re.search(rf'(?<!\\w){x}', text)", 1),
        ("import re\nWORDS = re.compile(r'\\bcat\\b')", 1),
        ("re.sub(r'\\s+', ' ', text)", 0),
    ],
)
def test_a_planted_fault_is_found(source, count):
    assert len(list(faults(source))) == count


def test_faults_are_printed_by_place(tmp_path, capsys):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "new.py").write_text("x = 1\nlen(text.split())\n")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "units.py").write_text("text.split()\n")
    assert main(tmp_path) == 1
    assert capsys.readouterr().out.startswith("ctxlab/tasks/new.py:2: a bare .split()")
