"""A model whose weights are dealt to the processes of a run: each has an N-th of every weight (FSDP2).

A layer's weights are gathered when it runs, forward and again backward, and its gradients are summed over the processes
and dealt in the same way after each pass. So all processes must run equally many passes. Gradients and states of an
elementwise optimizer are dealt as the weights are, so that its step needs no exchange.

``torch.distributed.fsdp.fully_shard`` is called directly: accelerate would wrap the model for plain data parallelism on
a CPU, without saying so.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from ctxlab.core import world
from ctxlab.core.errors import ProcessLost
from ctxlab.runtime.ranks import Ranks

VIEWS = "FSDP2-wrapped module"
"""How torch's warning begins that nothing may be changed in place in a layer's outputs, where they are views."""


def deal(model: torch.nn.Module, layers: Sequence[torch.nn.Module], device: torch.device, ranks: Ranks) -> None:
    """Deal the weights of ``model`` to all processes, in place.

    Args:
        model: Whole and the same in all of them, with its weights on ``device``.
        layers: Its layers, each of which is gathered by itself; the rest of the model is gathered as one.
        device: Of the model.
        ranks: This process among those of the run, all of which must call this.
    """
    mesh = init_device_mesh(device.type, (ranks.size,))
    for module in (*layers, model):
        fully_shard(module, mesh=mesh)
    for module in _dealt(model):
        module.set_force_sum_reduction_for_comms(True)  # no mean over processes: the step divides by its labels
        module.set_gradient_divide_factor(1.0)
    # The norms of all gradients are compared with those before (``workbench.sharded``), which a change in place breaks.
    warnings.filterwarnings("ignore", message=VIEWS)


def is_dealt(model: torch.nn.Module) -> bool:
    """Return whether the weights of ``model`` are dealt to several processes."""
    return isinstance(model, FSDPModule)


def full(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as one process would have it; all processes must call this for one that is dealt."""
    if not isinstance(tensor, DTensor):
        return tensor
    with torch.no_grad():
        return tensor.full_tensor()


def own_part(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return ``tensor`` (...) dealt as ``like`` is, without any exchange; unchanged if that is not dealt."""
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    tensor = tensor.to(like.to_local().device)
    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)


def gathered(tensors: Mapping[str, torch.Tensor], ranks: Ranks) -> dict[str, torch.Tensor]:
    """Return whole tensors by name at the first process, which writes them; all processes must call this.

    Tensors are gathered one after the other, so that the other processes have room for one of them only. One under
    several names (tied weights) is gathered once.
    """
    known: dict[int, torch.Tensor] = {}
    for tensor in tensors.values():
        if id(tensor) not in known:
            whole = full(tensor)
            known[id(tensor)] = whole.cpu() if ranks.leads and whole is not tensor else whole
            if not ranks.leads:
                known[id(tensor)] = torch.empty(0)
    return {name: known[id(tensor)] for name, tensor in tensors.items()} if ranks.leads else {}


def named_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return all weights and buffers by name; tied weights are the same tensor under several names."""
    found: Iterable[tuple[str, torch.Tensor]] = (
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    )
    return dict(found)


@torch.no_grad()
def take(model: torch.nn.Module, weights: Mapping[str, torch.Tensor], ranks: Ranks) -> None:
    """Give every process its part of ``weights``, which the first process has by name; all must call this.

    Args:
        model: Its weights are dealt.
        weights: Whole tensors; names that are missing are other names of tied weights.
        ranks: This process among those of the run.
    """
    done: set[int] = set()
    for name, tensor in named_weights(model).items():
        if id(tensor) in done or not ranks.told(name in weights):
            continue
        done.add(id(tensor))
        whole = torch.empty(tensor.shape, dtype=tensor.dtype, device=_device(tensor))
        if ranks.leads:
            whole.copy_(weights[name])
        ranks.copy([whole])
        tensor.copy_(own_part(whole, tensor))


@contextmanager
def whole(model: torch.nn.Module, ranks: Ranks) -> Iterator[None]:
    """Every process has all weights until the end of the block, and may run any number of passes without gradients.

    Changes of the weights in the block are lost. All processes must enter it; a model whose weights are not dealt is
    left as it is.
    """
    modules = _dealt(model)
    if not modules:
        yield
        return
    with ranks.joined():
        for module in modules:
            module.set_reshard_after_forward(False, recurse=False)
            module.unshard()
    try:
        yield
    finally:
        for module in modules:
            module.set_reshard_after_forward(module is not model, recurse=False)  # the rest is kept for the backward
            module.reshard()


@contextmanager
def losses_told() -> Iterator[None]:
    """Tell the end of another process that was noticed within a pass as it is told elsewhere.

    Raises:
        ProcessLost: Another process has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if not tells_of_a_loss(error):
            raise
        raise ProcessLost(
            f"Another process of the run ended, and process {world.rank()} with it: see its message."
        ) from error


def tells_of_a_loss(error: BaseException) -> bool:
    """Return whether an error says that an exchange with another process has failed."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)


def _dealt(model: torch.nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, FSDPModule)]


def _device(tensor: torch.Tensor) -> torch.device:
    """Return where the values of a tensor are, dealt or not."""
    return tensor.to_local().device if isinstance(tensor, DTensor) else tensor.device
