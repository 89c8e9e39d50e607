"""Cost of a run: floating point operations counted as they run, and peak memory."""

import ctypes
import gc
import math
import resource
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import torch
from torch.autograd.graph import _engine_run_backward
from torch.overrides import TorchFunctionMode


class FlopCounter(TorchFunctionMode):
    """Counts the floating point operations of all matrix products inside its block.

    Every product is counted when it runs: encoder and decoder of one model, keys from a KV cache, memory tokens, a
    second model that scores or teaches, every beam and every generated token. A multiply-add is two operations. The
    backward pass is counted with its forward pass, one product for each factor that needs a gradient, so that frozen
    parameters cost less. Recomputed layers (activation checkpointing) are counted when they are recomputed. Masked
    pairs are counted, as the kernels compute them.

    Torch's ``FlopCounterMode`` gives the same numbers if attention runs in the MATH kernel (as the tests check); it
    intercepts every operation below autograd, which makes small models several times slower.
    """

    _active: ClassVar[list["FlopCounter"]] = []

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0
        """Floating point operations so far."""

    def __enter__(self) -> "FlopCounter":
        """Begin to count."""
        super().__enter__()
        self._active.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End counting."""
        self._active.remove(self)
        super().__exit__(kind, error, trace)

    @classmethod
    def add(cls, operations: float) -> None:
        """Count ``operations`` that another process has run for this one, in every counter whose block it is."""
        for counter in cls._active:
            counter.total += operations

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run ``func`` and count it if it multiplies matrices."""
        if func is torch.Tensor.backward:
            with self:  # our kernels' backward passes and recomputed layers multiply here
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
    """Run ``tensor.backward()`` directly by the autograd engine: the public functions disable this mode."""
    gradient = torch.ones_like(tensor) if gradient is None else gradient
    kept = create_graph if retain_graph is None else retain_graph
    leaves = () if inputs is None else (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
    _engine_run_backward(
        (tensor,),
        grad_tensors=(gradient,),
        keep_graph=kept,
        create_graph=create_graph,
        inputs=leaves,
        allow_unreachable=True,
        accumulate_grad=True,
    )


def _times(operations: float, *factors: torch.Tensor) -> float:
    """Return ``operations`` of a product, plus the same for the gradient of each of its ``factors`` that needs one."""
    return operations * (1 + sum(map(_learns, factors)))


def _learns(tensor: torch.Tensor) -> bool:
    """Return whether a backward pass will follow; False for a layer that is recomputed within one."""
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
    """Count a product for each combination of indices of two factors."""
    del result, kwargs
    equation, *factors = args
    sizes: dict[str, int] = {}
    for term, factor in zip(equation.replace(" ", "").split("->")[0].split(","), factors, strict=True):
        sizes.update(zip(term, factor.shape, strict=True))
    return _times(2.0 * math.prod(sizes.values()), *factors) if len(factors) == 2 else 0.0


def _attention(result: torch.Tensor, args: Any, kwargs: Any) -> float:
    """Count scores and weighted sum over all pairs of queries and keys, masked or not."""
    query, key, value = [*args, *(kwargs[name] for name in ("query", "key", "value") if name in kwargs)][:3]
    sums = 2.0 * result.numel() * key.shape[-2]
    scores = 2.0 * query.numel() * key.shape[-2]
    back = int(_learns(value)) + int(_learns(query) or _learns(key))
    operations: float = _times(scores, query, key) + sums * (1 + back)
    return operations


def _kernel(result: Any, args: Any, kwargs: Any) -> float:
    """Count the CPU's fused attention where it is called directly; its first result is the output."""
    return _attention(result[0], args, kwargs)


def _kernel_backward(result: Any, args: Any, kwargs: Any) -> float:
    """Count the four products of its gradients; the scores that it computes again are not counted, as elsewhere."""
    del result, kwargs
    _, query, key, _, output = args[:5]
    operations: float = 2 * 2.0 * (query.numel() + output.numel()) * key.shape[-2]
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
    "_scaled_dot_product_flash_attention_for_cpu": _kernel,
    "_scaled_dot_product_flash_attention_for_cpu_backward": _kernel_backward,
}
"""Name of a function → operations of one call."""


class MemoryMeter:
    """Peak memory since its creation: of the GPU if there is one, else of this process.

    Memory of earlier jobs of the process is released first, so that a job of a multirun has the same peak as in a
    process of its own; loaded libraries stay loaded (``workbench.meter`` loads all of them before).
    """

    def __init__(self, device: torch.device) -> None:
        gc.collect()  # a model and its hooks form reference cycles
        self._device = device if device.type == "cuda" else None
        if self._device is not None:
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            _return_freed_memory()
            _reset_process_peak()

    def peak_bytes(self) -> int:
        """Return the peak in bytes so far."""
        return _process_peak() if self._device is None else torch.cuda.max_memory_allocated(self._device)


SETTLING_BYTES = 2**25 - 2**16
"""Just below 32 MiB, the largest block that glibc's dynamic threshold allows on the heap once one was freed."""


def _return_freed_memory() -> None:
    torch.empty(SETTLING_BYTES, dtype=torch.uint8)  # freed at once: the allocator then behaves the same for every job
    with suppress(OSError, AttributeError):  # glibc keeps freed memory for later allocations
        ctypes.CDLL(None).malloc_trim(0)


def _reset_process_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: reset the peak of an earlier job in this process


def _process_peak() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
