"""Which tokens may and must depend on a probe: the declarations of all parts, composed over the layers.

Shape legend: W tokens of a window, P probes, V levels (every layer, then the outputs), N windows that are linked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.architecture import sliding_layers
from ctxlab.core.passes import Item
from ctxlab.core.strategy import Pattern
from ctxlab.core.types import BoolArray
from ctxlab.runtime.collate import collate
from ctxlab.verification.probes import Probe
from ctxlab.verification.subject import Subject

ROWS_AT_ONCE = 1024
"""Queries whose pattern is in memory at a time, instead of W × W of a long window."""

HOPS = 2
"""Layers over which an influence must be measurable; over more it may be too small for floating-point arithmetic."""


@dataclass(frozen=True, eq=False)
class Declared:
    """The declared dependence of the tokens of one window on probes."""

    could: torch.Tensor
    """(V, W, P) bool: the token may depend on the probe."""
    must: torch.Tensor
    """(V, W, P) bool: the token must depend on the probe."""
    carried: BoolArray
    """(P,) bool: the probe must have an effect through another window, by the memory or the reading."""


def declare(subject: Subject, item: Item, probes: Sequence[Probe]) -> list[Declared]:
    """Return what the parts declare for each window of ``item``, a sequence of linked windows."""
    changed = [
        torch.from_numpy(np.stack([probe.changes(window) for probe in probes], axis=1)) for window in item.windows
    ]
    inside = [_inside(subject, item, w=w, probes=probes, changed=changed[w]) for w in range(len(item.windows))]
    touched = np.stack([own.any(0).numpy() for own in changed])
    between = _between(subject, len(item.windows))
    found = []
    for w, (could, must) in enumerate(inside):
        for level, reach in enumerate(between):
            could[level] |= torch.from_numpy((reach[w][:, None] & touched).any(0))
        found.append(Declared(could, must, _carried(between[-1], touched, w)))
    return found


def _carried(reach: BoolArray, touched: BoolArray, window: int) -> BoolArray:
    """Return (P,): probes that are in the previous window but not in this one, where that may pass something on."""
    if window == 0 or not reach[window, window - 1]:
        return np.zeros(touched.shape[1], np.bool_)
    carried: BoolArray = touched[window - 1] & ~touched[window]
    return carried


def _between(subject: Subject, num_windows: int) -> list[BoolArray]:
    """Return (N, N) for every level: which windows may depend on which, not counting attention within a window."""
    layers, memory, reading = subject.facts.num_layers, subject.strategy.memory, subject.strategy.reading
    nothing = np.zeros((num_windows, num_windows), np.bool_)
    others = ~np.eye(num_windows, dtype=np.bool_)
    carried = [memory.reach(num_windows, layer) & others for layer in range(1, layers + 1)]
    # A reading that joins windows does so after the last layer. All tokens of a window then depend on all of its own
    # tokens, too, except in a causal model, where only earlier windows are joined to it.
    joined = reading.reach(num_windows) if reading.joins else nothing
    joined = joined & others if subject.is_causal else joined
    return [*carried[:-1], carried[-1] | joined, carried[-1] | joined]


def _inside(
    subject: Subject, item: Item, w: int, probes: Sequence[Probe], changed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (V, W, P) twice: which tokens may and which must depend on probes by attention within a window.

    Args:
        subject: What is verified.
        item: A sequence of linked windows.
        w: Index of the window.
        probes: The probes.
        changed: (W, P) tokens of the window that each probe changes.
    """
    attention, memory = subject.strategy.attention, subject.strategy.memory
    pattern = _pattern(subject, item, w)
    if attention.looks_ahead or not _applies(subject, pattern, len(item.windows[w]), w):
        return _upper_bound(subject, changed, looks_ahead=attention.looks_ahead)
    # Memory tokens pass information on like any other tokens.
    num_after = memory.num_added - memory.num_front
    placed = F.pad(changed, (0, 0, memory.num_front, num_after))
    own = slice(memory.num_front, memory.num_front + len(changed))
    propagate = Propagation(subject, len(placed))
    if pattern == attention.allowed:  # independent of the tokens of the window
        could, must = propagate(pattern, None, placed)
        return could[:, own], must[:, own]
    could, must = torch.zeros(2, subject.facts.num_layers + 1, *placed.shape, dtype=torch.bool)
    for p in placed.any(0).nonzero().flatten().tolist():
        other = _pattern(subject, item, w, probes[p])
        could[..., p : p + 1], must[..., p : p + 1] = propagate(pattern, other, placed[:, p : p + 1])
    return could[:, own], must[:, own]


def _pattern(subject: Subject, item: Item, w: int, probe: Probe | None = None) -> Pattern:
    """Return the pattern of one window, with a probe applied to it if one is given."""
    window = item.windows[w] if probe is None else probe.applied(item.windows[w], subject)
    return subject.strategy.attention.pattern(collate([window], None, subject.pad_id, [item.marks[w]]), 0)


def _applies(subject: Subject, pattern: Pattern, length: int, w: int) -> bool:
    """Return whether the pattern's indices are those of the window; with cached keys before it they are shifted."""
    if w == 0 or subject.strategy.memory.num_cached == 0:
        return True
    place = torch.arange(length)
    return bool(pattern(place[:, None], place[None], length).all())


def _upper_bound(subject: Subject, changed: torch.Tensor, *, looks_ahead: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an upper bound: all tokens of the window may depend on a probe (causal: later ones), and none must."""
    levels = subject.facts.num_layers + 1
    whole = changed.any(0).expand_as(changed)
    could = changed.cummax(0).values if subject.is_causal and not looks_ahead else whole
    return could.expand(levels, -1, -1).clone(), changed.expand(levels, -1, -1).clone()


@dataclass(frozen=True, slots=True)
class Propagation:
    """Computes which tokens depend on changed ones, layer by layer."""

    subject: Subject
    length: int

    def __call__(
        self, first: Pattern, second: Pattern | None, changed: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (V, W, P) twice: which tokens may and which must depend on ``changed`` (W, P).

        Args:
            first: Pattern before the change.
            second: Pattern after the change; None where it is the same.
            changed: (W, P) bool.
        """
        could, must = [changed], [changed]
        # Even if the pattern depends on tokens: in a causal model no token before the changed one may be affected.
        later = changed.cummax(0).values if self.subject.is_causal else torch.ones_like(changed)
        narrowed, exact = sliding_layers(self.subject.model), self.subject.strategy.attention.exact
        for layer in range(self.subject.facts.num_layers):
            measurable = exact and layer < HOPS and not narrowed[layer]
            may, surely = self._layer(first, second, could=could[-1], must=must[-1], later=later)
            could.append(may)
            must.append(surely if measurable else must[-1])
        return torch.stack([*could[1:], could[-1]]), torch.stack([*must[1:], must[-1]])

    def _layer(
        self, first: Pattern, second: Pattern | None, could: torch.Tensor, must: torch.Tensor, later: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return which tokens may and must depend on a change after one more layer.

        A token depends on what it depended on before; one whose pattern changes may depend on the change as well.

        Args:
            first: Pattern before the change.
            second: Pattern after the change, or None.
            could: (W, P) tokens that may depend on it before the layer.
            must: (W, P) tokens that must.
            later: (W, P) tokens that causality allows to depend on it.
        """
        may, surely = could.clone(), must.clone()
        key = torch.arange(self.length)[None]
        for start in range(0, self.length, ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, self.length))
            query = torch.arange(rows.start, rows.stop)[:, None]
            order = key <= query if self.subject.is_causal else torch.ones((), dtype=torch.bool)
            before = first(query, key, self.length) & order
            after = before if second is None else second(query, key, self.length) & order
            moved = (before != after).any(1, keepdim=True) & later[rows]
            may[rows] |= _reaches(before | after, could) | moved
            surely[rows] |= _reaches(before & after, must)
        return may, surely


def _reaches(pairs: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return (R, P) bool: the Boolean product of (R, W) and (W, P)."""
    found: torch.Tensor = pairs.float() @ tokens.float() > 0
    return found
