"""Differentiable scores of labels are the log odds of the probabilities that rules over windows give."""

import numpy as np
import pytest
import torch

from ctxlab.tasks.forms import combine
from ctxlab.tasks.forms.confidence import label_score, log_odds

LOGITS = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("rule", combine.RULES)
def test_scores_are_the_log_odds_of_the_rule(rule, several):
    given = combine.RULES[rule](LOGITS, several=several).astype(np.float64)
    logits = torch.tensor(LOGITS, requires_grad=True)
    for index, probability in enumerate(given):
        score = label_score(logits, index, rule, several=several)
        assert float(score.detach()) == pytest.approx(np.log(probability / (1 - probability)), rel=1e-4, abs=1e-5)
        (grad,) = torch.autograd.grad(score, logits)
        assert grad.abs().sum() > 0


def test_log_odds_do_not_saturate():
    assert float(log_odds(torch.tensor([90.0, -90.0]), 0)) == pytest.approx(180)
