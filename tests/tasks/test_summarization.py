"""Summaries of several documents in one record: read as one text, whose pieces are marked."""

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.types import TEXT
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.fused import Fused
from ctxlab.tasks.summarization import Summarization
from tests.tasks.conftest import byte_level as make

TEXTS = ["the rope was sold .", {"title": "Town", "text": "a town by the lake ."}, {"text": "it rained ."}]
JOINED = "the rope was sold .\n\nTown\na town by the lake .\n\nit rained ."


@pytest.fixture(scope="module")
def byte_level():
    return make("$A </s>", add_prefix_space=False)


def documents(record, task=None, *, gold=True):
    task = task or Summarization().for_kind("encoder_decoder")
    return task.expand(task.parse({"id": "r", **record}, "train.jsonl line 3", gold=gold))


def test_several_texts_are_one_document_whose_pieces_are_marked(byte_level):
    task = Summarization().for_kind("encoder_decoder")
    (document,) = documents({"contexts": TEXTS, "summary": "it rained ."}, task)
    assert (document.fields["document"], document.id) == (JOINED, "r")
    (encoded,) = task.encode([document], byte_level)
    begins = np.flatnonzero(encoded.marks & TEXT)
    assert [JOINED[encoded.starts[i] :].lstrip()[:4] for i in begins] == ["the ", "Town", "it r"]
    windows = Fused(window=40).windows(encoded, 1000)
    assert [window.token_index[window.token_index >= 0][0] for window in windows] == begins.tolist()


def test_the_same_texts_joined_by_hand_are_the_same_tokens(byte_level):
    task = Summarization().for_kind("encoder_decoder")
    apart, together = (
        task.encode(documents({**record, "summary": "it rained ."}, task), byte_level)[0]
        for record in ({"contexts": TEXTS}, {"document": JOINED})
    )
    assert apart.input_ids.tolist() == together.input_ids.tolist()
    assert (apart.marks & ~TEXT).tolist() == together.marks.tolist()
    assert [w.input_ids.tolist() for w in Chunk().windows(apart, 9)] == [
        w.input_ids.tolist() for w in Chunk().windows(together, 9)
    ]


def test_queries_about_several_texts():
    found = documents({"contexts": TEXTS, "summaries": [{"query": "Where?", "summary": "by the lake ."}]})
    assert [(one.id, one.fields["query"], one.fields["text_starts"]) for one in found] == [
        ("r#1", "Where?", [0, 21, 48])
    ]


@pytest.mark.parametrize(
    ("contexts", "words"),
    [
        ("a b", ["'contexts'", "give a list"]),
        ([], ["'contexts'", "empty list"]),
        (["a", " "], ["'contexts[1]'", "empty text"]),
        ([7], ["'contexts[0]'", "type int", "title"]),
        ([{"title": "a", "body": "b"}], ["'contexts[0]'", "no field 'text'", "title, body"]),
        ([{"text": "b", "title": 4}], ["'contexts[0].title'", "type int"]),
    ],
)
def test_bad_texts_are_named_by_file_line_and_field(contexts, words):
    with pytest.raises(UserError) as error:
        documents({"contexts": contexts, "summary": "a"})
    assert all(word in str(error.value) for word in [*words, "train.jsonl line 3"])
