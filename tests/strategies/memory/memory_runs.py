"""Documents through the real reading and passes under a memory, for the tests of all memories."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ctxlab.core.strategy import Strategy
from ctxlab.core.types import Encoded
from ctxlab.runtime.forward import Passes, make_items, model_call
from ctxlab.runtime.reader import Reader
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.reading.segments import Segments

VOCABULARY = 60
ENOUGH = 10**9
"""Tokens: everything in one pass."""


def document(num_tokens: int, seed: int = 0, before: Sequence[int] = (), after: Sequence[int] = ()) -> Encoded:
    """Random tokens, none of them special or padding."""
    ids = np.random.default_rng(seed).integers(5, VOCABULARY, num_tokens)
    return Encoded(ids, np.arange(num_tokens), np.zeros(num_tokens, np.int64), tuple(before), tuple(after))


def strategy(memory: Any, window: int) -> Strategy:
    """``memory`` over windows in a row."""
    memory.fit(window)
    return Strategy("test", Segments(window), Keep(), Full(), memory, Constant())


def installed(model: Any, memory: Any, window: int) -> Strategy:
    """The same, installed in ``model``."""
    whole = strategy(memory, window)
    memory.install(model)
    return whole


def read(whole: Strategy, model: Any, documents: Sequence[Encoded], length: int = 1000) -> list[torch.Tensor]:
    """Outputs (L, C) on all documents, in one pass."""
    reader = Reader(model, whole, length, ENOUGH, pad(model), torch.device("cpu"), lambda outputs, labels: outputs)
    return [torch.from_numpy(merged.outputs) for merged in reader.read(documents)]


def passes(whole: Strategy, model: Any, documents: Sequence[Encoded], forward: Any = None, length: int = 1000) -> Any:
    """The passes over all windows of the documents, with gradients."""
    runner = Passes(whole, forward or model_call(model), pad(model), torch.device("cpu"))
    rows = [make_items(i, one, whole.reading.windows(one, length)) for i, one in enumerate(documents)]
    return runner.run([item for row in rows for item in row])


def pad(model: Any) -> int:
    return int(model.config.pad_token_id)
