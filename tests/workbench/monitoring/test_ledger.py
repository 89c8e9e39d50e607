"""The cursor: each alarm once wherever a process is killed, and nothing is continued that is not the same."""

import json

import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.monitoring import Alarm, Reference
from ctxlab.workbench.monitoring import ledger as module
from ctxlab.workbench.monitoring.ledger import Ledger
from ctxlab.workbench.monitoring.stream import lines

ASKED = {"task": "classification", "by": "topic"}


def alarm(number):
    return Alarm(
        rule="r", subject="s", document=f"d{number}", number=number, day=None, value=2.0, limit=1.0, sentence="x"
    )


@pytest.fixture
def stream(tmp_path):
    path = tmp_path / "stream.jsonl"
    path.write_text("".join(json.dumps({"text": f"t{n}", "date": "2026-01-01", "topic": "a"}) + "\n" for n in range(9)))
    return path


def read(folder, stream, died=None, monkeypatch=None):
    """Commit three documents at a time, of which every second rings; ``died`` is where the process ends."""
    ledger = Ledger(folder, stream, ASKED)
    cursor = ledger.cursor
    found = list(lines(stream, cursor.place, cursor.num_lines, by="topic", date_field="date"))
    for start in range(0, len(found), 3):
        group = found[start : start + 3]
        rang = [alarm(cursor.num_documents + n) for n in range(1, 4) if (cursor.num_documents + n) % 2]
        cursor.num_documents += 3
        cursor.num_lines += 3
        if died == cursor.num_documents:
            with monkeypatch.context() as patch:
                patch.setattr(module, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
                ledger.commit(group[-1].end, rang)  # alarms are on the disk, the cursor is not
        ledger.commit(group[-1].end, rang)
    return ledger


@pytest.mark.parametrize("died", [3, 6, 9])
def test_each_alarm_is_there_once_wherever_the_process_dies(tmp_path, stream, monkeypatch, died):
    whole = read(tmp_path / "whole", stream).alarms()
    assert [one["number"] for one in whole] == [1, 3, 5, 7, 9]
    with pytest.raises(KeyboardInterrupt):
        read(tmp_path / "killed", stream, died, monkeypatch)
    with (tmp_path / "killed" / "alarms.jsonl").open("ab") as file:
        file.write(b'{"alarm": 9, "half a li')
    assert read(tmp_path / "killed", stream).alarms() == whole


def test_lines_that_are_added_are_read_and_no_other(tmp_path, stream):
    read(tmp_path / "m", stream)
    with stream.open("a") as file:
        file.write('{"text": "new", "date": "2026-01-02", "topic": "b"}\n{"text": "half')
    ledger = Ledger(tmp_path / "m", stream, ASKED)
    cursor = ledger.cursor
    found = list(lines(stream, cursor.place, cursor.num_lines, by="topic", date_field="date"))
    assert [(one.record.fields["text"], one.record.origin, one.group) for one in found] == [
        ("new", "stream.jsonl line 10", "b")
    ]


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda folder, _: (folder / "cursor.json").write_text("{"), "cursor.json is damaged .it cannot be read"),
        (lambda folder, _: (folder / "cursor.json").write_text('{"format": 1, "place": 3}'), "cursor.json is damaged"),
        (lambda folder, _: (folder / "alarms.jsonl").write_text(""), "alarms.jsonl is shorter than it says"),
        (lambda _, stream: stream.write_text("x" * 1000), "is not the stream that"),
        (lambda _, stream: stream.write_text(""), "is not the stream that"),
    ],
)
def test_what_is_damaged_is_named_and_stays(tmp_path, stream, harm, sentence):
    read(tmp_path / "m", stream)
    harm(tmp_path / "m", stream)
    before = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    with pytest.raises(UserError, match=sentence):
        Ledger(tmp_path / "m", stream, ASKED)
    assert {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()} == before


def test_a_cursor_of_another_command_is_refused(tmp_path, stream):
    read(tmp_path / "m", stream)
    with pytest.raises(UserError, match="written with by=topic, not label: give the same again"):
        Ledger(tmp_path / "m", stream, ASKED | {"by": "label"})


@pytest.mark.parametrize(
    ("line", "by", "sentence"),
    [
        ('{"text": "a", "topic": "b"}', "topic", "s.jsonl line 1 has no field 'date': by= counts documents by day"),
        ('{"text": "a", "topic": "b", "date": "soon"}', "topic", "The field 'date' of s.jsonl line 1 is no date"),
        ('{"text": "a", "date": "2026-01-31"}', "topic", "has no text in the field 'topic', only text, date"),
        ("[1]", None, "s.jsonl line 1 is no JSON object"),
        ("{no}", None, "s.jsonl line 1 is not JSON"),
    ],
)
def test_lines_that_are_no_documents(tmp_path, line, by, sentence):
    path = tmp_path / "s.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UserError, match=sentence):
        list(lines(path, 0, 0, by=by, date_field="date"))


def test_days_must_ascend_and_may_be_times(tmp_path):
    path = tmp_path / "s.jsonl"
    days = ['"2026-01-31T10:00:00Z"', "1769904000", '"2026-01-30"']
    path.write_text("".join(f'{{"text": "a", "topic": 3, "date": {day}}}\n' for day in days))
    found = lines(path, 0, 0, by="topic", date_field="date")
    assert [(next(found).day.isoformat(), "3") for _ in range(2)] == [("2026-01-31", "3"), ("2026-02-01", "3")]
    with pytest.raises(UserError, match=r"line 3 is of 2026-01-30, before that of the line above \(2026-02-01\)"):
        next(found)


def test_a_reference_comes_back_and_one_of_another_task_is_refused():
    made = Reference("ner", 20, {"tokens": [float(n) for n in range(20)]}, {"a": 20})
    content = json.loads(json.dumps(made.plain()))
    assert Reference.of(content, "r.json", "ner") == made
    with pytest.raises(UserError, match=r"reference=r.json is of task=ner, and the run of task=qa"):
        Reference.of(content, "r.json", "qa")
    for harm in (None, {}, content | {"format": 9}, content | {"figures": {"tokens": [1]}}, content | {"figures": 3}):
        with pytest.raises(UserError, match=r"r\.json is not a reference"):
            Reference.of(harm, "r.json", "ner")
