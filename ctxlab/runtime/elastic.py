"""Starting several processes on this machine by torch's elastic launcher."""

import logging
import os
import signal
import sys
import uuid
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from ctxlab.core.errors import Interrupted

STOPPED_WITHIN = 600
"""Seconds that the processes have to save a checkpoint after a signal."""

THREADS = "OMP_NUM_THREADS"

LOGGERS = "torch.distributed.elastic"


def run(words: Sequence[str], processes: int) -> int:
    """Run ``ctxlab <words>`` on several processes that share this machine's cores; returns their exit status.

    Raises:
        Interrupted: A signal was received; the processes have saved and ended.
    """
    for name in [name for name in logging.root.manager.loggerDict if name.startswith(LOGGERS)]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the processes say what happens
    os.environ.setdefault(THREADS, str(max(torch.get_num_threads() // processes, 1)))
    newer: dict[str, Any] = {"shutdown_timeout": STOPPED_WITHIN}  # torch 2.11 does not have it
    known = {one.name for one in fields(LaunchConfig)}
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        signals_to_handle="SIGTERM,SIGINT,SIGUSR1",
        **{name: value for name, value in newer.items() if name in known},
    )
    try:
        elastic_launch(config, sys.executable)("-m", "ctxlab", *words)
    except SignalException as stop:
        raise Interrupted(int(signal.Signals(stop.sigval)), is_told=True) from None
    except ChildFailedError as failed:
        return _status([failure.exitcode for failure in failed.failures.values()])
    return 0


def _status(codes: Sequence[int]) -> int:
    """Return the exit status of the processes: that of a mistake rather than of those that ended because of it."""
    told = [code for code in codes if code > 1]
    killed = [128 - code for code in codes if code < 0]
    return (told or killed or [1])[0]
