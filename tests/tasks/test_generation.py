"""Prompts with constraints: reading records, and what is refused."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.tasks.generation import Constraints, Generation

RECORD = {
    "id": "a",
    "prompt": "Write about a lamp.",
    "constraints": {"words": ["lamp"], "topic": "old lights"},
    "text": "A lamp.",
}


def test_a_record_is_read():
    document = Generation().parse(RECORD, "file line 1", gold=True)
    assert document.fields["constraints"] == Constraints(("lamp",), "old lights", ("old", "lights"))


def test_the_text_may_be_missing():
    task = Generation()
    assert task.target(task.parse({**RECORD, "text": None}, "file line 1", gold=True)) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"prompt": ""}, "The field 'prompt' of file line 1 is an empty text"),
        ({"text": " "}, "The field 'text' of file line 1 is an empty text"),
        ({"constraints": None}, "The field 'constraints' of file line 1 is empty"),
        ({"constraints": {}}, "has no constraint"),
        ({"constraints": {"word": ["a"]}}, "The constraint 'word' of file line 1 is not known: use words"),
        ({"constraints": {"words": "a"}}, "The constraint 'words' of file line 1 is not a list of words"),
        ({"constraints": {"topic": 3}}, "The constraint 'topic' of file line 1 is of type int"),
        ({"constraints": {"min_words": 0}}, "The constraint 'min_words' of file line 1 is 0"),
        ({"constraints": {"min_words": 9, "max_words": 2}}, "which no text meets: swap them"),
    ],
)
def test_a_wrong_field_is_named(change, sentence):
    with pytest.raises(UserError) as caught:
        Generation().parse({**RECORD, **change}, "file line 1", gold=True)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("decoding", "sentence"),
    [
        ({"max_new_tokens": 0}, "task.decoding.max_new_tokens=0"),
        ({"temperature": 0.0}, "task.decoding.temperature=0.0"),
        ({"top_p": 0.0}, "task.decoding.top_p=0.0"),
        ({"sample": True, "num_beams": 2}, "task.decoding.num_beams=2"),
        ({"beams": 2}, "task.decoding.beams is not known"),
    ],
)
def test_a_wrong_way_of_writing_is_named(decoding, sentence):
    with pytest.raises(UserError, match=sentence):
        Generation(decoding=decoding)
