"""Requests of the Open Inference Protocol: those of its text, and those that it does not allow."""

import pytest

from ctxlab.serving.protocol import answer, records
from ctxlab.serving.refusal import Refusal

INPUT = {"name": "documents", "shape": [2], "datatype": "BYTES", "data": ["A text.", ' {"id": "b", "tokens": ["x"]}']}


def test_elements_are_texts_or_records():
    found = records({"id": "42", "inputs": [INPUT], "outputs": [{"name": "answers"}]})
    assert found == [{"text": "A text."}, {"id": "b", "tokens": ["x"]}]
    assert records({"inputs": [{**INPUT, "shape": [1, 2]}]}) == found


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "inputs of the request"),
        ({"inputs": []}, "inputs of the request"),
        ({"inputs": [INPUT, INPUT]}, "inputs of the request"),
        ({"inputs": [{**INPUT, "name": "canary"}]}, "name documents"),
        ({"inputs": [INPUT], "outputs": [{"name": "canary"}]}, "name answers"),
        ({"inputs": [INPUT], "canary": 1}, "does not know"),
        ({"inputs": [{**INPUT, "canary": 1}]}, "does not know"),
        ({"inputs": [INPUT], "id": 3}, "id of the request"),
        ({"inputs": [{**INPUT, "datatype": "FP32"}]}, "not BYTES"),
        ({"inputs": [{**INPUT, "data": "canary"}]}, "list of texts"),
        ({"inputs": [{**INPUT, "data": [1, 2]}]}, "list of texts"),
        ({"inputs": [{**INPUT, "data": []}]}, "list of texts"),
        ({"inputs": [{**INPUT, "shape": [3]}]}, r"give \[2\]"),
        ({"inputs": [{**INPUT, "shape": [-1, -2]}]}, r"give \[2\]"),
        ({"inputs": [{**INPUT, "shape": "2"}]}, r"give \[2\]"),
        ({"inputs": [{**INPUT, "shape": [True, 2]}]}, r"give \[2\]"),
        ({"inputs": [{**INPUT, "data": ["a", "{canary"]}]}, "not JSON"),
        ({"inputs": [{**INPUT, "data": ["a", '{"canary": "\ud800"}']}]}, "not UTF-8"),
    ],
)
def test_other_requests_are_refused_in_a_sentence(body, says):
    with pytest.raises(Refusal, match=says) as caught:
        records(body)
    assert caught.value.status == 400
    assert "canary" not in caught.value.sentence


def test_the_shape_of_an_answer_is_that_of_its_data():
    found = answer("run", "step-1", {"id": "42"}, [b"one", "zwö".encode()])
    assert found == {
        "model_name": "run", "model_version": "step-1", "id": "42",
        "outputs": [{"name": "answers", "datatype": "BYTES", "shape": [2], "data": ["one", "zwö"]}],
    }  # fmt: skip
    assert "id" not in answer("run", "", {}, [])
