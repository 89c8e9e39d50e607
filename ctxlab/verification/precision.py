"""Double precision all the way: rounding would hide a small influence, and look like one where there is none."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

COARSER = (torch.float32, torch.bfloat16, torch.float16)
PRODUCTS = frozenset(
    getattr(torch.ops.aten, name).default for name in ("mm", "bmm", "addmm", "baddbmm", "mv", "dot", "convolution")
)
"""What refuses numbers of two kinds instead of taking the finer one."""


class KeepDouble(TorchDispatchMode):
    """What is double stays double, and so does what it meets.

    Norms, softmaxes and rotary angles of many models cast to single precision whatever they are given; an influence
    through two layers of a long window is smaller than what that rounds away.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Copy in double precision where a double was to be cast to less; products want both of one kind."""
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default:
            if args[0].dtype == torch.float64 and kwargs.get("dtype") in COARSER:
                kwargs = {**kwargs, "dtype": torch.float64}
        elif func in PRODUCTS:
            args = tuple(_widened(value, args) for value in args)
        return func(*args, **kwargs)


def _widened(value: Any, others: Any) -> Any:
    """``value`` as a double where it is a coarser tensor beside one."""
    if not isinstance(value, torch.Tensor) or value.dtype not in COARSER:
        return value
    beside = any(isinstance(other, torch.Tensor) and other.dtype == torch.float64 for other in others)
    return value.double() if beside else value
