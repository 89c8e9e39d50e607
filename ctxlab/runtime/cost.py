"""What a run costs: floating point operations as they run, peak memory by the system."""

import ctypes
import gc
import math
import resource
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch.autograd.graph import _engine_run_backward
from torch.overrides import TorchFunctionMode


class FlopCounter(TorchFunctionMode):
    """Counts the floating point operations of all matrix products that run while it is entered.

    Whatever multiplies is counted where it does: encoder and decoder of one model, keys from a cache, tokens of a
    memory, a second model that scores or teaches, every beam and every token written. A multiply-add is two
    operations. The backward pass is counted together with the forward pass that it will follow, one product for each
    factor that needs a gradient, so that what is frozen costs what it costs. Layers that are computed again for the
    gradient are counted when that happens. Masked pairs count, as the kernels compute them.

    Torch's own ``FlopCounterMode`` gives the same numbers where attention runs in the MATH kernel (tests hold it
    there); it watches every operation below autograd, which slows small models down several times.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0
        """Operations so far."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run ``func`` and count it if it multiplies matrices."""
        if func is torch.Tensor.backward:
            with self:  # the backward pass of a kernel of ours multiplies here, and layers are computed again
                return _backward(*args, **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        rule = RULES.get(getattr(func, "__name__", ""))
        if rule is not None:
            self.total += rule(result, args, kwargs or {})
        return result


def _backward(
    tensor: torch.Tensor,
    gradient: torch.Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """``tensor.backward()`` by the engine itself: the functions in front of it put every mode aside."""
    gradient = torch.ones_like(tensor) if gradient is None else gradient
    kept = create_graph if retain_graph is None else retain_graph
    leaves = () if inputs is None else (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
    _engine_run_backward(
        (tensor,), (gradient,), kept, create_graph, leaves, allow_unreachable=True, accumulate_grad=True
    )


def _times(operations: float, *factors: torch.Tensor) -> float:
    """``operations`` of a product, and as many for the gradient of each of its ``factors`` that needs one."""
    return operations * (1 + sum(map(_learns, factors)))


def _learns(tensor: torch.Tensor) -> bool:
    """Whether a backward pass will follow; not where a layer is computed again within one."""
    again = torch._C._current_graph_task_id() != -1
    return tensor.requires_grad and torch.is_grad_enabled() and not again


def _linear(result: torch.Tensor, args: Any, kwargs: Any) -> float:
    given = [*args, *(kwargs[name] for name in ("input", "weight") if name in kwargs)]
    return _times(2.0 * result.numel() * given[0].shape[-1], given[0], given[1])


def _product(result: torch.Tensor, args: Any, kwargs: Any) -> float:
    left, right = [*args, *(kwargs[name] for name in ("input", "other", "mat2") if name in kwargs)][:2]
    return _times(2.0 * result.numel() * left.shape[-1], left, right)


def _reversed_product(result: torch.Tensor, args: Any, kwargs: Any) -> float:
    return _product(result, args[::-1], kwargs)


def _added_product(result: torch.Tensor, args: Any, kwargs: Any) -> float:
    names = ("mat1", "mat2", "batch1", "batch2")
    return _product(result, [*args[1:3], *(kwargs[name] for name in names if name in kwargs)], {})


def _einsum(result: torch.Tensor, args: Any, kwargs: Any) -> float:
    """Of two factors: a product for each combination of indices."""
    del result, kwargs
    equation, *factors = args
    sizes: dict[str, int] = {}
    for term, factor in zip(equation.replace(" ", "").split("->")[0].split(","), factors, strict=True):
        sizes.update(zip(term, factor.shape, strict=True))
    return _times(2.0 * math.prod(sizes.values()), *factors) if len(factors) == 2 else 0.0


def _attention(result: torch.Tensor, args: Any, kwargs: Any) -> float:
    """Scores and weighted sum over all pairs of queries and keys, whether they are masked or not."""
    query, key, value = [*args, *(kwargs[name] for name in ("query", "key", "value") if name in kwargs)][:3]
    sums = 2.0 * result.numel() * key.shape[-2]
    scores = 2.0 * query.numel() * key.shape[-2]
    back = int(_learns(value)) + int(_learns(query) or _learns(key))
    operations: float = _times(scores, query, key) + sums * (1 + back)
    return operations


RULES: Mapping[str, Callable[[torch.Tensor, Any, Any], float]] = {
    "linear": _linear,
    "matmul": _product,
    "mm": _product,
    "bmm": _product,
    "__matmul__": _product,
    "__rmatmul__": _reversed_product,
    "addmm": _added_product,
    "baddbmm": _added_product,
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
}
"""Operations of one call, by the name of the function."""


class MemoryMeter:
    """Highest memory since it was made: of the device where there is one, else of this process.

    What earlier jobs of the process left behind is let go of first, so that a job of a multirun has the peak that it
    would have alone; libraries that were loaded stay (``workbench.meter`` loads them before it begins).
    """

    def __init__(self, device: torch.device) -> None:
        gc.collect()  # a model and what is attached to it hold on to one another
        self._device = device if device.type == "cuda" else None
        if self._device is not None:
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            _return_freed_memory()
            _reset_process_peak()

    def peak_bytes(self) -> int:
        """Highest number of bytes so far."""
        return _process_peak() if self._device is None else torch.cuda.max_memory_allocated(self._device)


SETTLING_BYTES = 2**25 - 2**16
"""Just below the 32 MiB up to which glibc learns to serve blocks from its heap, once one of that size was freed."""


def _return_freed_memory() -> None:
    torch.empty(SETTLING_BYTES, dtype=torch.uint8)  # freed at once: the allocator then serves every job alike
    with suppress(OSError, AttributeError):  # glibc's allocator keeps freed memory for the next one to ask
        ctypes.CDLL(None).malloc_trim(0)


def _reset_process_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak of an earlier job in this process


def _process_peak() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
