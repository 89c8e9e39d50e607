"""``ctxlab verify`` on windows that a decoder reads together: each planted fault fails the check for it."""

import numpy as np
import pytest
import torch

from ctxlab.core.architecture import describe
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import NO_LABEL, Encoded
from ctxlab.models.loading.checkpointed import save_weights
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.optim.tuning.full import Full as Tuning
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.reading.fused import Fused
from ctxlab.strategies.reading.windows import fusion
from ctxlab.verification.fused import run_fused_checks
from ctxlab.verification.saving import CheckpointIO
from ctxlab.verification.subject import Subject

LENGTH, WINDOW = 64, 16


def run(reading):
    model = TinyT5(hidden_size=32, num_layers=1).build("seq2seq_lm", []).eval()
    reading.install(model)
    example = Encoded(np.arange(5, 9), np.arange(4), np.full(4, NO_LABEL), before=(5,), after=(1,))
    strategy = Strategy("test", reading, Keep(), Full(), NoMemory(), Constant())
    subject = Subject(
        model=model, strategy=strategy, facts=describe(model), length=LENGTH, tokens=np.arange(6, 200), example=example,
        pad_id=0, device=torch.device("cpu"), seed=0, part=None,
    )  # fmt: skip

    def load(folder):
        other = type(model).from_pretrained(folder).eval()
        reading.install(other)
        return other, strategy

    checkpoints = CheckpointIO(save=lambda model, folder: save_weights(model, Tuning(), folder), load=load)
    checks, pictures = run_fused_checks(subject, [], checkpoints, trained=False)
    return {check.name for check in checks if check.passed is False}, pictures


@pytest.mark.parametrize("options", [{}, {"overlap_tokens": 5, "keep": "once"}])
def test_all_checks_hold(options):
    failed, ((_, declared, measured), (_, groups, texts)) = run(Fused(WINDOW, **options))
    assert not failed
    assert ((declared > 0) == ~np.isnan(measured)).all()
    assert ((groups > 0) == ~np.isnan(texts)).all()
    assert groups.sum(1).max() >= 4


def faulty_join(change):
    def join(states, groups, kept):
        return change(fusion_join, states, groups, kept)

    return join


fusion_join = fusion.join
FAULTS = {
    "the decoder reads the last window only": (
        lambda join, states, groups, kept: join(
            states, groups, kept * (groups.diff(append=groups[-1:] + 1) > 0)[:, None]
        ),
        {"read together", "encoder states"},
    ),
    "states of windows are mixed": (
        lambda join, states, groups, kept: join(states + 0.1 * states.mean(0), groups, kept),
        {"encoder states", "groups"},
    ),
    "padding is read": (
        lambda join, states, groups, kept: join(states, groups, torch.ones_like(kept)),
        {"encoder states"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_check(fault, monkeypatch):
    change, expected = FAULTS[fault]
    monkeypatch.setattr(fusion, "join", faulty_join(change))
    failed, _ = run(Fused(WINDOW))
    assert expected <= failed


def test_windows_that_see_one_another_fail(monkeypatch):
    apart = Fused.install

    def install(self, model):
        apart(self, model)
        model.encoder.final_layer_norm.register_forward_hook(lambda _, __, states: states + 0.1 * states.mean(0))

    monkeypatch.setattr(Fused, "install", install)
    failed, _ = run(Fused(WINDOW))
    assert "windows apart" in failed


def test_a_context_of_one_window_has_nothing_to_read_together():
    failed, _ = run(replace_window(Fused(WINDOW), LENGTH))
    assert failed == {"read together"}


def replace_window(reading, window):
    reading.window = window
    return reading
