"""Keys that a memory keeps: as many as declared, and at positions that go on without a gap."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ctxlab.core.contract import option
from ctxlab.core.passes import Item
from ctxlab.core.types import Window
from ctxlab.runtime.forward import Passes
from ctxlab.verification.check import TOLERANCE, Check
from ctxlab.verification.precision import KeepDouble
from ctxlab.verification.reach import CONTEXTS
from ctxlab.verification.subject import Subject, size, worst

NUM_WINDOWS = 5
"""Windows that are read in a row at most."""

WHOLE = 64
"""Tokens of each of the two windows that are read end to end as well."""


@dataclass(frozen=True, eq=False)
class Step:
    """One window of a document, as the model was given it."""

    tokens: int
    held: int
    """Keys of earlier tokens that it attends to, padding apart."""
    positions: torch.Tensor
    """(W,) of its tokens."""
    outputs: torch.Tensor
    """(W, C)"""


@torch.no_grad()
def check_caches(subject: Subject) -> Check:
    """Windows in a row find the keys that the memory declares, and stand right behind them."""
    name = "cached keys"
    proves = "A memory keeps as many keys as it declares, and positions go on from window to window without a gap."
    memory = subject.strategy.memory
    if not memory.sequential or memory.num_cached == 0:
        return Check(name, proves, None, None, f"memory={option(memory)} keeps no keys.")
    with KeepDouble():
        longest = subject.strategy.reading.longest(subject.length)
        items = subject.items(subject.document(max(round(subject.length * CONTEXTS), NUM_WINDOWS * longest)))
        steps = _steps(subject, _first_windows(items[0], NUM_WINDOWS))
        most = longest if memory.num_cached is None else memory.num_cached
        fault = _fault(steps, most)
        deviation = None if fault else _from_whole(subject, min(longest, most, WHOLE))
    if fault:
        return Check(name, proves, False, None, f"memory={option(memory)}: {fault}.")
    held = f"{', '.join(f'{step.held:,}' for step in steps)} keys before windows of {steps[0].tokens:,} tokens"
    if deviation is None:
        return Check(name, proves, True, 0.0, f"{held}.")
    detail = f"{held}; two windows that it keeps whole differ from one by {deviation:.1e}."
    return Check(name, proves, deviation <= TOLERANCE, deviation, detail)


def _first_windows(item: Item, count: int) -> Item:
    """As many windows of a row."""
    return Item(item.document, item.windows[:count], item.labels[:count], item.marks[:count])


def _steps(subject: Subject, item: Item) -> list[Step]:
    given: list[Mapping[str, Any]] = []

    def forward(inputs: Mapping[str, Any]) -> Any:
        given.append(inputs)
        return subject.model(**inputs)

    steps = []
    for passed in Passes(subject.strategy, forward, subject.pad_id, subject.device).run([item]):
        inputs, tokens = given.pop(), len(item.windows[passed.rows[0][1]])
        held = int(inputs["attention_mask"][0].sum()) - tokens
        positions = inputs["position_ids"].expand(len(passed.rows), -1)[0]
        steps.append(Step(tokens, held, positions, passed.outputs[0, :tokens]))
    return steps


def _fault(steps: list[Step], most: int) -> str:
    """What is wrong with the keys that windows found; empty where nothing is."""
    read = 0
    for w, step in enumerate(steps):
        wanted = min(read, most)
        if step.held != wanted:
            return f"window {w} finds {step.held:,} keys of the {read:,} tokens before it, and {wanted:,} are declared"
        if bool((step.positions.diff() != 1).any()):
            return f"positions within window {w} have a gap"
        read += step.tokens
    return ""


def _from_whole(subject: Subject, width: int) -> float | None:
    """Difference of two windows in a row from one of both, where all that was read is kept and all is attended to."""
    place = torch.arange(2 * width)
    if not bool(subject.strategy.attention.allowed(place[:, None], place[None], 2 * width).all()):
        return None
    encoded = subject.document(2 * width)
    tokens = np.arange(2 * width)
    windows = [
        Window(encoded.input_ids[part], part, begins=not w) for w, part in enumerate((tokens[:width], tokens[width:]))
    ]
    outputs = torch.cat([step.outputs for step in _steps(subject, subject.items(encoded, windows)[0])])
    ids = torch.from_numpy(encoded.input_ids)[None].to(subject.device)
    whole = subject.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
    return worst(outputs - whole) / size(whole)
