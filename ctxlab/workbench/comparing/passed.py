"""What a candidate makes of the longest documents before it is trained: what tells two computations apart, and cost."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch

from ctxlab.core.strategy import Attention, Strategy
from ctxlab.core.types import Encoded, FloatArray
from ctxlab.runtime.cost import FlopCounter
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.comparing.corpus import Corpus

LONGEST = 3
"""Documents whose windows tell whether two candidates read the same."""

SHARES = tuple(twentieth / 20 for twentieth in range(21))
"""Of the budget, at which the lengths of curricula are compared."""

TOLERANCE = 1e-4
"""Largest difference of outputs, as a fraction of the largest one, that kernels of one computation may have in fp32."""

ALL_PAIRS_TOKENS = 4096
"""Longest window for which the pairs that attend are looked at one by one."""


@dataclass(frozen=True, eq=False)
class Passed:
    """A pass of a new model over the longest document."""

    plan: str
    """What the candidate does, but for its positions."""
    outputs: FloatArray
    """What the model made of the document; empty where the task writes, which takes long."""
    seconds_per_token: float
    flops_per_token: float

    def equals(self, other: "Passed") -> bool:
        """Whether the two are one computation: the same windows through the same parts, to the same outputs.

        So positions that are stretched further than any window reaches do not make a difference, nor does a pattern of
        attention in which all pairs of a window attend.
        """
        if self.plan != other.plan or self.outputs.shape != other.outputs.shape:
            return False
        largest = float(np.abs(self.outputs).max(initial=0.0))
        return bool((np.abs(self.outputs - other.outputs) <= TOLERANCE * largest).all())


def read_through(bench: Workbench, configured: Strategy, corpus: Corpus) -> Passed:
    """Read the longest document, and look at the windows of the longest ones.

    Args:
        bench: A new model.
        configured: Its strategy as it was configured, before its parts were fitted to the model.
        corpus: The documents.
    """
    longest = corpus.longest(LONGEST)
    document = longest[0]
    with FlopCounter() as counter:
        started = perf_counter()
        (merged,) = bench.reader().read([document])
        seconds = perf_counter() - started
    plan = _plan(bench, configured, longest)
    if bench.task.writes or not bench.task.runs_model:
        plan += f" {_settings(configured.positions)} {bench.length}"
    tokens = max(len(document), 1)
    return Passed(plan, merged.outputs, seconds / tokens, counter.total / tokens)


def _plan(bench: Workbench, configured: Strategy, documents: Sequence[Encoded]) -> str:
    strategy = bench.strategy
    windows = [strategy.reading.windows(document, bench.length) for document in documents]
    longest = max((len(window) for row in windows for window in row), default=0)
    read = [(window.begins, window.input_ids.tobytes()) for row in windows for window in row]
    lengths = [min(strategy.curriculum.length(share, bench.length), longest) for share in SHARES]
    attention = "full" if _is_full(strategy.attention, longest) else _settings(configured.attention)
    settings = f"{_settings(configured.reading)} {attention} {_settings(configured.memory)}"
    digest = hashlib.sha256(repr(read).encode()).hexdigest()
    return f"{digest} {lengths} {strategy.curriculum.sorts} {settings}"


def _is_full(attention: Attention, longest: int) -> bool:
    """Whether all pairs of the longest window attend."""
    if not attention.exact or longest > ALL_PAIRS_TOKENS:
        return False
    places = torch.arange(longest)
    return bool(attention.allowed(places[:, None], places[None], longest).all())


def _settings(part: Any) -> str:
    """Class and settings of a part."""
    return f"{type(part).__qualname__} {sorted(vars(part).items())}"
