"""What holds for every objective of ``conf/objective``: a resumed run is the same to the bit, and so are two lanes."""

import pytest
import torch

from ctxlab.config import catalogue
from tests.training.runs import make_job, stopped_and_resumed


@pytest.mark.parametrize("name", catalogue.options("objective"))
def test_a_resumed_run_is_the_same(name, tmp_path):
    options = (f"objective={name}", "model.dropout=0.2", "trainer.max_steps=3", "trainer.activation_checkpointing=true")
    whole = make_job(tmp_path / "whole", *options)
    whole.run()
    _, second = stopped_and_resumed(tmp_path / "cut", *options, stop_after=1)
    expected, found = whole.weights(), second.weights()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
