"""Memory of a job, measured alike whichever job of a multirun it is."""

import importlib

from ctxlab.evaluation.evaluator import metric_module
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.workbench.bench import Workbench

LATER = ("datasets", "matplotlib.pyplot")
"""Libraries that every job uses and that are loaded late: by the tokens, and by the pictures of the report."""


def start_meter(bench: Workbench) -> MemoryMeter:
    """A meter that begins now, when all is loaded that the job will load anyway.

    Otherwise the first job of a multirun would reach its peak without the libraries of its report, and the second with
    them.
    """
    for name in (*LATER, *getattr(metric_module(bench.task.metric), "LIBRARIES", ())):
        importlib.import_module(name)
    return MemoryMeter(bench.accelerator.device)
