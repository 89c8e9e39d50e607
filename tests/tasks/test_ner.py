import logging
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Document, Merged, Prediction
from ctxlab.tasks.ner import NER
from ctxlab.tasks.text.words import words_of


def parse(task=None, *, gold=True, **record):
    return (task or NER()).parse(record, "a.jsonl line 3", gold=gold)


def document(tokens, tags, name="d"):
    return Document(name, {"tokens": tokens, "tags": tags}, f"{name} line 1")


def test_parse_keeps_what_others_need():
    probes = [{"start": 0, "distance": 3}]
    parsed = parse(id="x", tokens=("a", "b"), tags=["B-X", "O"], sentence_starts=[0], probes=probes, junk=1)
    assert parsed.id == "x"
    assert parsed.origin == "a.jsonl line 3"
    assert parsed.fields == {"tokens": ["a", "b"], "tags": ["B-X", "O"], "sentence_starts": [0], "probes": probes}


def test_fields_may_have_other_names():
    task = NER(tokens_field="words", tags_field="ner")
    assert parse(task, id=0, words=["a"], ner=["O"]).fields == {"tokens": ["a"], "tags": ["O"]}


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "2 in 'tokens' and 1 in 'tags'"),
        ({"tokens": [], "tags": []}, "zero tokens"),
        ({"tokens": ["a"], "ner_tags": ["O"]}, "no field 'tags'.*task.tags_field=ner_tags"),
        ({"words": ["a"], "tags": ["O"]}, "no field 'tokens'.*task.tokens_field="),
        ({}, "no field 'tokens'"),
        ({"tokens": "a b", "tags": ["O"]}, "'tokens'.*of type str"),
        ({"tokens": None, "tags": ["O"]}, "'tokens'.*empty"),
        ({"tokens": ["a", 3], "tags": ["O", "O"]}, "Word 1 .*of type int"),
        ({"tokens": ["a", None], "tags": ["O", "O"]}, "Word 1 "),
        ({"tokens": ["a", "\ud800"], "tags": ["O", "O"]}, "surrogate"),
        ({"tokens": ["a", "b"], "tags": ["O", "Q-X"]}, "'Q-X' of word 1"),
        ({"tokens": ["a"], "tags": ["B-"]}, "'B-' of word 0"),
        ({"tokens": ["a"], "tags": [1]}, "1 of word 0"),
        ({"context": "x", "questions": []}, "task=qa"),
        ({"text": "x", "label": "spam"}, "task=classification"),
        ({"source": "x", "target": "y"}, "task=translation"),
        ({"turns": []}, "task=dialogue"),
        ({"text": "x"}, "task=lm"),
        ({"text": "x", "words": ["x"]}, "task.tokens_field="),
        ({"document": "x", "summaries": []}, "task=summarization"),
        ({"tokens": ["a"], "entities": [], "relations": []}, "task=relation"),
    ],
)
def test_bad_records_are_refused_in_one_sentence(record, says):
    with pytest.raises(UserError, match=says) as caught:
        parse(id="x", **record)
    assert "a.jsonl line 3" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_repairs_are_counted_over_the_run():
    task = NER()
    task.notes.append("something else")
    assert parse(task, tokens=["a", "b"], tags=["I-X", "I-Y"]).fields["tags"] == ["B-X", "B-Y"]
    parse(task, tokens=["a"], tags=["B-X"])
    parse(task, tokens=["a", "b"], tags=["O", "I-X"])
    assert task.notes[0] == "something else"
    assert len(task.notes) == 2
    assert task.notes[1].startswith("3 I- tags in 2 documents")


def test_prediction_takes_plain_text():
    text = "  Mr. Velan's ship,\n\tthe “Halvin”."
    parsed = parse(gold=False, id="x", text=text)
    assert parsed.fields["tokens"] == ["Mr", ".", "Velan", "'", "s", "ship", ",", "the", "“", "Halvin", "”", "."]
    assert [text[a:b] for a, b in parsed.fields["offsets"]] == parsed.fields["tokens"]
    assert parsed.fields["text"] == text
    assert "tags" not in parsed.fields
    assert parse(gold=False, text="a", tokens=["b"]).fields["tokens"] == ["b"]
    assert "tags" not in parse(gold=False, tokens=["b"], tags=["nonsense"]).fields


@pytest.mark.parametrize("record", [{"text": " \n"}, {"text": ""}, {"tokens": []}])
def test_prediction_on_nothing_is_refused(record):
    with pytest.raises(UserError, match="zero tokens"):
        parse(gold=False, **record)


def test_prediction_without_words_says_what_it_takes():
    with pytest.raises(UserError, match=r"no field 'tokens' \(or a text in 'text'\)"):
        parse(gold=False, id="x", body="abc")


@given(st.text())
def test_words_of_any_text_are_its_visible_characters(text):
    words, offsets = words_of(text)
    assert [text[a:b] for a, b in offsets] == words
    kept = "".join(words)
    assert [c for c in text if not c.isspace()] == [c for c in kept if not c.isspace()]
    assert not any(c.isspace() for c in kept)


def test_combining_marks_stay_with_their_letters():
    assert words_of("हिन्दी में cafe\u0301!")[0] == ["हिन्दी", "में", "cafe\u0301", "!"]


def test_labels_are_learned_sorted_or_given():
    task = NER()
    task.learn_labels([document(["a", "b"], ["B-Y", "O"]), document(["a"], ["B-X"])])
    assert task.labels == ["O", "B-X", "I-X", "B-Y", "I-Y"]
    given_task = NER(labels=["Z", "A"])
    given_task.learn_labels([document(["a"], ["B-X"])])
    assert given_task.labels == ["O", "B-A", "I-A", "B-Z", "I-Z"]
    with pytest.raises(UserError, match="no entity"):
        NER().learn_labels([document(["a"], ["O"])])


@pytest.mark.parametrize("labels", [["B-X"], ["O"], [""], [], ["X", "X"], [3]])
def test_bad_labels_are_refused(labels):
    with pytest.raises(UserError, match=r"task\.labels"):
        NER(labels=labels)
    with pytest.raises(UserError, match="outside_weight=-1"):
        NER(outside_weight=-1)


def test_a_type_the_model_never_had_is_refused():
    task = NER(labels=["X"])
    task.check_labels([document(["a"], ["B-X"])])
    with pytest.raises(UserError, match=r"'Y' of v line 1 .*task\.labels=\[X,Y\]"):
        task.check_labels([document(["a"], ["B-X"]), document(["a", "b"], ["O", "B-Y"], "v")])


def test_encode_by_hand(tokenizer, caplog):
    task = NER(labels=["X"])
    with caplog.at_level(logging.WARNING):
        (encoded,) = task.encode([document(["The", "towns", "xyz"] * 8, ["O", "B-X", "I-X"] * 8)], tokenizer)
    assert not caplog.records  # the tokenizer's model_max_length is 16
    assert tokenizer.convert_ids_to_tokens(encoded.input_ids[:6].tolist()) == ["the", "town", "##s", "x", "##y", "##z"]
    assert encoded.labels[:6].tolist() == [0, 1, NO_LABEL, 2, NO_LABEL, NO_LABEL]
    assert encoded.word_ids[:6].tolist() == [0, 1, 1, 2, 2, 2]
    assert (encoded.before, encoded.after) == ((2,), (3,))
    assert encoded.input_ids.dtype == encoded.labels.dtype == encoded.word_ids.dtype == np.int64
    assert task.notes == []


def test_words_without_tokens_are_noted_and_still_answered(tokenizer):
    task = NER(labels=["X"])
    given_document = document(["the", "\u200b", "town"], ["O", "B-X", "O"])
    (encoded,) = task.encode([given_document], tokenizer)
    assert encoded.labels.tolist() == [0, 1, 0]
    assert len(task.notes) == 1
    assert "1 words" in task.notes[0]
    assert "d line 1" in task.notes[0]
    outputs = np.eye(3, dtype=np.float32)[[0, 1, 0]]
    assert task.decode(given_document, encoded, Merged(outputs, np.ones(3, bool))).answer == ["O", "B-X", "O"]


def test_without_gold_there_are_no_labels(tokenizer):
    task = NER(labels=["X"])
    (encoded,) = task.encode([parse(gold=False, text="the town")], tokenizer)
    assert encoded.labels.tolist() == [NO_LABEL, NO_LABEL]


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_loss_by_hand_adds_up_over_parts(weight):
    torch.manual_seed(0)
    outputs = torch.randn(2, 5, 3, requires_grad=True)
    labels = torch.tensor([[0, 1, 2, NO_LABEL, NO_LABEL], [NO_LABEL, 0, 0, 2, 1]])
    expected = total_weight = 0.0
    for row in range(2):
        for token in range(5):
            label = int(labels[row, token])
            if label != NO_LABEL:
                logits = outputs[row, token].tolist()
                factor = weight if label == 0 else 1.0
                expected -= factor * (logits[label] - math.log(sum(math.exp(x) for x in logits)))
                total_weight += factor
    task = NER(labels=["X"], outside_weight=weight)
    loss = task.loss(outputs, labels)
    assert loss.total.item() == pytest.approx(expected, rel=1e-5)
    assert loss.weight.item() == pytest.approx(total_weight)
    parts = [task.loss(outputs[i : i + 1], labels[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(loss.total, parts[0].total + parts[1].total)
    loss.total.backward()
    assert outputs.grad[0, 3:].abs().sum() == 0


def test_loss_of_nothing_and_in_half_precision():
    task = NER(labels=["X"])
    outputs = torch.randn(1, 2, 3, requires_grad=True)
    loss = task.loss(outputs, torch.full((1, 2), NO_LABEL))
    assert (loss.total.item(), loss.weight.item()) == (0.0, 0.0)
    loss.total.backward()
    half = torch.full((1, 4096, 3), 3.0, dtype=torch.bfloat16)
    total = task.loss(half, torch.zeros(1, 4096, dtype=torch.int64)).total
    assert total.dtype == torch.float32
    assert total.item() == pytest.approx(4096 * math.log(3), rel=1e-4)


def test_decode_uses_the_first_token_and_leaves_unseen_words_outside(tokenizer):
    task = NER(labels=["X"])
    given_document = document(["towns", "the", "xyz", "the"], ["B-X", "I-X", "I-X", "O"])
    (encoded,) = task.encode([given_document], tokenizer)  # tokens of the words: 2, 1, 3, 1
    best = [1, 0, 2, 2, 1, 1, 2]
    outputs = np.eye(3, dtype=np.float32)[best]
    everything = task.decode(given_document, encoded, Merged(outputs, np.ones(7, bool)))
    assert everything.answer == ["B-X", "I-X", "I-X", "I-X"]
    assert everything.seen == [True] * 4
    seen = np.array([True, True, False, False, False, True, True])
    part = task.decode(given_document, encoded, Merged(np.where(seen[:, None], outputs, 0), seen))
    assert part.answer == ["B-X", "O", "O", "B-X"]  # the last I-X continues nothing any more
    assert part.seen == [True, False, False, True]


def test_record_counts_characters_in_the_given_text():
    task = NER(labels=["X"])
    text = "At  Port\nVelan, rain."
    parsed = parse(task, gold=False, id="x", text=text)
    record = task.record(parsed, Prediction("x", ["O", "B-X", "I-X", "O", "O", "O"], [True] * 6))
    assert record == {
        "id": "x",
        "tokens": ["At", "Port", "Velan", ",", "rain", "."],
        "tags": ["O", "B-X", "I-X", "O", "O", "O"],
        "entities": [
            {"type": "X", "start": 1, "end": 3, "start_char": 4, "end_char": 14, "text": "Port\nVelan"},
        ],
    }


def test_record_counts_characters_in_joined_words():
    task = NER(labels=["X"])
    record = task.record(
        parse(tokens=["a", "bc", "d"], tags=["O"] * 3), Prediction("x", ["B-X", "O", "B-X"], [True] * 3)
    )
    assert [(e["start_char"], e["end_char"], e["text"]) for e in record["entities"]] == [(0, 1, "a"), (5, 6, "d")]


def test_characters_of_chinese_are_counted_in_running_text():
    task = NER(labels=["PER"])
    tags = ["B-PER", "I-PER", "O"]
    record = task.record(parse(tokens=["王", "芳", "走"], tags=tags), Prediction("x", tags, [True] * 3))
    assert [(e["start_char"], e["end_char"], e["text"]) for e in record["entities"]] == [(0, 2, "王芳")]
