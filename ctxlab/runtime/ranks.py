"""The processes of one run (ranks), and what they tell one another.

All of them execute the same program on the same configuration. Whatever one of them alone has measured or received (its
passes' loss, a signal, the time) is made known to all before a decision depends on it, so that they decide alike.
Nothing is pickled: numbers travel as tensors, other values as JSON.

Work that several processes share runs in ``Ranks.together``. There every exchange begins with a table in which each
process says whether it goes on, so that one that cannot go on ends the others wherever they are.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from ctxlab.core import world
from ctxlab.core.errors import Interrupted, ProcessLost, UserError
from ctxlab.core.signals import held, raising
from ctxlab.runtime.packing import pack, unpack

T = TypeVar("T")

PATIENCE = timedelta(days=7)
"""How long a process waits for the others, which may be scoring; one that has ended is noticed at once."""

ADDRESS = ("RANK", "MASTER_ADDR", "MASTER_PORT")
"""Environment variables without which processes do not find one another."""

RUN_DIR = "ctxlab/run_dir"
"""Key of torchrun's store that outlives restarts."""

GOES_ON, FAILED = 0, -1
"""What a process says of itself before an exchange; the number of a signal says that it has been stopped."""


class _Ended(BaseException):
    """Another process has said that it cannot go on; no Exception, as libraries catch those."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__()
        self.reason = reason


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
        collective(lambda: dist.all_gather(found, own))
        return torch.stack(found).numpy()

    def add(self, tensor: torch.Tensor) -> None:
        """Replace ``tensor`` by its sum over the processes, which is the same to the bit in all of them."""
        if self.size > 1:
            collective(lambda: dist.all_reduce(tensor))

    def told(self, value: T, source: int = 0) -> T:
        """Return the ``value`` that the process ``source`` has, of plain JSON."""
        if self.size == 1:
            return value
        tells = self.rank == source
        text = np.frombuffer(json.dumps(value).encode(), dtype=np.uint8) if tells else np.zeros(0, np.uint8)
        length = torch.tensor([len(text)])
        collective(lambda: dist.broadcast(length, source))
        content = torch.from_numpy(text.copy()) if tells else torch.empty(int(length), dtype=torch.uint8)
        collective(lambda: dist.broadcast(content, source))
        received: T = json.loads(content.numpy().tobytes().decode())
        return received

    def copy(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace ``tensors`` by those of the first process."""
        if self.size > 1:
            collective(lambda: [dist.broadcast(tensor.detach(), 0) for tensor in tensors])

    @contextmanager
    def together(self, noted: int | None = None) -> Iterator[None]:
        """Work that all processes share: what stops one of them ends the block in all.

        In the block, processes exchange values in ``joined`` and ``exchange`` only, all of them equally often.

        Args:
            noted: A signal that this process has received before, of which the others do not know.

        Raises:
            Interrupted: One of them has received a signal.
            UserError: One of them has met a mistake.
        """
        try:
            try:
                with raising():
                    if noted is not None:
                        raise Interrupted(noted)
                    yield
            except (Interrupted, UserError) as error:
                with suppress(ProcessLost, _Ended):  # others may have ended for reasons of their own
                    self._say(error)
                raise
            self._say(None)
        except _Ended as end:
            raise end.reason from None

    @contextmanager
    def joined(self) -> Iterator[None]:
        """All processes are here until the end of the block, for an exchange that no signal tears apart."""
        with held():
            self._agree()
            yield

    def exchange(self, arrays: Sequence[npt.NDArray[Any]]) -> list[list[npt.NDArray[Any]]]:
        """Return the ``arrays`` of every process, which may differ in number and shape."""
        if self.size == 1:
            return [list(arrays)]
        own = torch.from_numpy(pack(arrays))
        with held():
            longest = int(self._agree(len(own)).max())
            own = torch.nn.functional.pad(own, (0, longest - len(own)))
            found = [torch.empty_like(own) for _ in range(self.size)]
            collective(lambda: dist.all_gather(found, own))
        return [unpack(content.numpy()) for content in found]

    def _say(self, error: BaseException | None) -> None:
        """Tell the others, at their next exchange, that this process ends because of ``error``, or has finished."""
        state = GOES_ON if error is None else FAILED
        with held():
            self._agree(state=error.signal_number if isinstance(error, Interrupted) else state, reason=str(error))

    def _agree(self, announced: int = 0, state: int = GOES_ON, reason: str = "") -> npt.NDArray[np.float64]:
        """Return (size,) the number that every process announces, if all of them go on.

        Raises:
            _Ended: One of them does not, because of a signal or else of a mistake, whose ``reason`` it tells.
        """
        table = self.table([float(state), float(announced)])
        signal = int(table[:, 0].max())
        if signal > GOES_ON:
            raise _Ended(Interrupted(signal))
        failed = np.flatnonzero(table[:, 0] == FAILED)
        if len(failed):
            raise _Ended(UserError(self.told(reason, int(failed[0]))))
        return table[:, 1]


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


def collective(exchange: Callable[[], Any]) -> None:
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
