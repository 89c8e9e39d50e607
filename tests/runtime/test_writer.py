"""Text behind windows: held against a loop of plain forward passes; whatever shares a batch."""

import numpy as np
import pytest
import torch

from ctxlab.core.task import Decoding
from ctxlab.core.types import ADDED, LAST, Encoded, Window
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.runtime.forward import APART, BEHIND, window_targets
from ctxlab.runtime.writer import Writer

STOPS = (3,)
CPU = torch.device("cpu")


def window(length, seed):
    ids = np.random.default_rng(seed).integers(5, 200, length)
    return Window(ids, np.arange(length))


def writer(model, writes, budget=10_000, cached=True, **decoding):
    return Writer(model, Decoding(**{"max_new_tokens": 6, **decoding}), writes, STOPS, 0, budget, cached, CPU)


@pytest.fixture(scope="module")
def models():
    return {
        BEHIND: TinyLlama(hidden_size=32, num_layers=1).build("causal_lm", []),
        APART: TinyT5(hidden_size=32, num_layers=1).build("seq2seq_lm", []),
    }


def likeliest(model, writes, ids, steps):
    """Token by token by whole forward passes, without any cache."""
    read, written = torch.tensor(ids)[None], [model.config.decoder_start_token_id] if writes == APART else []
    start = len(written)
    logs = []
    with torch.inference_mode():
        for _ in range(steps):
            if writes == APART:
                logits = model(input_ids=read, decoder_input_ids=torch.tensor(written)[None]).logits
            else:
                logits = model(torch.cat([read, torch.tensor(written, dtype=torch.long)[None]], 1)).logits
            log = logits[0, -1].log_softmax(-1)
            token = int(log.argmax())
            logs.append(float(log[token]))
            if token in STOPS:
                break
            written.append(token)
    told = len(written) - start
    return written[start:], float(np.mean(logs[: max(told, 1)]))


@pytest.mark.parametrize("writes", [BEHIND, APART])
@pytest.mark.parametrize("cached", [True, False])
def test_greedy_is_the_likeliest_token_each_time(models, writes, cached):
    windows = [window(length, seed) for seed, length in enumerate((7, 30, 12, 30))]
    given = writer(models[writes], writes, cached=cached).write(windows)
    for one, written in zip(windows, given, strict=True):
        ids, score = likeliest(models[writes], writes, one.input_ids, 6)
        assert written.token_ids.tolist() == ids
        assert written.score == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("writes", [BEHIND, APART])
@pytest.mark.parametrize(
    "decoding", [{}, {"num_beams": 3}, {"sample": True, "temperature": 1.5}, {"sample": True, "top_k": 5, "top_p": 0.8}]
)
def test_what_is_written_does_not_depend_on_the_batch(models, writes, decoding):
    windows = [window(length, seed) for seed, length in enumerate((5, 21, 9, 40, 21))]
    together = writer(models[writes], writes, **decoding).write(windows)
    alone = writer(models[writes], writes, budget=1, **decoding).write(windows[::-1])[::-1]
    for one, other in zip(together, alone, strict=True):
        assert one.token_ids.tolist() == other.token_ids.tolist()
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_samples_follow_the_probabilities(models):
    """The first token, over many seeds, against the model's own distribution."""
    one = window(8, 0)
    with torch.inference_mode():
        expected = models[BEHIND](torch.tensor(one.input_ids)[None]).logits[0, -1].softmax(-1).numpy()
    top = np.argsort(-expected)[:3]
    draws = []
    for seed in range(300):
        made = writer(models[BEHIND], BEHIND, sample=True, max_new_tokens=1, top_k=3, seed=seed).write([one])[0]
        draws.append(made.token_ids[0] if len(made.token_ids) else STOPS[0])
    share = np.array([draws.count(token) for token in top]) / len(draws)
    assert set(draws) <= set(top)
    assert np.abs(share - expected[top] / expected[top].sum()).max() < 0.1


def test_what_goes_on_from_the_end_is_for_the_last_window():
    encoded = Encoded(
        np.arange(6), np.arange(6), np.full(6, -100), target=np.array([10, 2]), anchors=np.array([LAST, LAST])
    )
    windows = [Window(np.zeros(2), np.array([0, 1])), Window(np.zeros(2), np.array([2, 3]))]
    assert [target.tolist() for target in window_targets(encoded, windows)] == [[], [10, 2]]


def test_targets_go_to_the_windows_that_hold_what_they_render():
    encoded = Encoded(
        np.arange(6),
        np.arange(6),
        np.full(6, -100),
        target=np.array([10, 11, 12, 13, 2]),
        anchors=np.array([0, 2, 3, 5, ADDED]),
    )
    windows = [Window(np.zeros(4), np.array([ADDED, 0, 1, 2])), Window(np.zeros(4), np.array([ADDED, 2, 3, 4]))]
    assert [target.tolist() for target in window_targets(encoded, windows)] == [[10, 11, 2], [12, 2]]
