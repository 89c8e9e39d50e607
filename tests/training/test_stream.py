"""Steps of an epoch: a function of seed, epoch and length alone, which cover every labelled token once."""

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Encoded
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.training.stream import Stream


def document(num_tokens, labels=None):
    own = np.zeros(num_tokens, int) if labels is None else np.asarray(labels)
    return Encoded(np.arange(num_tokens), np.arange(num_tokens), own)


DOCUMENTS = [document(num_tokens) for num_tokens in (30, 7, 18, 25, 3, 40)]


def with_gold(item):
    return [place for place, labels in enumerate(item.labels) if (labels != NO_LABEL).any()]


READING = Chunk()


def make(documents=DOCUMENTS, seed=1, resample=lambda document, _: document, sort_all=False, read=READING.windows):
    return Stream(documents, read, resample, with_gold, 32, seed, sort_all=sort_all)


def plan(epoch):
    return [list(step) for step in epoch.steps]


@pytest.mark.parametrize("sort_all", [False, True])
def test_every_token_is_in_one_step_of_an_epoch(sort_all):
    epoch = make(sort_all=sort_all).epoch(0, 16)
    places = [place for step in epoch.steps for place in step]
    assert sorted(places) == list(range(len(epoch.items)))
    assert epoch.lengths == [len(item) for item in epoch.items]
    assert sum(epoch.lengths) == sum(map(len, DOCUMENTS))
    assert all(sum(epoch.lengths[place] for place in step) <= 32 for step in epoch.steps)


def test_a_step_is_a_function_of_seed_epoch_and_length():
    """A stream that starts in the middle of an epoch has the same steps as one that reached that point."""
    first = make()
    for index in range(3):
        first.epoch(index, 16)
    assert plan(first.epoch(3, 16)) == plan(make().epoch(3, 16))
    assert plan(first.epoch(1, 16)) == plan(make().epoch(1, 16))
    plans = [plan(make(seed=seed).epoch(index, 16)) for seed, index in ((1, 0), (1, 1), (2, 0))]
    assert plans[0] != plans[1]
    assert plans[0] != plans[2]
    assert max(map(len, make().epoch(0, 8).items)) <= 8 < max(map(len, make().epoch(0, 16).items))


def test_windows_are_read_again_only_where_length_or_documents_change():
    read, chunk = [], Chunk()

    def counting(document, length):
        read.append(length)
        return chunk.windows(document, length)

    stream = make(read=counting)
    stream.epoch(0, 16)
    stream.epoch(1, 16)
    assert read == [16] * len(DOCUMENTS)
    stream.epoch(1, 8)
    assert read[len(DOCUMENTS) :] == [8] * len(DOCUMENTS)


def test_draws_depend_on_epoch_and_document():
    seeds = {}
    for epoch in (0, 1):
        drawn = []
        make(resample=lambda document, seed, drawn=drawn: drawn.append(seed) or document).epoch(epoch, 16)
        seeds[epoch] = drawn
    assert len({*seeds[0], *seeds[1]}) == 2 * len(DOCUMENTS)
    again = []
    make(resample=lambda document, seed: again.append(seed) or document).epoch(1, 16)
    assert again == seeds[1]


def test_windows_without_gold_are_left_out_and_counted():
    half = document(30, [NO_LABEL] * 20 + [0] * 10)
    epoch = make([half, document(8)]).epoch(0, 10)
    assert sorted(epoch.lengths) == [8, 10]
    assert "2 of 4" in epoch.skipped.note()


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(UserError, match=r"context\.length=16"):
        make([document(30, [NO_LABEL] * 30)]).epoch(0, 16)


def test_a_document_that_is_drawn_in_some_epochs_only_is_not_kept_for_the_others():
    changed = document(12)
    drawn = iter([changed, DOCUMENTS[0]])
    stream = make(DOCUMENTS[:1], resample=lambda *_: next(drawn))
    assert sum(stream.epoch(0, 16).lengths) == 12
    drawn = iter([DOCUMENTS[0]] * 2)
    assert sum(stream.epoch(1, 16).lengths) == 30
