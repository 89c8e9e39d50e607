"""Processes that exchange values and end together, without a model; run by test_together.py.

Each scene runs in forks of this process, which has imported torch but touched no tensor.
"""

import json
import os
import signal
import socket
import time

import numpy as np

from ctxlab.core.errors import Interrupted, ProcessLost, UserError
from ctxlab.runtime import ranks, sharing
from ctxlab.runtime.cost import FlopCounter


def everything(own):
    """Arrays of other types and shapes in every process."""
    found = own.exchange([np.arange(own.rank + 1), np.full((own.rank, 2), 0.5, np.float32), np.array("ä" == "ä")])
    return [[[one.dtype.str, one.tolist()] for one in arrays] for arrays in found]


def passes(own):
    """Nine groups of items, of which each process runs some; the tokens, operations and results are everyone's."""
    groups, sizes = [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(9)], [2000 - 10 * i for i in range(27)]
    ran, tokens, results = [], [], {}

    def run(group, done):
        ran.extend(group)
        results.update({item: np.array([item, own.rank], np.float32) for item in group})
        FlopCounter.add(7.0)
        done(sum(sizes[item] for item in group))

    with FlopCounter() as counter:
        sharing.run_shared(groups, sizes, run, take=results.__getitem__, put=results.__setitem__, done=tokens.append)
    values = [results[item].tolist() for item in range(27)]
    return {"ran": ran, "tokens": sum(tokens), "operations": counter.total, "results": values}


def mistake(own):
    """The last process meets a mistake in its second turn, while the others wait."""
    for turn in range(3):
        if own.rank == own.size - 1 and turn == 1:
            raise UserError("This document is odd: mend it.")
        own.exchange([])


def mistake_at_the_end(own):
    """The first process meets it after the last exchange, as when it writes."""
    own.exchange([])
    if own.leads:
        raise UserError("This disk is full: free some space.")


def signalled(own):
    """One process receives a signal between two exchanges, the others are busy meanwhile."""
    for turn in range(3):
        if own.rank == 1 and turn == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.02)
        own.exchange([])


def signalled_in_an_exchange(own):
    """The process that waits for another one receives the signal: the exchange is finished first."""
    for turn in range(3):
        if own.rank == 0 and turn == 1:
            signal.setitimer(signal.ITIMER_REAL, 0.03)
        if own.rank == 1:
            time.sleep(0.1)
        own.exchange([])


def all_signalled(own):
    """As torchrun does."""
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGUSR1)
        own.exchange([])


def killed(own):
    for turn in range(3):
        if own.rank == own.size - 1 and turn == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        own.exchange([])


SCENES = (
    everything, passes, mistake, mistake_at_the_end, signalled, signalled_in_an_exchange, all_signalled, killed,
)  # fmt: skip


def play(scene, rank: int, size: int, port: int) -> object:
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    own = ranks.join()
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        with own.together():
            result = scene(own)
        own.table([0.0])  # whatever happened, all are at the same exchange afterwards
    except Interrupted as stop:
        result = {"signal": stop.signal_number}
        own.table([0.0])
    except UserError as error:
        result = {"mistake": str(error)}
        own.table([0.0])
    except ProcessLost as error:
        result = {"lost": str(error)}
    return result


def run(scene, size: int) -> list[object]:
    """What each process found; None for one that was killed."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port, found = one.getsockname()[1], []
    for rank in range(size):
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.write(writer, json.dumps(play(scene, rank, size, port)).encode())
            finally:
                os._exit(0)
        os.close(writer)
        found.append((pid, reader))
    results = []
    for pid, reader in found:
        with os.fdopen(reader) as file:
            text = file.read()
        os.waitpid(pid, 0)
        results.append(json.loads(text) if text else None)
    return results


if __name__ == "__main__":
    print(json.dumps({f"{scene.__name__}-{size}": run(scene, size) for scene in SCENES for size in (2, 3)}))
