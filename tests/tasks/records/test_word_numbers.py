"""Numbers in records: one list a word, spread over its tokens; what is wrong is named by field, place and record."""

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.numbers import Numbers
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.lm import LM
from ctxlab.tasks.ner import NER
from ctxlab.workbench.fit import check_numbers

BOXES, TWO = Numbers(kind="boxes"), Numbers(kind="floats", size=2)
WORDS = {"tokens": ["Total", "417"], "tags": ["O", "B-SUM"]}


def ner(record, numbers=BOXES, **options):
    task = NER(numbers_field="boxes", **options)
    task.numbers = numbers
    return task, task.parse({**WORDS, **record}, "a.jsonl line 3", gold=True)


def test_every_token_of_a_word_has_its_numbers():
    task, document = ner({"boxes": [[0, 10, 30, 40, 2], [500, 10, 600, 40]]})
    task.learn_labels([document])
    (encoded,) = task.encode([document], make_tokenizer())
    assert encoded.numbers.dtype == np.float32
    rows = np.array([[0, 10, 30, 40, 2], [500, 10, 600, 40, 0]])  # without a page it is the first one
    assert np.array_equal(encoded.numbers, rows[encoded.word_ids])
    assert len(encoded.numbers) == len(encoded) > 2


def test_a_word_without_numbers_has_zeros():
    _, document = ner({"boxes": [None, [500, 10, 600, 40, 1]]})
    assert document.fields["numbers"].tolist() == [[0] * 5, [500, 10, 600, 40, 1]]


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[0, 0, 1, 1]], "a.jsonl line 3 has 2 words and 1 lists of numbers in 'boxes'"),
        ([[0, 0, 1, 1], [0, 0, 1]], r"The field 'boxes\[1\]' of a.jsonl line 3 has 3 numbers: a box is x0, y0, x1, y1"),
        ([[0, 0, 1, 1], [0, 0, 1001, 1]], r"'boxes\[1\]' of a.jsonl line 3 is \[0, 0, 1001, 1, 0\]: a box is left"),
        ([[0, 0, 1, 1], [5, 0, 1, 1]], r"'boxes\[1\]' of a.jsonl line 3"),
        ([[0, 0, 1, 1, 0.5], None], r"'boxes\[0\]' of a.jsonl line 3"),
        ([[0, 0, 1, 1], "left"], r"'boxes\[1\]' of a.jsonl line 3 is left: give numbers"),
        ([[0, 0, 1, 1], [0, 0, 1, float("nan")]], r"'boxes\[1\]' of a.jsonl line 3"),
        ([[0, 0, 1, 1], [[1], [2]]], r"'boxes\[1\]' of a.jsonl line 3"),
        ("0 0 1 1", "The field 'boxes' of a.jsonl line 3 is of type str: give a list"),
    ],
)
def test_what_is_wrong_is_named(boxes, message):
    with pytest.raises(UserError, match=message):
        ner({"boxes": boxes})


def test_a_record_without_the_field():
    with pytest.raises(UserError, match=r"'boxes'.*a.jsonl line 3|a.jsonl line 3.*'boxes'"):
        ner({})


def test_the_number_of_floats():
    _, document = ner({"boxes": [[1, -2], [3.5, 4]]}, TWO)
    assert document.fields["numbers"].tolist() == [[1, -2], [3.5, 4]]
    with pytest.raises(UserError, match=r"has 1 numbers: give 2 for each word, or model.numbers.size=1"):
        ner({"boxes": [1, 2]}, TWO)


def pixels(record, numbers=None, **options):
    task = Classification(["a", "b"], numbers_field="pixels", **options)
    task.numbers = numbers or Numbers(kind="floats")
    return task, task.parse({"label": "a", **record}, "a.jsonl line 3", gold=True)


def test_numbers_without_text_are_a_token_each():
    task, document = pixels({"pixels": [0, 0.5, 1]})
    (encoded,) = task.encode([document], make_tokenizer())
    assert encoded.numbers.tolist() == [[0], [0.5], [1]]
    assert len(set(encoded.input_ids.tolist())) == 1


def test_words_of_a_text_have_numbers():
    task, document = pixels({"text": "old lamps new", "pixels": [[1, 2], [3, 4], [5, 6]]}, TWO)
    (encoded,) = task.encode([document], make_tokenizer())
    assert encoded.numbers[:, 0].tolist() == (2 * encoded.word_ids + 1).tolist()
    with pytest.raises(UserError, match="has 3 words and 2 lists of numbers in 'pixels'"):
        pixels({"text": "old lamps new", "pixels": [1, 2]})


def test_a_prompt_has_no_numbers():
    with pytest.raises(UserError, match=r"task\.numbers_field=pixels gives numbers"):
        Classification(numbers_field="pixels", shots=0)


@pytest.mark.parametrize(
    ("numbers", "task", "message"),
    [
        (BOXES, LM(), "model.numbers.kind=boxes needs numbers for each word, which task=lm does not read"),
        (BOXES, NER(), "model.numbers.kind=boxes has no numbers to take"),
        (Numbers(), NER(numbers_field="boxes"), "task.numbers_field=boxes gives numbers that the model does not take"),
    ],
)
def test_what_one_side_alone_has_is_refused(numbers, task, message):
    with pytest.raises(UserError, match=message):
        check_numbers(numbers, task)


def test_both_or_neither():
    check_numbers(BOXES, NER(numbers_field="boxes"))
    check_numbers(Numbers(), LM())
