"""Peak memory of a job, measured alike for every job of a multirun."""

import importlib

from ctxlab.evaluation.evaluator import metric_module
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.workbench.bench import Workbench

LATER = ("datasets", "matplotlib.pyplot")
"""Libraries that every job loads late: with its tokenised documents, and with the pictures of its report."""


def start_meter(bench: Workbench) -> MemoryMeter:
    """Start a memory meter after loading every library that the job will load anyway.

    Otherwise the peak of a multirun's first job would exclude the libraries of its report, and that of the second would
    include them.
    """
    for name in (*LATER, *getattr(metric_module(bench.task.metric), "LIBRARIES", ())):
        importlib.import_module(name)
    return MemoryMeter(bench.accelerator.device)
