"""Numbers that are not finite reach no weights and no checkpoint."""

import pytest
import torch

from ctxlab.core.errors import Diverged
from ctxlab.training.faults import check_finite, check_weights


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_names_step_and_documents(value):
    check_finite("loss", 1e30, 3, ["a"])
    with pytest.raises(Diverged, match=rf"loss is {value} at step 3 .*\ba, b\b"):
        check_finite("loss", value, 3, ["a", "a", "b"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_named(value):
    weights = [("one", torch.ones(3)), ("two", torch.tensor([1.0, value])), ("count", torch.tensor([3]))]
    check_weights(weights[::2], 7)
    with pytest.raises(Diverged, match="two is not finite after step 7"):
        check_weights(weights, 7)


def test_a_sum_that_overflows_is_no_fault():
    check_weights([("large", torch.full((4,), 3e38)), ("half", torch.full((4,), 6e4, dtype=torch.float16))], 7)
