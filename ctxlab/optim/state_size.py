"""The size of an optimizer's states before there are any."""

import contextlib
from collections import Counter

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from ctxlab.core.optim import OptimizerFactory


def state_bytes(factory: OptimizerFactory, model: torch.nn.Module) -> int:
    """Return the bytes of the states that the optimizer of ``factory`` will keep for the trained weights of ``model``.

    One weight of each shape is stepped without data or memory, as states depend on the shape alone. An optimizer that
    needs the data creates its states first, so that they count; one that does not counts too little, never too much.
    """
    shapes = Counter((p.shape, p.dtype) for p in model.parameters() if p.requires_grad)
    total = 0
    with FakeTensorMode():
        for (shape, dtype), count in shapes.items():
            parameter = torch.nn.Parameter(torch.empty(shape, dtype=dtype))
            parameter.grad = torch.empty_like(parameter)
            optimizer = factory.build([{"params": [parameter], "weight_decay": 0.0}])
            with contextlib.suppress(Exception):  # whatever it needs that is not there
                optimizer.step()
            states = (value for state in optimizer.state.values() for value in state.values())
            total += count * sum(value.nbytes for value in states if isinstance(value, torch.Tensor))
    return total
