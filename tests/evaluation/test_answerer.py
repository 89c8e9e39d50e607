"""One document → record and coverage: alone or among others, and what counts as read."""

import json

import numpy as np
import pytest

import ctxlab
from ctxlab.core.types import Document, Encoded, Merged
from ctxlab.evaluation.answerer import coverage
from tests.stages.conftest import trained  # noqa: F401

LONG = {"id": "long", "text": "The Brisk sailed from Port Ada to Halden. " * 60}
SHORT = {"id": "short", "text": "Ada came."}


def test_a_document_alone_has_the_same_record_as_among_others_and_the_same_bits_twice(trained):  # noqa: F811
    run = ctxlab.load(trained)
    documents = [SHORT, LONG, {"id": "words", "tokens": ["Port", "Brisk", "."]}]
    alone = [run.answers([one])[0] for one in documents]
    assert run.answers(documents) == alone
    assert run.predict(documents) == [answer.record for answer in alone]
    again = ctxlab.load(trained)
    assert [json.dumps(again.answers([one])[0].record) for one in documents] == [
        json.dumps(one.record) for one in alone
    ]


def test_the_coverage_of_a_truncated_document_is_the_context_without_special_tokens(trained):  # noqa: F811
    whole = ctxlab.load(trained).answers([LONG])[0].coverage
    characters = len(LONG["text"].replace(" ", ""))
    assert (whole.tokens_read, whole.characters, whole.characters_read) == (whole.tokens, characters, characters)
    assert (whole.truncated, whole.windows > 1) == (False, True)
    found = ctxlab.load(trained, "strategy=truncate", "context=64").answers([LONG])[0].coverage
    assert (found.tokens, found.tokens_read, found.windows, found.truncated) == (whole.tokens, 62, 1, True)
    assert found.plain()["truncated"] is True
    assert 0 < found.characters_read < characters == found.characters


def seen(*flags):
    return Merged(np.zeros((len(flags), 1), np.float32), np.array(flags, bool), num_windows=1)


def encoded(word_ids, starts=(), ends=(), characters=0):
    ids = np.asarray(word_ids)
    places = {"starts": np.asarray(starts, np.int64), "ends": np.asarray(ends, np.int64)}
    return Encoded(ids, ids, np.full(len(ids), -100), num_characters=characters, **places)


@pytest.mark.parametrize(
    ("document", "tokens", "merged", "read"),
    [
        # the word of 5 letters has two tokens, of which one was read
        ({"tokens": ["ab", "cdefg", "h"]}, encoded([0, 1, 1, 2], characters=8), seen(1, 1, 0, 0), 2),
        ({"tokens": ["ab", "cdefg", "h"]}, encoded([0, 1, 1, 2], characters=8), seen(1, 1, 1, 0), 7),
        ({"tokens": ["ab", "cdefg", "h"]}, encoded([0, 1, 1, 2], characters=8), seen(0, 0, 0, 1), 1),
        # two byte tokens of one character (place 3), which counts once
        ({"text": "abc€e"}, encoded([0, 1, 1, 2], [0, 3, 3, 4], [3, 4, 4, 5], 5), seen(0, 1, 1, 1), 2),
        ({"text": "abc€e"}, encoded([0, 1, 1, 2], [0, 3, 3, 4], [3, 4, 4, 5], 5), seen(1, 0, 0, 0), 3),
        ({"text": ""}, encoded([]), seen(), 0),
    ],
)
def test_characters_that_were_read(document, tokens, merged, read):
    found = coverage(Document("a", document, "a"), tokens, merged)
    assert (found.characters_read, found.tokens_read) == (read, int(merged.seen.sum()))
