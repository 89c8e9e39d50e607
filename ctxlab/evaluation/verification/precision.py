"""Double precision all the way: rounding would hide a small influence, and look like one where there is none."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

COARSER = (torch.float32, torch.bfloat16, torch.float16)


class KeepDouble(TorchDispatchMode):
    """What is double stays double.

    Norms, softmaxes and rotary angles of many models cast to single precision whatever they are given; an influence
    through two layers of a long window is smaller than what that rounds away.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Copy in double precision where a double was to be cast to less."""
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default and args[0].dtype == torch.float64 and kwargs["dtype"] in COARSER:
            kwargs = {**kwargs, "dtype": torch.float64}
        return func(*args, **kwargs)
