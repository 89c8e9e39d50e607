"""The processes of one run (ranks), and what they tell one another.

All of them execute the same program on the same configuration. Whatever one of them alone has measured or received (its
passes' loss, a signal, the time) is made known to all before a decision depends on it, so that they decide alike.
Nothing is pickled: numbers travel as tensors, other values as JSON.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from ctxlab.core import world
from ctxlab.core.errors import ProcessLost, UserError

T = TypeVar("T")

PATIENCE = timedelta(days=7)
"""How long a process waits for the others, which may be scoring; one that has ended is noticed at once."""

ADDRESS = ("RANK", "MASTER_ADDR", "MASTER_PORT")
"""Environment variables without which processes do not find one another."""

RUN_DIR = "ctxlab/run_dir"
"""Key of torchrun's store that outlives restarts."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those of its run."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Return whether this process writes, shows and decides for all."""
        return self.rank == 0

    def table(self, values: Sequence[float]) -> npt.NDArray[np.float64]:
        """Return float64 (size, n): the ``values`` (n,) of every process, which must be equally many."""
        own = torch.tensor(list(values), dtype=torch.float64)
        if self.size == 1:
            return own[None].numpy()
        found = [torch.empty_like(own) for _ in range(self.size)]
        together(lambda: dist.all_gather(found, own))
        return torch.stack(found).numpy()

    def add(self, tensor: torch.Tensor) -> None:
        """Replace ``tensor`` by its sum over the processes, which is the same to the bit in all of them."""
        if self.size > 1:
            together(lambda: dist.all_reduce(tensor))

    def told(self, value: T) -> T:
        """Return the ``value`` that the first process has, of plain JSON."""
        if self.size == 1:
            return value
        text = np.frombuffer(json.dumps(value).encode(), dtype=np.uint8) if self.leads else np.zeros(0, np.uint8)
        length = torch.tensor([len(text)])
        together(lambda: dist.broadcast(length, 0))
        content = torch.from_numpy(text.copy()) if self.leads else torch.empty(int(length), dtype=torch.uint8)
        together(lambda: dist.broadcast(content, 0))
        received: T = json.loads(content.numpy().tobytes().decode())
        return received

    def copy(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace ``tensors`` by those of the first process."""
        if self.size > 1:
            together(lambda: [dist.broadcast(tensor.detach(), 0) for tensor in tensors])


def current() -> Ranks:
    """Return this process among those of its run; alone if it has not joined any."""
    if dist.is_available() and dist.is_initialized():
        return Ranks(dist.get_rank(), dist.get_world_size())
    return Ranks()


def join() -> Ranks:
    """Join the other processes at the address in the environment (``MASTER_ADDR``, as torchrun sets it).

    Raises:
        UserError: There is no address.
    """
    missing = [name for name in ADDRESS if not os.environ.get(name)]
    if missing:
        raise UserError(
            f"WORLD_SIZE={world.size()} says that there are other processes, but {missing[0]} is not set: start them "
            "with torchrun, use trainer.processes, or unset WORLD_SIZE."
        )
    if not dist.is_initialized():
        backend = "gloo"
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
            backend = "cpu:gloo,cuda:nccl"
        lasting = _lasting_store()
        if lasting is None:
            dist.init_process_group(backend, timeout=PATIENCE)
        else:  # it still has the addresses of processes before a restart, which refuse connections
            store = dist.PrefixStore(f"ctxlab/start-{world.restarts()}", lasting)  # type: ignore[attr-defined]
            size = world.size()
            dist.init_process_group(backend, store=store, rank=world.rank(), world_size=size, timeout=PATIENCE)
    return current()


def leave() -> None:
    """Leave the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def remember(run_dir: str) -> None:
    """Keep the directory of the run in torchrun's store, which restarted processes find there."""
    store = _lasting_store()
    if store is not None:
        store.set(RUN_DIR, run_dir)


def remembered() -> str:
    """Return the directory of the run before torchrun's restart; empty if it had none."""
    store = _lasting_store()
    return store.get(RUN_DIR).decode() if store is not None and store.check([RUN_DIR]) else ""


def _lasting_store() -> Any:
    """Return the store of torchrun's agent; None where the processes have none but their own."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return dist.TCPStore(address, port, is_master=False)  # type: ignore[attr-defined]


def together(exchange: Callable[[], Any]) -> None:
    """Exchange values with the other processes.

    Raises:
        ProcessLost: One of them has ended.
    """
    try:
        exchange()
    except RuntimeError as error:
        raise ProcessLost(
            f"Another process of the run ended, and process {world.rank()} with it: see its message."
        ) from error
