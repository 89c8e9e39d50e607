"""Checks that a change of a token's numbers reaches what a change of the token itself reaches.

Shape legend: W tokens of a window, V levels (every layer, then the outputs), P probes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ctxlab.core.passes import Item
from ctxlab.core.types import Encoded, Window
from ctxlab.models.loading.token_numbers import taken_by
from ctxlab.runtime.collate import collate
from ctxlab.verification.check import Check
from ctxlab.verification.declared import Declared, declare
from ctxlab.verification.probes import Probe, choose
from ctxlab.verification.reach import CONTEXTS, LEAST, changes
from ctxlab.verification.subject import Subject, states

NUM_PROBES = 8
"""Tokens whose numbers are changed: ends of windows first, then hubs."""

CLEAR = 1e4
"""Factor above the rounding errors from which an influence must be there for both changes or for neither."""

NAME, PROVES = "numbers", "A change of a token's numbers affects what a change of the token itself affects."


def check_numbers(subject: Subject) -> list[Check]:
    """Check that numbers reach what their tokens reach, in every layer and output; none for a model without numbers."""
    taken = taken_by(subject.model)
    if not taken.is_on:
        return []
    length = max(round(subject.length * CONTEXTS), subject.strategy.reading.longest(subject.length))
    encoded = subject.document(length)
    items = subject.items(encoded)
    windows = [window for item in items for window in item.windows]
    found = choose(subject, windows, num_tokens=length, num_blocks=1, num_single=NUM_PROBES)
    probes = [probe for probe in found if len(probe.tokens) == 1]
    token, numbers, floor = _measured(subject, encoded, items, probes)
    declared = [own for item in items for own in declare(subject, item, probes)]
    fault, count = _fault(subject, windows, token=token, numbers=numbers, declared=declared, floor=floor)
    looked_at = f"{taken.kind} of {len(probes)} tokens in {len(windows)} windows"
    if fault is None:
        return [Check(NAME, PROVES, True, f"{looked_at}: the same tokens are affected.", deviation=0.0)]
    w, level, place, p, what = fault
    detail = (
        f"{looked_at}: {count:,} influences differ; the first is that of {probes[p].name} on token {place} of window "
        f"{w} at level {level + 1}, {what}."
    )
    return [Check(NAME, PROVES, False, detail)]


def _measured(
    subject: Subject, encoded: Encoded, items: Sequence[Item], probes: Sequence[Probe]
) -> tuple[list[torch.Tensor], list[torch.Tensor], float]:
    """Return for each window (V, W, P) changes by the token and by its numbers, and the size of rounding errors.

    Args:
        subject: What is verified, in double precision.
        encoded: A document.
        items: The same in windows.
        probes: Single tokens.
    """
    drawn = subject.numbers(len(encoded), np.random.default_rng((subject.seed, len(encoded), 1)))
    other = replace(encoded, numbers=drawn)
    before, again = (states(subject, [items] * 3, layers=True) for _ in range(2))
    floor = max(8 * max(float(changes(a, b).max()) for a, b in _pairs(before, again)), LEAST)
    columns: tuple[list[list[torch.Tensor]], ...] = ([], [])
    for probe in probes:
        by_token = [replace(item, windows=[probe.applied(w, subject) for w in item.windows]) for item in items]
        by_numbers = [replace(item, numbers=[_moved(w, probe, encoded, other) for w in item.windows]) for item in items]
        after = states(subject, [items, by_token, by_numbers], layers=True)
        for column, one, changed in zip(columns, before[1:], after[1:], strict=True):
            column.append([changes(a, b) for a, b in zip(one, changed, strict=True)])
    token, numbers = ([torch.stack(own, dim=-1).cpu() for own in zip(*column, strict=True)] for column in columns)
    return token, numbers, floor


def _pairs(ones: Sequence[Sequence], others: Sequence[Sequence]) -> list[tuple]:
    return [pair for a, b in zip(ones, others, strict=True) for pair in zip(a, b, strict=True)]


def _moved(window: Window, probe: Probe, encoded: Encoded, other: Encoded) -> np.ndarray:
    """Return the (W, F) numbers of a window, those of the probe's token from ``other``."""
    return np.where(probe.changes(window)[:, None], window.numbers(other), window.numbers(encoded))


def _fault(
    subject: Subject,
    windows: Sequence[Window],
    token: Sequence[torch.Tensor],
    numbers: Sequence[torch.Tensor],
    declared: Sequence[Declared],
    floor: float,
) -> tuple[tuple[int, int, int, int, str] | None, int]:
    """Return window, level, place in it, probe and nature of the first difference, and how many there are.

    Args:
        subject: What is verified.
        windows: Windows of the document.
        token: (V, W, P) changes by the token in each window.
        numbers: (V, W, P) changes by its numbers.
        declared: What the parts declare.
        floor: Size of rounding errors.
    """
    attention = subject.strategy.attention
    first, count = None, 0
    for w, (window, own, by, said) in enumerate(zip(windows, token, numbers, declared, strict=True)):
        found = {"which is not declared": (by > floor) & ~said.could}
        if attention.exact:
            found["which is missing"] = said.must & (by <= floor)
        pattern = attention.pattern(collate([window], None, subject.pad_id), 0)
        if attention.exact and pattern == attention.allowed:  # a pattern by tokens changes with the token alone
            clear = torch.maximum(own, by) > CLEAR * floor
            found["which only one of the two has"] = clear & ((own > floor) != (by > floor))
        for what, wrong in found.items():
            count += int(wrong.sum())
            if first is None and wrong.any():
                level, place, p = (int(one) for one in wrong.nonzero()[0])
                first = (w, level, place, p, what)
    return first, count
