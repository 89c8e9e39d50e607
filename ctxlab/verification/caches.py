"""Checks the KV cache of a memory: as many keys as declared, at positions that continue without a gap."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ctxlab.core.contract import option
from ctxlab.core.numbers import NUMBERS
from ctxlab.core.passes import Item
from ctxlab.core.types import Window
from ctxlab.verification.check import TOLERANCE, Check
from ctxlab.verification.precision import KeepDouble
from ctxlab.verification.reach import CONTEXTS
from ctxlab.verification.subject import Subject, largest, rms

NUM_WINDOWS = 5
"""Most consecutive windows that are read."""

JOINT_TOKENS = 64
"""Most tokens of each of two windows that are compared with one window of both."""


@dataclass(frozen=True, eq=False)
class Step:
    """The inputs and outputs of one window of a document."""

    tokens: int
    num_cached: int
    """Cached keys of earlier tokens that it attends to, without padding."""
    positions: torch.Tensor
    """(W,) positions of its tokens."""
    outputs: torch.Tensor
    """(W, C)"""


@torch.no_grad()
def check_caches(subject: Subject) -> Check:
    """Check that consecutive windows get as many cached keys as declared, at positions right before their own."""
    name = "cached keys"
    proves = "A memory caches as many keys as it declares, and positions continue from window to window without a gap."
    memory = subject.strategy.memory
    if not memory.sequential or memory.num_cached == 0:
        return Check(name, proves, None, f"memory={option(memory)} caches no keys.")
    with KeepDouble():
        longest = subject.strategy.reading.longest(subject.length)
        items = subject.items(subject.document(max(round(subject.length * CONTEXTS), NUM_WINDOWS * longest)))
        steps = _steps(subject, _first_windows(items[0], NUM_WINDOWS))
        most = longest if memory.num_cached is None else memory.num_cached
        fault = _fault(steps, most)
        deviation = None if fault else _from_joint(subject, min(longest, most, JOINT_TOKENS))
    if fault:
        return Check(name, proves, False, f"memory={option(memory)}: {fault}.")
    cached = f"{', '.join(f'{step.num_cached:,}' for step in steps)} keys before windows of {steps[0].tokens:,} tokens"
    if deviation is None:
        return Check(name, proves, True, f"{cached}.", deviation=0.0)
    detail = f"{cached}; two windows differ from one window of both by {deviation:.1e}."
    return Check(name, proves, deviation <= TOLERANCE, detail, deviation=deviation)


def _first_windows(item: Item, count: int) -> Item:
    """Return the first ``count`` windows of a sequence of linked ones."""
    return replace(
        item,
        windows=item.windows[:count],
        labels=item.labels[:count],
        marks=item.marks[:count],
        numbers=item.numbers[:count],
    )


def _steps(subject: Subject, item: Item) -> list[Step]:
    """Run linked windows and record each as a step."""
    given: list[Mapping[str, Any]] = []

    def forward(inputs: Mapping[str, Any]) -> Any:
        given.append(inputs)
        return subject.call(inputs)

    steps = []
    for passed in subject.passes(forward).run([item]):
        inputs, tokens = given.pop(), len(item.windows[passed.rows[0][1]])
        num_cached = int(inputs["attention_mask"][0].sum()) - tokens
        positions = inputs["position_ids"].expand(len(passed.rows), -1)[0]
        steps.append(Step(tokens, num_cached, positions, passed.outputs[0, :tokens]))
    return steps


def _fault(steps: list[Step], most: int) -> str:
    """Return what is wrong with the cached keys of the windows; empty if nothing is."""
    read = 0
    for w, step in enumerate(steps):
        wanted = min(read, most)
        if step.num_cached != wanted:
            return (
                f"window {w} has {step.num_cached:,} cached keys of the {read:,} tokens before it, but {wanted:,} are "
                "declared"
            )
        start = int(step.positions[0])
        if start not in (read, step.num_cached):  # counted from the document's start, or from the first cached key
            return f"window {w} begins at position {start:,}, but {read:,} tokens come before it"
        if bool((step.positions.diff() != 1).any()):
            return f"positions within window {w} have a gap"
        read += step.tokens
    return ""


def _from_joint(subject: Subject, width: int) -> float | None:
    """Return the relative difference of two consecutive windows from one window of both; None for sparse attention."""
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
    given = {NUMBERS: torch.from_numpy(encoded.numbers)[None].to(subject.device)} if encoded.numbers.size else {}
    joint = subject.model(input_ids=ids, attention_mask=torch.ones_like(ids), **given).logits[0]
    return largest(outputs - joint) / rms(joint)
