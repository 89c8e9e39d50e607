"""The null parts do nothing, exactly."""

from types import SimpleNamespace

import torch

from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory


def test_no_memory_is_one_call_of_the_model():
    calls = []

    def forward(inputs):
        calls.append(inputs)
        return SimpleNamespace(logits=inputs["input_ids"] * 2)

    memory, inputs = NoMemory(), {"input_ids": torch.arange(3)}
    outputs, state = memory.step(forward, inputs, memory.start(2))
    assert calls == [inputs]
    assert outputs.tolist() == [0, 2, 4]
    assert state is None
    assert not memory.sequential


def test_constant_never_grows():
    assert {Constant().length(progress / 10, 4096) for progress in range(11)} == {4096}
