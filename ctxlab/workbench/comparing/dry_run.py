"""A forward pass of an untrained candidate over the longest document, to detect duplicates."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ctxlab.core.strategy import Attention, Strategy
from ctxlab.core.types import Encoded, FloatArray
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.corpus import Corpus

LONGEST = 3
"""Documents whose windows decide whether two candidates read the same."""

SHARES = tuple(twentieth / 20 for twentieth in range(21))
"""Fractions of the budget at which the lengths of curricula are compared."""

TOLERANCE = 1e-4
"""Largest difference between equal outputs of different kernels in fp32, as a fraction of the largest output."""

ALL_PAIRS_TOKENS = 4096
"""Longest window for which all pairs of tokens are checked for attention."""


@dataclass(frozen=True, eq=False)
class DryRun:
    """A forward pass of an untrained model over the longest document."""

    plan: str
    """Description of the computation, without its positions."""
    outputs: FloatArray
    """Outputs of the model for the document; empty if the task generates text, which takes long."""

    def equals(self, other: "DryRun") -> bool:
        """Return whether both are the same computation: the same windows, parts and outputs.

        So neither positions extended beyond the longest window make a difference, nor an attention pattern under which
        all pairs of tokens of a window attend.
        """
        if self.plan != other.plan or self.outputs.shape != other.outputs.shape:
            return False
        largest = float(np.abs(self.outputs).max(initial=0.0))
        return bool((np.abs(self.outputs - other.outputs) <= TOLERANCE * largest).all())


def dry_run(bench: Workbench, configured: Strategy, corpus: Corpus) -> DryRun:
    """Read the longest document, and describe the windows of the longest ones.

    Args:
        bench: Workbench with an untrained model.
        configured: Its strategy as configured, before the parts were fitted to the model.
        corpus: Documents of the comparison.
    """
    longest = corpus.longest(LONGEST)
    (merged,) = bench.reader().read(longest[:1])
    plan = _plan(bench, configured, longest)
    if bench.task.generates or not bench.task.runs_model:
        plan += f" {_settings(configured.positions)} {bench.length}"
    return DryRun(plan, merged.outputs)


def _plan(bench: Workbench, configured: Strategy, documents: Sequence[Encoded]) -> str:
    strategy = bench.strategy
    windows = [strategy.reading.windows(document, bench.length) for document in documents]
    longest = max((len(window) for row in windows for window in row), default=0)
    read = [(window.begins, window.input_ids.tobytes()) for row in windows for window in row]
    lengths = [min(strategy.curriculum.length(share, bench.length), longest) for share in SHARES]
    attention = "full" if _is_full(strategy.attention, longest) else _settings(configured.attention)
    # Where every document is one window, a reading that adds no layers has nothing to divide and nothing to merge.
    adds_layers = strategy.reading.joins and not strategy.reading.fuses
    is_whole = all(len(row) == 1 for row in windows) and not adds_layers
    reading = "whole" if is_whole else _settings(configured.reading)
    settings = f"{reading} {attention} {_settings(configured.memory)}"
    digest = hashlib.sha256(repr(read).encode()).hexdigest()
    order = _settings(configured.curriculum) if strategy.curriculum.selects else strategy.curriculum.sorts
    return f"{digest} {lengths} {order} {settings}"


def _is_full(attention: Attention, longest: int) -> bool:
    """Return whether all pairs of tokens of the longest window attend, in training too."""
    if not attention.exact or attention.trains_only or longest > ALL_PAIRS_TOKENS:
        return False
    places = torch.arange(longest)
    return bool(attention.allowed(places[:, None], places[None], longest).all())


def _settings(part: Any) -> str:
    """Return class and settings of a part as text."""
    return f"{type(part).__qualname__} {sorted(vars(part).items())}"
