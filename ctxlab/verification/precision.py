"""Keeps all computations in double precision, as rounding could hide a small influence or look like one."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

COARSER = (torch.float32, torch.bfloat16, torch.float16)
PRODUCTS = frozenset(
    getattr(torch.ops.aten, name).default for name in ("mm", "bmm", "addmm", "baddbmm", "mv", "dot", "convolution")
)
"""Operations that require equal dtypes instead of promoting them."""


class KeepDouble(TorchDispatchMode):
    """A context in which double-precision tensors are never cast to lower precision.

    Norms, softmaxes and rotary angles of many models always cast to single precision; an influence over two layers of
    a long window may be smaller than its rounding error.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Replace casts of doubles to lower precision, and convert the other operands of products to double."""
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default:
            if args[0].dtype == torch.float64 and kwargs.get("dtype") in COARSER:
                kwargs = {**kwargs, "dtype": torch.float64}
        elif func in PRODUCTS:
            args = tuple(_widened(value, args) for value in args)
        return func(*args, **kwargs)


def _widened(value: Any, others: Any) -> Any:
    """Return ``value`` in double precision if it is a tensor of lower precision and another operand is a double."""
    if not isinstance(value, torch.Tensor) or value.dtype not in COARSER:
        return value
    beside = any(isinstance(other, torch.Tensor) and other.dtype == torch.float64 for other in others)
    return value.double() if beside else value
