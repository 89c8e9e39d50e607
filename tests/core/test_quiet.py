"""Libraries are silenced within the context and restored after it, whatever happens."""

import logging

import pytest
import torch
from datasets.utils import are_progress_bars_disabled
from transformers.utils.logging import is_progress_bar_enabled

from ctxlab.core.quiet import evaluating, quiet

SHOWN = {"transformers": is_progress_bar_enabled, "datasets": lambda: not are_progress_bars_disabled()}


@pytest.mark.parametrize("library", SHOWN)
def test_warnings_and_bars_come_back_after_an_error(library):
    logger = logging.getLogger(library)
    before = logger.level, SHOWN[library]()

    def fail():
        with quiet(library):
            assert not logger.isEnabledFor(logging.WARNING)
            assert logger.isEnabledFor(logging.ERROR)
            assert not SHOWN[library]()
            raise ValueError("within")

    with pytest.raises(ValueError, match="within"):
        fail()
    assert (logger.level, SHOWN[library]()) == before


@pytest.mark.parametrize("training", [True, False])
def test_a_model_neither_learns_nor_drops_out_within(training):
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.9)).train(training)
    given = torch.ones(1, 4)
    with evaluating(model):
        assert torch.equal(model(given), model(given))
        assert not model(given).requires_grad
    assert model.training is training
    assert model(given).requires_grad
