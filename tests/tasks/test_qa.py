"""Questions about a long context: reading records, encoding, loss and answers."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tokenizers import processors

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Merged
from ctxlab.evaluation.metrics import answers
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.hierarchical import Hierarchical
from ctxlab.strategies.reading.segments import Segments
from ctxlab.strategies.reading.select import Select
from ctxlab.strategies.reading.truncate import Truncate
from ctxlab.tasks.qa import ENDS, QA, STARTS
from ctxlab.tasks.text.pairs import PairFrame, pair_frame
from tests.tasks.conftest import FAMILIES

CONTEXT = "The town sold rope. Nobody, in that town, bought wool. The time was bad."


def question(text="who?", *gold, id="q"):
    return {"id": id, "question": text, "answers": [{"text": t, "answer_start": CONTEXT.index(t)} for t in gold]}


def parse(record, task=None, gold=True):
    task = task or QA()
    return task.expand(task.parse({"id": "r", **record}, "a.jsonl line 3", gold=gold))


def encode(tokenizer, *questions, task=None):
    task = task or QA()
    documents = parse({"context": CONTEXT, "questions": list(questions)}, task)
    return documents, task.encode(documents, tokenizer)


def perfect(labels):
    """Observed outputs (W, 2) of a perfect model."""
    return np.stack([np.where(labels & bit, 10, -10) for bit in (STARTS, ENDS)], axis=-1).astype(np.float32)


def answered(task, document, encoded, reading, length, outputs=perfect):
    windows = reading.windows(encoded, length)
    values = [outputs(np.where(w.token_index < 0, 0, w.labels(encoded))) for w in windows]
    return task.decode(document, encoded, reading.merge(windows, values, len(encoded)))


READINGS = [Truncate(), Chunk(), Chunk(overlap_tokens=3), Chunk(overlap_tokens=5, merge="mean"), Segments(window=24),
            Hierarchical(window=24)]  # fmt: skip
LENGTHS = [128, 24, 24, 24, 64, 64]
CASES = list(zip(READINGS, LENGTHS, strict=True))
ASKED = [
    question("a?", "rope", id="1"), question("b?", "town sold rope. Nobody, in that", id="2"), question("c?", id="3"),
    question("d?", "The town sold", id="4"), question("e?", "bad.", id="5"), question("f?", "wool", "The time", id="6"),
]  # fmt: skip


@pytest.mark.parametrize(("reading", "length"), CASES)
def test_a_perfect_prediction_scores_one_and_an_empty_one_nothing(reading, length, tokenizer):
    task = QA()
    documents, encoded = encode(tokenizer, *ASKED, task=task)
    whole = [answered(task, d, e, reading, length) for d, e in zip(documents, encoded, strict=True)]
    found = answers.score(documents, whole)
    assert found.metrics["exact_match"] == found.metrics["f1"] == found.coverage_labels == 1
    empty = [
        answered(task, d, e, reading, length, lambda labels: np.zeros((len(labels), 2), np.float32))
        for d, e in zip(documents, encoded, strict=True)
    ]
    found = answers.score(documents, empty)
    assert found.metrics["has_answer_f1"] == found.metrics["has_answer_exact_match"] == 0
    assert found.metrics["no_answer_accuracy"] == 1


CUTTING = [*(Truncate(keep) for keep in ("head", "tail", "head_tail", "middle")), Select("bm25"), Select("textrank")]


@pytest.mark.parametrize("reading", CUTTING)
@pytest.mark.parametrize("length", [16, 30, 40])
def test_a_perfect_model_scores_its_coverage_where_something_is_cut(reading, length, tokenizer):
    task = QA()
    asked = [question("x?", word, id=str(i)) for i, word in enumerate(["town", "rope", "Nobody, in", "wool", "bad."])]
    documents, encoded = encode(tokenizer, *asked, task=task)
    found = answers.score(
        documents, [answered(task, d, e, reading, length) for d, e in zip(documents, encoded, strict=True)]
    )
    assert found.metrics["exact_match"] == found.metrics["f1"] == found.coverage_labels < 1


def test_sentences_are_selected_by_the_question(tokenizer):
    """Only the last sentence has the word in the question."""
    task = QA()
    (document,), (encoded,) = encode(tokenizer, question("time", "bad."), task=task)
    assert answered(task, document, encoded, Select("bm25"), 16).answer.text == "bad."
    assert answered(task, document, encoded, Truncate(), 16).answer.text == ""


def with_pairs(tokenizer, pair):
    """The tokenizer with a template for two texts, which the small ones lack."""
    backend = tokenizer.backend_tokenizer
    special = [
        (token, backend.token_to_id(token)) for token in set(pair.split()) if backend.token_to_id(token) is not None
    ]
    single = pair[: pair.index("$B")].replace(" </s> </s>", " </s>").strip()
    backend.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)
    return tokenizer


def test_a_tokenizer_without_a_form_for_two_texts(tokenizer):
    assert pair_frame(tokenizer) == PairFrame((2,), (3,), (3,))


def test_the_question_is_in_front_of_every_window(tokenizer):
    tokenizer = with_pairs(tokenizer, "[CLS] $A [SEP] $B [SEP]")
    (_,), (encoded,) = encode(tokenizer, question("the time", "rope"))
    ids = tokenizer("the time", CONTEXT)["input_ids"]
    (window,) = Chunk().windows(encoded, 128)
    assert window.input_ids.tolist() == ids
    assert list(encoded.query) == tokenizer("the time", add_special_tokens=False)["input_ids"]
    assert all(w.input_ids[: len(encoded.before)].tolist() == ids[:4] for w in Chunk().windows(encoded, 24))


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("bert", "[CLS] $A [SEP] $B [SEP]"), ("roberta", "<s> $A </s> </s> $B </s>"),
        ("modernbert", "<s> $A </s> $B </s>"),
    ],
)  # fmt: skip
def test_special_tokens_are_those_of_a_pair(name, pair):
    tokenizer = with_pairs(FAMILIES[name][0](), pair)
    task = QA()
    task.prepare(tokenizer)
    (document,), (encoded,) = encode(tokenizer, question("the time", "rope"), task=task)
    (window,) = Chunk().windows(encoded, 256)
    assert window.input_ids.tolist() == tokenizer("the time", CONTEXT)["input_ids"]
    assert answered(task, document, encoded, Chunk(), 256).answer.text == "rope"


def test_a_tokenizer_without_a_first_token_is_refused():
    with pytest.raises(UserError, match="no answer"):
        QA().prepare(FAMILIES["gpt2"][0]())


def test_labels_are_the_first_answer(tokenizer):
    _, (encoded, none) = encode(tokenizer, question("x?", "town sold", "wool", id="1"), question("y?", id="2"))
    first, last = np.flatnonzero(encoded.labels & STARTS), np.flatnonzero(encoded.labels & ENDS)
    assert (encoded.starts[first].tolist(), encoded.ends[last].tolist()) == ([4], [13])
    assert not none.labels.any()


def test_loss_by_hand():
    outputs = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([
        [NO_LABEL, NO_LABEL, 0, STARTS, ENDS], [NO_LABEL, 0, STARTS + ENDS, NO_LABEL, NO_LABEL],
        [NO_LABEL, NO_LABEL, 0, 0, STARTS],
    ])  # fmt: skip
    places = [([0, 2, 3, 4], 2, 3), ([0, 1, 2], 2, 2), ([0, 2, 3, 4], 3, 0)]
    each = [
        [F.cross_entropy(row[kept, side], torch.tensor(at)) for side, at in enumerate(where)]
        for row, (kept, *where) in zip(outputs, places, strict=True)
    ]
    loss = QA().loss(outputs, labels)
    assert loss.total.item() == pytest.approx(sum(map(sum, each)).item() / 2, rel=1e-5)
    assert loss.weight.item() == 3
    weighted = QA(no_answer_weight=0.5).loss(outputs, labels)
    assert weighted.total.item() == pytest.approx((sum(map(sum, each)) - each[2][1] / 2).item() / 2, rel=1e-5)
    assert weighted.weight.item() == 2.75


def test_the_loss_learns_nothing_of_the_question_or_padding():
    outputs = torch.randn(1, 5, 2, requires_grad=True)
    QA().loss(outputs, torch.tensor([[NO_LABEL, NO_LABEL, STARTS, ENDS, NO_LABEL]])).total.backward()
    assert outputs.grad.abs().sum(-1).ne(0).tolist() == [[True, False, True, True, False]]


def test_scores_are_above_that_of_their_own_window():
    outputs = torch.tensor([[[1.0, 2.0], [4.0, 4.0]], [[0.0, 5.0], [0.0, 0.0]]])
    found = QA().reduce_outputs(outputs, torch.zeros(2, 2))
    assert found.tolist() == [[[0, 0], [3, 2]], [[0, 0], [0, -5]]]


def decode(tokenizer, scores, seen=None, record=None, **options):
    """The answer decoded where the tokens of words have these (start, end) scores."""
    task = QA(**options)
    (document,) = parse(record or {"context": "town sold rope nobody bought", "question": "x?"}, gold=False)
    (encoded,) = task.encode([document], tokenizer)
    outputs = np.zeros((len(encoded), 2), np.float32)
    flags = np.ones(len(encoded), bool)
    for word, values in scores.items():
        at = document.fields["context"].index(word)
        first, last = np.searchsorted(encoded.starts, at), np.searchsorted(encoded.ends, at + len(word))
        outputs[first, 0], outputs[last, 1] = values
        flags[first : last + 1] = seen is None or word not in seen
    return task.decode(document, encoded, Merged(outputs, flags)), task, document


def test_the_best_span_is_the_answer(tokenizer):
    found, *_ = decode(tokenizer, {"sold": (3, 0), "nobody": (0, 2), "town": (0, 9)})
    assert (found.answer.text, found.answer.score) == ("town", 9)
    found, *_ = decode(tokenizer, {"sold": (3, 0), "nobody": (0, 2)})
    assert (found.answer.text, found.answer.start, found.answer.end) == ("sold rope nobody", 5, 21)


def test_an_end_does_not_come_before_its_start(tokenizer):
    found, *_ = decode(tokenizer, {"town": (0, 5), "rope": (6, 0), "sold": (-9, -9), "nobody": (-9, 1)})
    assert found.answer.text == "rope nobody"


def test_the_longest_answer(tokenizer):
    scores = {"town": (5, 0), "bought": (0, 5)}
    assert decode(tokenizer, scores)[0].answer.text == "town sold rope nobody bought"
    assert decode(tokenizer, scores, max_answer_tokens=1)[0].answer.score == 5


def test_no_answer_spans_unseen_tokens(tokenizer):
    scores = {"town": (5, 1), "rope": (0, 0), "bought": (0, 5)}
    found, *_ = decode(tokenizer, scores, seen=["rope"])
    assert found.answer.score == 6
    assert "rope" not in found.answer.text


def test_the_threshold(tokenizer):
    assert decode(tokenizer, {"town": (1, 1)})[0].answer.text == "town"
    found, task, document = decode(tokenizer, {"town": (1, 1)}, no_answer_threshold=2)
    assert task.record(document, found) == {
        "id": "r", "question": "x?", "answer": "", "start": None, "end": None, "score": 2.0,
    }  # fmt: skip
    assert decode(tokenizer, {}, no_answer_threshold=-1)[0].answer.text


def test_a_document_of_which_nothing_was_seen(tokenizer):
    (document,), (encoded,) = encode(tokenizer, question("x?", "rope"))
    found = QA().decode(
        document, encoded, Merged(np.zeros((len(encoded), 0), np.float32), np.zeros(len(encoded), bool))
    )
    assert (found.answer.text, found.answer.score, list(found.seen)) == ("", None, [False])


def test_several_texts_are_one_context(tokenizer):
    record = {
        "contexts": ["town sold", "rope town"],
        "question": "x?",
        "answers": [{"text": "town", "answer_start": 5, "context": 1}],
    }
    (document,) = parse(record)
    assert document.fields["context"] == "town sold\n\nrope town"
    assert document.fields["answers"] == [{"text": "town", "start": 16, "end": 20}]
    found, task, document = decode(tokenizer, {"sold": (5, 1), "rope": (1, 7)}, record=record)
    assert task.record(document, found)["answer"] == "rope"  # "sold" to "rope" would be better, across the two
    assert [task.record(document, found)[name] for name in ("context", "start", "end")] == [1, 0, 4]


def test_texts_with_titles(tokenizer):
    record = {
        "contexts": [{"title": "The rope", "text": "town sold"}, {"text": "rope town"}, "sold"],
        "question": "x?",
        "answers": [{"text": "town", "answer_start": 0, "context": 0}],
    }
    (document,) = parse(record)
    assert document.fields["context"] == "The rope\ntown sold\n\nrope town\n\nsold"
    assert document.fields["answers"] == [{"text": "town", "start": 9, "end": 13}]
    found, task, document = decode(tokenizer, {"sold": (5, 5)}, record=record)
    assert [task.record(document, found)[name] for name in ("context", "start", "end")] == [0, 5, 9]
    found, task, document = decode(tokenizer, {"rope": (5, 5)}, record=record)
    line = task.record(document, found)
    assert [line[name] for name in ("context", "start", "end", "in_title")] == [0, 4, 8, True]


def test_both_forms_of_records():
    nested = parse({"context": CONTEXT, "questions": [question("x?", "rope", id=7), {"question": "y?", "answers": []}]})
    assert [(d.id, d.fields["group"]) for d in nested] == [("r#7", "r"), ("r#2", "r")]
    (flat,) = parse({"context": CONTEXT, "question": "x?", "answers": {"text": ["rope"], "answer_start": [14]}})
    assert (flat.id, flat.fields["answers"]) == ("r", nested[0].fields["answers"])
    (asked,) = parse({"body": CONTEXT, "question": "x?"}, QA(context_field="body"), gold=False)
    assert asked.fields["answers"] == []


def test_an_answer_at_a_wrong_place_is_found_again_and_counted():
    task = QA()
    wrong = {"id": "q", "question": "x?", "answers": [{"text": "rope", "answer_start": 3}]}
    (document,) = parse({"context": CONTEXT, "questions": [wrong]}, task)
    assert document.fields["answers"] == [{"text": "rope", "start": 14, "end": 18}]
    parse({"context": CONTEXT, "questions": [wrong]}, task)
    parse({"context": CONTEXT, "question": "x?", "answers": [{"text": "wool"}]}, task)  # no place given: none wrong
    (note,) = task.notes
    assert note.startswith("2 answers are not in the context at their answer_start")


def one(**changes):
    return {"context": CONTEXT, "questions": [{**question("x?", "rope"), **changes}]}


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (one(answers=[{"text": "town", "answer_start": 0}]), ["'questions[0].answers[0]'", "occurs more than once"]),
        (one(answers=[{"text": "salt", "answer_start": 0}]), ["answer_start=0", "occurs nowhere"]),
        (one(answers=[{"text": "town"}]), ["has no answer_start", "more than once"]),
        (one(answers=[{"text": "", "answer_start": 0}]), ["'questions[0].answers[0].text'", "empty"]),
        (one(answers=[{"text": "rope", "answer_start": "14"}]), ["answers[0].answer_start'", "'14'"]),
        (one(answers=[{"text": "rope", "answer_start": 14, "context": 1}]), ["'questions[0].answers[0].context'"]),
        (one(answers=[3]), ["'questions[0].answers[0]'", "3"]),
        (one(answers={"text": ["rope"], "answer_start": []}), ["differ in length"]),
        (one(answers=None), ["questions[0].answers", "missing"]),
        (one(question=" "), ["'questions[0].question'", "empty text"]),
        (one(question=3), ["'questions[0].question'", "int"]),
        ({"context": CONTEXT, "questions": [{"id": 1, "answers": []}]}, ["'questions[0]'", "no field 'question'"]),
        ({"context": CONTEXT, "questions": []}, ["'questions'", "empty list"]),
        ({"context": CONTEXT, "questions": ["x?"]}, ["'questions[0]'", "str"]),
        ({"context": CONTEXT, "questions": [question(id=1), question(id="1")]}, ["id '1'", "already that of"]),
        ({"question": "x?", "answers": []}, ["no field 'context'"]),
        ({"context": " ", "question": "x?", "answers": []}, ["'context'", "empty"]),
        ({"contexts": ["a", ""], "question": "x?", "answers": []}, ["'contexts[1]'", "empty"]),
        ({"contexts": [], "question": "x?", "answers": []}, ["'contexts'", "empty list"]),
        ({"contexts": "a b", "question": "x?", "answers": []}, ["'contexts'", "give a list"]),
        ({"contexts": [{"title": "a"}], "question": "x?", "answers": []}, ["'contexts[0]'", "no field 'text'"]),
        ({"contexts": [{"text": 3}], "question": "x?", "answers": []}, ["'contexts[0].text'", "type int"]),
        ({"contexts": ["a", {"text": "b", "title": 4}], "question": "x?"}, ["'contexts[1].title'", "type int"]),
        ({"context": "a", "asked": "x"}, ["no field 'questions'"]),
        ({"tokens": ["a"], "tags": ["O"]}, ["task=ner"]),
    ],
)
def test_bad_records_are_refused_by_place_and_field(record, says):
    with pytest.raises(UserError) as caught:
        parse(record)
    assert all(part in str(caught.value) for part in ["a.jsonl line 3", *says]), str(caught.value)


def test_predictions_need_no_answers():
    record = one(answers=None)
    assert parse(record, gold=False)[0].fields["answers"] == []
    assert json.dumps(parse(record, gold=False)[0].fields)


def test_an_epoch_trains_on_an_excerpt_around_the_answer(tokenizer):
    _, (encoded, none) = encode(tokenizer, question("x?", "town sold", id="1"), question("y?", id="2"))
    task = QA(stretch_tokens=12, no_answer_share=0.0)
    drawn = [task.resample(encoded, seed) for seed in range(50)]
    assert all(len(part) == 12 and part.labels.sum() == STARTS + ENDS for part in drawn)
    firsts = {int(part.starts[0]) for part in drawn}
    assert {0, 4} <= firsts  # from as far in front as there is, to the answer itself
    assert all(int(part.starts[0]) <= 4 and part.query == encoded.query for part in drawn)
    anywhere = [QA(stretch_tokens=12, no_answer_share=1.0).resample(encoded, seed) for seed in range(100)]
    assert 0 < sum(part.labels.any() for part in anywhere) < 50
    assert len({int(task.resample(none, seed).starts[0]) for seed in range(100)}) > 10
    assert task.resample(encoded, 3).starts.tolist() == drawn[3].starts.tolist()
    assert QA().resample(encoded, 1) is encoded
    assert len(QA(stretch_tokens=2, no_answer_share=0.0).resample(encoded, 1)) == 2  # less than the answer


@pytest.mark.parametrize(
    "options", [{"max_answer_tokens": 0}, {"no_answer_weight": -1.0}, {"stretch_tokens": 0}, {"no_answer_share": 2.0}]
)
def test_bad_options_are_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        QA(**options)


def test_impossible_questions_have_no_answer_and_are_counted():
    task = QA()
    plausible = [{"text": "rope", "answer_start": 14}]
    for given in (plausible, {"text": ["rope"], "answer_start": [14]}, [], {"text": [], "answer_start": []}, None):
        (document,) = parse(one(answers=given, is_impossible=True), task)
        assert document.fields["answers"] == []
    (document,) = parse(one(answers=plausible, is_impossible=False), task)
    assert len(document.fields["answers"]) == 1
    (note,) = task.notes
    assert note.startswith("2 questions have is_impossible=true and answers")
    with pytest.raises(UserError, match=r"'questions\[0\]\.is_impossible' .* is 'no': give true or false"):
        parse(one(answers=[], is_impossible="no"))


@pytest.mark.parametrize(
    ("context", "answer", "start"),
    [
        ("Bart makes art.", "art", 11),  # not the end of a name
        ("The artist left.", "art", 4),  # nowhere as a word, and once within one
        ("An afternoon, no doubt.", "no doubt", 14),
    ],
)
def test_a_text_is_found_as_a_word_first(context, answer, start):
    (document,) = parse({"context": context, "question": "?", "answers": [answer]})
    assert document.fields["answers"] == [{"text": answer, "start": start, "end": start + len(answer)}]


def test_yes_is_not_searched_for_in_the_context():
    for answer in ("no", "Yes", "true"):
        with pytest.raises(UserError, match=rf"'{answer}' .* is yes or no.*task=nli"):
            parse({"context": "There was no true afternoon. Yes.", "question": "?", "answers": [answer]})
    (document,) = parse({"context": "It said no.", "question": "?", "answers": [{"text": "no", "answer_start": 8}]})
    assert document.fields["answers"][0]["start"] == 8
