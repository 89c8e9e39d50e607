"""The memory of all tensors that are alive, measured after every operation."""

import math
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from ctxlab.core.slices import growth

aten = torch.ops.aten

PRODUCTS = {aten.mm.default: 0, aten.bmm.default: 0, aten.addmm.default: 1, aten.baddbmm.default: 1}
"""Matrix products, by the index of their first factor."""


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of the tensors that operations inside its block create, until they are freed.

    A storage counts once, however many tensors view it, and is recognised by a weak reference, so that counting keeps
    nothing alive. Buffers that a kernel allocates and frees inside one operation are not seen. Operations take several
    times longer while they are counted: do not measure time inside the block.
    """

    def __init__(self, existing: Iterable[torch.Tensor] = ()) -> None:
        """Start with tensors that exist already, such as the parameters of a model."""
        super().__init__()
        self.live_bytes = 0
        """Bytes of all tensors that are alive."""
        self.sizes: list[int] = []
        """Bytes of each tensor created since ``begin``."""
        self.at_most: list[float] = []
        """Bytes that each of them has at most however long the input is: those of a whole slice, else infinite."""
        self.events: list[tuple[int, bool]] = []
        """What happened since ``begin``, in order: the index in ``sizes`` of a tensor, and whether it was created (else
        it was freed)."""
        self.peak_bytes = 0
        """The largest number of bytes since ``begin``."""
        self.computes = True
        self._storages: dict[int, weakref.ref[Any]] = {}
        for tensor in existing:
            self._add(tensor)

    def begin(self, *, computes: bool = True) -> None:
        """Forget what happened so far.

        Args:
            computes: Whether matrix products are computed from now on. Where only sizes are of interest, their results
                can be zeros, which takes a fraction of the time.
        """
        self.computes = computes
        self.sizes, self.at_most, self.events, self.peak_bytes = [], [], [], self.live_bytes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count its results."""
        if not self.computes and func in PRODUCTS:
            first, second = args[PRODUCTS[func] :][:2]
            result = first.new_zeros(*first.shape[:-1], second.shape[-1])
        else:
            result = func(*args, **(kwargs or {}))
        for value in tree_iter(result):
            if isinstance(value, torch.Tensor):
                self._add(value)
        return result

    def _add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._storages:
            return

        number, events = len(self.sizes), self.events

        def freed(_: Any) -> None:
            if self._storages.pop(key, None) is not None:
                self.live_bytes -= size
                events.append((number, False))

        self._storages[key] = weakref.ref(storage, freed)
        self.sizes.append(size)
        factor = growth()
        self.at_most.append(math.inf if factor is None else size * factor)  # an empty tensor times inf is not a number
        events.append((number, True))
        self.live_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
