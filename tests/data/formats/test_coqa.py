"""CoQA as published and as on the hub; the expected answers are taken from the story by hand."""

import json

import pytest

from ctxlab.data.readers.read import read_file
from ctxlab.tasks.qa import QA

STORY = "The ferry left Tarn at noon. Ora Lund steered it."
TURNS = [
    ("Who steered?", "ora lund.", "Ora Lund steered it", 29, 48),
    ("What?", "A boat", "The ferry", 0, 9),
    ("At noon?", "yes", "at noon", 20, 27),
    ("The fare?", "unknown", "unknown", -1, -1),
    ("Where did it leave from?", "Tarn", "left Tarn", 10, 19),
]
PUBLISHED = {
    "id": "s1", "filename": "f", "story": STORY,
    "questions": [{"input_text": q, "turn_id": i} for i, (q, *_) in enumerate(TURNS, 1)],
    "answers": [{"input_text": a, "span_text": t, "span_start": s, "span_end": e, "turn_id": i}
                for i, (_, a, t, s, e) in enumerate(TURNS, 1)],
}  # fmt: skip
HUB = {
    "story": STORY, "questions": [q for q, *_ in TURNS],
    "answers": {"input_text": [a for _, a, *_ in TURNS], "answer_start": [t[3] for t in TURNS],
                "answer_end": [t[4] for t in TURNS]},
}  # fmt: skip


@pytest.mark.parametrize("file", [{"version": "1.0", "data": [PUBLISHED]}, HUB])
def test_answers_stand_in_their_rationale(file, tmp_path):
    (tmp_path / "coqa.json").write_text(json.dumps(file))
    notes: list[str] = []
    (record,) = read_file(tmp_path / "coqa.json", "qa", notes)
    task = QA()
    found = task.expand(task.parse(record.fields, record.origin, gold=True))
    assert [(one.fields["question"], [a["text"] for a in one.fields["answers"]]) for one in found] == [
        ("Who steered?", ["Ora Lund"]),
        ("At noon? yes The fare?", []),
        ("The fare? unknown Where did it leave from?", ["Tarn"]),
    ]
    assert [answer["start"] for one in found for answer in one.fields["answers"]] == [29, 15]
    for note, part in zip(
        notes, ("1 questions of CoQA have a free-form answer", "the answer yes or no", "Each question"), strict=True
    ):
        assert part in note


def test_questions_without_answers_are_asked(tmp_path):
    rest = {name: value for name, value in PUBLISHED.items() if name != "answers"}
    (tmp_path / "coqa.json").write_text(json.dumps(rest))
    (record,) = read_file(tmp_path / "coqa.json", "qa")
    asked = QA().expand(QA().parse(record.fields, record.origin, gold=False))
    assert [one.fields["question"] for one in asked] == [
        question if not i else f"{TURNS[i - 1][0]} {question}" for i, (question, *_) in enumerate(TURNS)
    ]
