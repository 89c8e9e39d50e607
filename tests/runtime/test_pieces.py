"""Documents read pass by pass, against the reader that reads them whole."""

from functools import cache

import numpy as np
import pytest
import torch

from ctxlab.command.compose import compose
from ctxlab.core.types import Encoded
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.optim.tuning.full import Full
from ctxlab.runtime.pieces import divide, run, together
from ctxlab.runtime.reader import Reader
from ctxlab.tasks.ner import NER
from ctxlab.workbench.assemble import assemble
from ctxlab.workbench.parts import make_strategy

LENGTH = 32


@cache
def reader(*words, tokens_per_forward=64):
    task = NER()
    task.labels = ["O", "B-A", "I-A"]
    strategy = make_strategy(compose("train", words).strategy)
    torch.manual_seed(1)
    model, _ = assemble(strategy, TinyBert(hidden_size=16, num_layers=1), task, Full(), LENGTH)
    return Reader(model.eval(), strategy, LENGTH, tokens_per_forward, 0, torch.device("cpu"), lambda out, _: out)


def document(length, seed=0):
    ids = np.random.default_rng(seed).integers(5, 60, length)
    return Encoded(ids, np.arange(length), np.full(length, -100), before=(2,), after=(3,))


@pytest.mark.parametrize("words", [("strategy=chunk",), ("strategy=hierarchical", "strategy.reading.window=16"),
                                   ("strategy=rmt", "strategy.reading.window=16")])  # fmt: skip
@pytest.mark.parametrize("length", [0, 1, 30, 31, 200])
def test_a_document_alone_has_the_bits_of_the_reader(words, length):
    reads, encoded = reader(*words), document(length)
    (expected,) = reads.read([encoded])
    pieces = divide(reads, encoded)
    while pieces.passes:
        run(reads, [pieces])
    found = pieces.merged(reads)
    assert np.array_equal(found.outputs, expected.outputs)
    assert np.array_equal(found.seen, expected.seen)
    assert found.num_windows == expected.num_windows


def test_a_pass_has_at_most_its_tokens_and_documents_share_it_up_to_that():
    reads = reader("strategy=chunk", tokens_per_forward=64)
    long, *short = [divide(reads, document(length)) for length in (200, 30, 29, 30, 10)]
    assert [len(one) for one in long.passes] == [1, 2, 2, 2]  # 30 tokens of the document in each window of 32
    assert together(reads, long, short) == [long]
    assert together(reads, short[0], [long, *short[1:]]) == short[:2]  # 32 + 31, and no further one fits
    expected = [next(iter(reads.read([one.encoded]))) for one in short]
    run(reads, [short[0], short[2]])
    for i in (0, 2):
        assert not short[i].passes
        assert np.allclose(short[i].merged(reads).outputs, expected[i].outputs, atol=5e-5)
