"""Files as other tools write them; the expected records are worked out by hand, and read by the task itself."""

import json

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.formats.known import FORMATS
from ctxlab.data.readers.read import read_file
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.dialogue import Dialogue
from ctxlab.tasks.ner import NER
from ctxlab.tasks.nli import NLI
from ctxlab.tasks.qa import QA
from ctxlab.tasks.relation import Relation
from ctxlab.tasks.summarization import Summarization
from ctxlab.tasks.translation import Translation

TEXT = "Ora Lund went to Tarn."
CONTEXT = "The ferry left Tarn at noon. Ora Lund steered it."


def read(tmp_path, task, *rows, notes=None):
    """What the task makes of a file of these records."""
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    records = task.admit(read_file(path, task.name, notes), gold=True)
    return [part for r in records for part in task.expand(task.parse(r.fields, r.origin, gold=True))]


MARKED = {
    "doccano triples": {"text": TEXT, "label": [[0, 8, "PER"], [17, 21, "LOC"]]},
    "doccano labels": {"text": TEXT, "labels": [[17, 21, "LOC"], [0, 8, "PER"]]},
    "doccano objects": {
        "text": TEXT,
        "entities": [
            {"id": 3, "label": "PER", "start_offset": 0, "end_offset": 8},
            {"id": 4, "label": "LOC", "start_offset": 17, "end_offset": 21},
        ],
        "relations": [],
    },
    "objects like doccano's": {
        "text": TEXT,
        "entities": [{"start": 0, "end": 8, "label": "PER"}, {"start": 17, "end": 21, "label": "LOC"}],
    },
    "Prodigy": {
        "text": TEXT,
        "tokens": [
            {"text": t, "start": s, "end": s + len(t), "id": i}
            for i, (t, s) in enumerate([("Ora", 0), ("Lund", 4), ("went", 9), ("to", 14), ("Tarn", 17), (".", 21)])
        ],
        "spans": [{"start": 0, "end": 8, "label": "PER"}, {"start": 17, "end": 21, "label": "LOC", "token_start": 4}],
        "answer": "accept",
    },
    "Prodigy without words": {
        "text": TEXT,
        "spans": [{"start": 0, "end": 8, "label": "PER"}, {"start": 17, "end": 21, "label": "LOC"}],
        "answer": "accept",
    },
    "Label Studio": {
        "id": 1,
        "data": {"text": TEXT, "meta": 3},
        "annotations": [
            {"was_cancelled": True, "result": []},
            {
                "result": [
                    {"value": {"start": 0, "end": 8, "text": "Ora Lund", "labels": ["PER"]}, "type": "labels"},
                    {"value": {"start": 17, "end": 21, "text": "Tarn", "labels": ["LOC"]}, "type": "labels"},
                ]
            },
        ],
    },
    "Label Studio, old": {
        "data": {"review": TEXT},
        "completions": [
            {
                "result": [
                    {"value": {"start": a, "end": b, "labels": [t]}} for a, b, t in ((0, 8, "PER"), (17, 21, "LOC"))
                ]
            }
        ],
    },
    "Label Studio, JSON-MIN": {
        "text": TEXT,
        "label": [
            {"start": 0, "end": 8, "text": "Ora Lund", "labels": ["PER"]},
            {"start": 17, "end": 21, "text": "Tarn", "labels": ["LOC"]},
        ],
    },
}


@pytest.mark.parametrize("tool", MARKED)
def test_marked_texts_are_tagged_words(tmp_path, tool):
    (document,) = read(tmp_path, NER(), MARKED[tool])
    assert document.fields["tokens"] == ["Ora", "Lund", "went", "to", "Tarn", "."]
    assert document.fields["tags"] == ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]
    assert [TEXT[a:b] for a, b in document.fields["offsets"]] == document.fields["tokens"]


def test_texts_that_were_not_accepted_or_annotated_are_left_out(tmp_path):
    notes, task = [], NER()
    rows = [
        {**MARKED["Prodigy"], "answer": "reject"},
        {**MARKED["Label Studio"], "annotations": []},
        MARKED["doccano triples"],
        {"text": TEXT, "label": []},
    ]
    tags = [document.fields["tags"] for document in read(tmp_path, task, *rows, notes=notes)]
    assert tags == [["B-PER", "I-PER", "O", "O", "B-LOC", "O"], ["O"] * 6]
    assert notes == ["a.jsonl: 1 texts of Prodigy were rejected or ignored by the annotator, and were left out."]
    assert task.notes == ["1 texts have no annotation and were left out."]
    with pytest.raises(UserError, match=r"No text from a\.jsonl line 1 on has an annotation"):
        read(tmp_path, NER(), {**MARKED["Label Studio"], "annotations": []})


def test_choices_of_label_studio(tmp_path):
    def one(name, *choices):
        result = [{"type": "choices", "value": {"choices": list(choices)}}]
        return {"id": name, "data": {"text": name}, "annotations": [{"result": result}]}

    rows = [one("a", "ham"), one("b", "spam", "odd")]
    assert [d.fields["gold"] for d in read(tmp_path, Classification(), *rows)] == [("ham",), ("spam",)]
    assert [d.fields["gold"] for d in read(tmp_path, Classification(multi_label=True), *rows)] == [
        ("ham",),
        ("spam", "odd"),
    ]


QUESTIONS = [
    {"id": "1", "question": "Who?", "is_impossible": False, "answers": [{"text": "Ora Lund", "answer_start": 29}]},
    {"id": "2", "question": "Fare?", "is_impossible": True, "answers": [],
     "plausible_answers": [{"text": "noon", "answer_start": 23}]},
]  # fmt: skip
ASKED = {
    "SQuAD": {"title": "F", "paragraphs": [{"context": CONTEXT, "qas": QUESTIONS}, {"context": "x", "qas": []}]},
    "SQuAD, a paragraph a line": {"context": CONTEXT, "qas": QUESTIONS},
    "MRQA": {
        "context": CONTEXT,
        "qas": [
            {"qid": "1", "question": "Who?", "answers": ["Ora Lund"],
             "detected_answers": [{"text": "Ora Lund", "char_spans": [[29, 36]]}]},
            {"qid": "2", "question": "Fare?", "answers": [], "detected_answers": []},
        ],
    },
    "texts alone": {"context": CONTEXT, "questions": [
        {"id": 1, "question": "Who?", "answers": ["Ora Lund"]}, {"id": 2, "question": "Fare?", "answers": []}]},
    "one text": {"context": CONTEXT, "questions": [
        {"id": 1, "question": "Who?", "answer": "Ora Lund"}, {"id": 2, "question": "Fare?", "answers": []}]},
    "lists": {"context": CONTEXT, "questions": [
        {"id": 1, "question": "Who?", "answers": {"text": ["Ora Lund"], "answer_start": [29]}},
        {"id": 2, "question": "Fare?", "answers": {"text": [], "answer_start": []}}]},
}  # fmt: skip


@pytest.mark.parametrize("tool", ASKED)
def test_questions_and_their_answers(tmp_path, tool):
    header = [{"header": {"dataset": "x", "split": "train"}}] if tool == "MRQA" else []
    first, second = read(tmp_path, QA(), *header, ASKED[tool])
    assert [first.fields["question"], second.fields["question"]] == ["Who?", "Fare?"]
    assert first.fields["answers"] == [{"text": "Ora Lund", "start": 29, "end": 37}]
    assert second.fields["answers"] == []
    assert first.fields["context"] == CONTEXT


PARAGRAPHS = [["Ferry", ["The ferry left Tarn.", " Ora Lund steered."]], ["Lund", ["Lund is old.", "It is cold."]]]


@pytest.mark.parametrize(
    ("context", "facts"),
    [
        (PARAGRAPHS, [["Lund", 0]]),
        ({"title": [p[0] for p in PARAGRAPHS], "sentences": [p[1] for p in PARAGRAPHS]},
         {"title": ["Lund"], "sent_id": [0]}),
    ],
)  # fmt: skip
def test_hotpotqa_points_into_a_supporting_sentence(tmp_path, context, facts):
    row = {"_id": "h", "question": "Who?", "answer": "Lund", "context": context, "supporting_facts": facts}
    notes = []
    others = {**row, "_id": "i", "answer": "yes"}, {**row, "_id": "j", "answer": "Nobody"}
    (document,) = read(tmp_path, QA(), row, *others, notes=notes)
    text = "Ferry\nThe ferry left Tarn. Ora Lund steered.\n\nLund\nLund is old. It is cold."
    assert (document.id, document.fields["context"]) == ("h", text)
    # Not in the first paragraph, nor in the title of the second.
    assert document.fields["answers"] == [
        {"text": "Lund", "start": text.index("Lund is"), "end": text.index(" is old")}
    ]
    assert "1 questions of HotpotQA have the answer yes or no" in notes[0]
    assert "1 questions of HotpotQA have an answer that does not occur" in notes[1]


def test_hotpotqa_counts_through_the_sentences(tmp_path):
    row = {"question": "?", "answer": "Lund", "context": PARAGRAPHS, "supporting_facts": [["Ferry", 1], ["Lund", 0]]}
    (document,) = read(tmp_path, QA(), row)
    start = document.fields["context"].index("Lund steered")
    assert document.fields["answers"] == [{"text": "Lund", "start": start, "end": start + 4}]


def test_musique_is_read_as_hotpotqa(tmp_path):
    paragraphs = [
        {"idx": 0, "title": "Ferry", "paragraph_text": "The ferry left Lund.", "is_supporting": False},
        {"idx": 1, "title": "Tarn", "paragraph_text": "Ora Lund steered.", "is_supporting": True},
    ]
    row = {"id": "m", "paragraphs": paragraphs, "question": "Who?", "answer": "Lund", "answerable": True}
    first, second = read(tmp_path, QA(), row, {**row, "id": "n", "answerable": False})
    text = "Ferry\nThe ferry left Lund.\n\nTarn\nOra Lund steered."
    assert first.fields["context"] == second.fields["context"] == text
    assert [answer["start"] for answer in first.fields["answers"]] == [text.index("Lund steered")]
    assert second.fields["answers"] == []


def test_an_answer_at_minus_one_is_looked_for(tmp_path):
    """As in DuReader, in SQuAD's format."""
    asked = [{"id": "1", "question": "Who?", "answers": [{"text": "Ora Lund", "answer_start": -1}]}]
    (document,) = read(tmp_path, QA(), {"paragraphs": [{"context": CONTEXT, "qas": asked}]})
    assert document.fields["answers"] == [{"text": "Ora Lund", "start": 29, "end": 37}]


def test_docred_counts_words_through_the_document(tmp_path):
    row = {
        "title": "A",
        "sents": [["Ora", "Lund", "lives", "in", "Tarn", "."], ["Lund", "was", "born", "in", "Velm", "."]],
        "vertexSet": [
            [{"name": "Ora Lund", "sent_id": 0, "pos": [0, 2], "type": "PER"},
             {"name": "Lund", "sent_id": 1, "pos": [0, 1], "type": "PER"},
             {"name": "Lund", "sent_id": 1, "pos": [0, 1], "type": "PER"}],
            [{"name": "Velm", "sent_id": 1, "pos": [4, 5], "type": "LOC"}],
        ],
    }  # fmt: skip
    for labels in (
        [{"h": 0, "t": 1, "r": "P19", "evidence": [1]}, {"h": 1, "t": 1, "r": "P1"}],
        {"head": [0, 1], "tail": [1, 1], "relation_id": ["P19", "P1"]},
    ):
        (document,) = read(tmp_path, Relation(), {**row, "labels": labels})
        entities, words = document.fields["entities"], document.fields["tokens"]
        for entity, mentions in zip(entities, row["vertexSet"], strict=True):
            assert {" ".join(words[a:b]) for a, b in entity["mentions"]} == {one["name"] for one in mentions}
        assert document.fields["sentence_starts"] == [0, 6]
        assert document.fields["relations"] == [(0, 1, "P19")]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "user", "content": "hello there"}, {"role": "assistant", "content": "good day"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello there"}]},
                      {"role": "assistant", "content": None, "tool_calls": []},
                      {"role": "assistant", "content": "good day"}]},
        {"conversations": [{"from": "human", "value": "hello there"}, {"from": "gpt", "value": "good day"}]},
        {"conversations": [{"role": "human", "content": "hello there"}, {"role": "gpt", "content": "good day"}]},
        {"dialog": ["hello there", "good day"]},
        {"instruction": "hello there", "input": "", "output": "good day"},
        {"instruction": "hello", "input": "there", "output": "good day"},
        {"instruction": "hello", "context": "there", "response": "good day", "category": "x"},
        {"prompt": "hello there", "completion": "good day"},
    ],
)  # fmt: skip
def test_chats_are_turns(tmp_path, row):
    task = Dialogue(mode="write").for_kind("decoder")
    (document,) = read(tmp_path, task, row)
    assert document.fields["history"].split() == ["A:", "hello", "there"]
    assert (document.fields["speaker"], document.fields["reply"]) == ("B", "good day")


@pytest.mark.parametrize("lines", [False, True])
def test_dialogues_that_are_lists_of_texts(tmp_path, lines):
    """As LCCC has them: one list of all, or one a line."""
    dialogues = [["你好", "你好呀"], ["在吗", "在", "好"]]
    content = "".join(json.dumps(one) + "\n" for one in dialogues) if lines else json.dumps(dialogues)
    (tmp_path / "a.json").write_text(content)
    found = [[turn["text"] for turn in record.fields["turns"]] for record in read_file(tmp_path / "a.json", "dialogue")]
    assert found == dialogues


def test_a_picture_in_a_message_is_refused_by_place(tmp_path):
    row = {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}
    with pytest.raises(UserError, match=r"'messages\[0\]\.content' of a\.jsonl line 1 is not only text"):
        read(tmp_path, Dialogue(mode="write").for_kind("decoder"), row)


def test_translations_by_language(tmp_path):
    row, notes = {"translation": {"en": "The boat left.", "fr": "Le bateau partit."}}, []
    (document,) = read(tmp_path, Translation(), row, notes=notes)
    assert (document.fields["source"], document.fields["target"]) == ("The boat left.", "Le bateau partit.")
    assert "from en to fr" in notes[0]
    (other,) = read(tmp_path, Translation(source_field="fr", target_field="en"), row)
    assert (other.fields["source"], other.fields["target"]) == ("Le bateau partit.", "The boat left.")
    with pytest.raises(UserError, match=r"'translation' of a\.jsonl line 1 has 1 languages"):
        read(tmp_path, Translation(), {"translation": {"en": "x", "fr": None}})


@pytest.mark.parametrize(
    "row",
    [
        {"article": "A boat left.", "highlights": "It left."},
        {"dialogue": "A boat left.", "summary": "It left."},
        {"article": "A boat left.", "abstract": "It left."},
        {"text": "A boat left.", "summary": "It left."},
        {"document": "A boat left.", "summary": "It left.", "text": "other"},
    ],
)
def test_summaries_under_other_names(tmp_path, row):
    (document,) = read(tmp_path, Summarization(), row)
    assert (document.fields["document"], document.fields["summary"]) == ("A boat left.", "It left.")


def test_translations_of_variable_languages(tmp_path):
    row = {"translation": {"language": ["en", "th"], "translation": ["The boat left.", "เรือออกไปแล้ว"]}}
    (document,) = read(tmp_path, Translation(), row)
    assert (document.fields["source"], document.fields["target"]) == ("The boat left.", "เรือออกไปแล้ว")


def test_a_list_of_texts_is_a_text_each(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(["one", "two"]))
    assert [record.fields["text"] for record in read_file(path, "lm")] == ["one", "two"]


CLASSES = {
    "doccano": [{"id": 1, "text": "a", "label": ["ham"]}, {"id": 2, "text": "b", "label": ["spam"]}],
    "Prodigy": [
        {"text": "a", "label": "ham", "answer": "accept"},
        {"text": "x", "label": "ham", "answer": "reject"},
        {"text": "b", "label": "spam", "answer": "accept"},
    ],
    "Prodigy's choice": [
        {"text": "a", "options": [{"id": "ham"}, {"id": "spam"}], "accept": ["ham"], "answer": "accept"},
        {"text": "b", "options": [{"id": "ham"}, {"id": "spam"}], "accept": ["spam"], "answer": "accept"},
        {"text": "c", "options": [{"id": "ham"}, {"id": "spam"}], "accept": ["spam"], "answer": "ignore"},
    ],
    "Label Studio, JSON-MIN": [
        {"id": 1, "text": "a", "mood": {"choices": ["ham"]}},
        {"id": 2, "text": "b", "mood": {"choices": ["spam"]}},
    ],
}


@pytest.mark.parametrize("tool", CLASSES)
@pytest.mark.parametrize("several", [False, True])
def test_classes_of_texts(tmp_path, tool, several):
    found = read(tmp_path, Classification(multi_label=several), *CLASSES[tool])
    assert [(one.fields["text"], one.fields["gold"]) for one in found] == [("a", ("ham",)), ("b", ("spam",))]


def test_what_doccano_has_written_for_a_text(tmp_path):
    row, notes = {"id": 1, "text": "A boat left.", "label": ["It left."]}, []
    (summary,) = read(tmp_path, Summarization(), row, {"id": 2, "text": "x", "label": []}, notes=notes)
    assert (summary.fields["document"], summary.fields["summary"]) == ("A boat left.", "It left.")
    assert notes == ["a.jsonl: 1 texts of doccano have nothing written for them and were left out."]
    (pair,) = read(tmp_path, Translation(), row)
    assert (pair.fields["source"], pair.fields["target"]) == ("A boat left.", "It left.")


def test_a_field_that_was_named_is_still_there(tmp_path):
    (document,) = read(tmp_path, Summarization(document_field="article"), {"article": "a b", "highlights": "a"})
    assert document.fields["document"] == "a b"


def test_pairs_under_other_names_and_without_agreement(tmp_path):
    rows = [{"sentence1": "p", "sentence2": "h", "gold_label": name} for name in ("entailment", "-", "neutral")]
    task = NLI()
    documents = read(tmp_path, task, *rows)
    assert [(d.fields["premise"], d.fields["hypothesis"], d.fields["gold"]) for d in documents] == [
        ("p", "h", ("entailment",)),
        ("p", "h", ("neutral",)),
    ]
    assert task.notes == ["1 of 3 records have no gold label in 'label' (null, empty, '-' or -1) and were left out."]


@pytest.mark.parametrize(
    "row",
    [
        {"id": "b", "passage": CONTEXT, "question": "Was it noon?", "answer": True},
        {"id": "b", "context": CONTEXT, "question": "Was it noon?", "answers": ["Yes"]},
        {"id": "b", "context": CONTEXT, "questions": [{"question": "Was it noon?", "answers": [{"text": "yes"}]}]},
        {"id": "b", "context": CONTEXT, "question": "Was it noon?",
         "answers": {"text": ["yes", "yes"], "answer_start": [-1, -1]}},
    ],
)  # fmt: skip
def test_yes_or_no_is_read_by_nli_and_named_by_qa(tmp_path, row):
    (document,) = read(tmp_path, NLI(labels=["yes", "no"]), row)
    assert (document.fields["premise"], document.fields["hypothesis"]) == (CONTEXT, "Was it noon?")
    assert document.fields["gold"] == ("yes",)
    with pytest.raises(UserError, match=r"no field 'context'|is yes or no.*ctxlab train task=nli|is -1"):
        read(tmp_path, QA(), row)


@pytest.mark.parametrize(
    ("task", "row"),
    [
        (NER(), {**MARKED["Label Studio"], "annotations": [{"result": [{"value": {"start": 0}}]}]}),
        (QA(), {"paragraphs": [{"context": "x"}]}),
        (Relation(), {"sents": [["a"]], "vertexSet": [[{"sent_id": 4, "pos": [0, 1]}]]}),
        (QA(), {"question": "?", "answer": "x", "context": [["T", [3]]]}),
    ],
)
def test_incomplete_records_are_named_by_place(tmp_path, task, row):
    with pytest.raises(UserError, match=r"a\.jsonl line 1") as caught:
        read(tmp_path, task, row)
    assert "\n" not in str(caught.value)


NATIVE = {
    "ner": {"tokens": ["a"], "tags": ["O"], "text": "a", "label": []},
    "qa": {"context": "a b", "questions": [{"question": "?", "answers": []}]},
    "summarization": {"document": "a", "summary": "b"},
    "translation": {"source": "a", "target": "b"},
    "nli": {"premise": "a", "hypothesis": "b", "label": "c"},
    "dialogue": {"turns": [{"speaker": "a", "text": "b"}], "messages": [{"role": "u", "content": "x"}]},
    "relation": {"tokens": ["a"], "entities": [], "relations": []},
    "classification": {"text": "a", "label": "b"},
}


@pytest.mark.parametrize("task", NATIVE)
def test_records_of_our_own_are_in_no_format(task):
    assert [one.name for one in FORMATS if task in one.tasks and one.recognises(NATIVE[task])] == []
