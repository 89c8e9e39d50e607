"""Combinations of task and strategy that cannot be trained are refused before anything is read."""

import pytest

from ctxlab.core.errors import UserError
from tests.training.runs import make_job


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("task=retrieval", "strategy/curriculum=self_paced"), "task=retrieval has a loss of several together only"),
        (("task=retrieval", "strategy/memory=recurrent"), "strategy/memory=recurrent links them"),
        (("task=retrieval", "strategy=hierarchical"), "strategy/reading=hierarchical links them"),
    ],
)
def test_windows_that_are_compared_stand_alone(words, says, tmp_path):
    with pytest.raises(UserError, match=says):
        make_job(tmp_path / "run", "strategy=chunk", *words)
