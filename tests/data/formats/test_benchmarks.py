"""Records in the formats of public benchmarks, read by the tasks themselves."""

import pytest

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats.benchmarks import with_our_names
from ctxlab.data.formats.known import converted
from ctxlab.data.parsing import documents_of
from ctxlab.data.readers.tally import Tally
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.dialogue import Dialogue
from ctxlab.tasks.lm import LM
from ctxlab.tasks.ner import NER
from ctxlab.tasks.nli import NLI
from ctxlab.tasks.qa import QA
from ctxlab.tasks.summarization import Summarization
from ctxlab.tasks.translation import Translation


def read(task, fields):
    tally = Tally()
    records = list(converted([Record(fields, "file line 1")], task.name, tally))
    (document,) = documents_of(task, records, gold=True)
    return document.fields, [*tally.sentences(), *task.notes]


@pytest.mark.parametrize(
    ("task", "fields", "expected"),
    [
        (Classification(), {"sentence": "球队赢了。", "label": "体育"}, {"text": "球队赢了。", "gold": ("体育",)}),
        (NLI(), {"sentence1": "他在家。", "sentence2": "他出门了。", "label": "contradiction"},
         {"premise": "他在家。", "hypothesis": "他出门了。"}),
        (LM(), {"content": "一段话。"}, {"text": "一段话。"}),
        (Translation(), {"src": "你好。", "tgt": "Hello."}, {"source": "你好。", "target": "Hello."}),
        (Summarization(), {"content": "长文。", "title": "短文"}, {"document": "长文。"}),
        (NER(), {"chars": ["王", "芳"], "labels": ["B-PER", "I-PER"]},
         {"tokens": ["王", "芳"], "tags": ["B-PER", "I-PER"]}),
        (NER(), {"text": "王芳在广州", "label": {"name": {"王芳": [[0, 1]]}, "city": {"广州": [[3, 4]]}}},
         {"tokens": list("王芳在广州"), "tags": ["B-name", "I-name", "O", "B-city", "I-city"]}),
    ],
)  # fmt: skip
def test_other_names_are_read_with_a_note(task, fields, expected):
    found, notes = read(task, fields)
    assert {name: found[name] for name in expected} == expected
    assert len(notes) == 1
    assert "under other names" in notes[0]


def test_a_summary_goes_with_the_document_it_is_of():
    found, _ = read(Summarization(), {"text": "长文。", "summary": "短文"})
    assert found["document"] == "长文。"
    assert found["asked"][0]["summary"] == "短文"


@pytest.mark.parametrize(
    "fields",
    [
        {"context_text": "广州在南方。广州很热。",
         "qas": [{"query_id": "q1", "query_text": "哪里热？", "answers": ["广州", "广州"]}]},
        {"context": "广州在南方。广州很热。", "input": "哪里热？", "answers": ["广州"]},
    ],
)  # fmt: skip
def test_answers_without_a_place_are_where_their_text_occurs_first(fields):
    found, notes = read(QA(), fields)
    (question,) = found["questions"]
    assert question["question"] == "哪里热？"
    assert question["answers"] == [{"text": "广州", "start": 0, "end": 2}]
    assert "first occurrence" in notes[0]


def test_an_answer_that_is_not_in_the_text_is_refused():
    with pytest.raises(UserError, match="occurs nowhere"):
        read(QA(), {"context": "广州很热。", "question": "哪里？", "answers": ["上海"]})


def test_turns_without_speakers_are_those_of_two():
    found, _ = read(Dialogue(), {"dialog": ["你好。", "你好！", "再见。"]})
    assert [turn.speaker for turn in found["turns"]] == ["A", "B", "A"]


def test_our_own_names_are_never_touched():
    for task, fields in (
        ("classification", {"text": "a", "sentence": "b", "label": "x"}),
        ("qa", {"context": "a", "questions": [{"question": "b", "answers": [{"text": "a"}]}]}),
        ("relation", {"sentence": "a"}),
    ):
        assert with_our_names(task, fields) == (fields, "")


def test_a_field_that_the_user_names_is_read():
    task = Classification(text_field="review")
    assert read(task, {"review": "a", "sentence": "b", "label": "x"})[0]["text"] == "a"
