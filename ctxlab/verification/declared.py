"""Who is declared to hear of a probe: what the parts say, composed over the layers.

Shape legend: W tokens of a window, P probes, V levels (every layer, then the outputs), N windows that are linked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.architecture import num_layers
from ctxlab.core.passes import Item
from ctxlab.core.strategy import Pattern
from ctxlab.core.types import BoolArray
from ctxlab.runtime.collate import collate
from ctxlab.verification.probes import Probe
from ctxlab.verification.subject import Subject

ROWS_AT_ONCE = 1024
"""Queries whose pattern is held at a time: never W × W of a long window."""

HOPS = 2
"""Layers over which an influence must show: over more it may be too small for any arithmetic."""


@dataclass(frozen=True, eq=False)
class Declared:
    """For one window."""

    could: torch.Tensor
    """(V, W, P) bool: may hear of it."""
    must: torch.Tensor
    """(V, W, P) bool: hears of it."""
    carried: BoolArray
    """(P,) whether something must arrive from another window, by the memory or the reading."""


def declare(subject: Subject, item: Item, probes: Sequence[Probe]) -> list[Declared]:
    """What the parts say about linked windows."""
    changed = [
        torch.from_numpy(np.stack([probe.changes(window) for probe in probes], axis=1)) for window in item.windows
    ]
    inside = [_inside(subject, item, w, probes, changed[w]) for w in range(len(item.windows))]
    touched = np.stack([own.any(0).numpy() for own in changed])
    between = _between(subject, len(item.windows))
    found = []
    for w, (could, must) in enumerate(inside):
        for level, reach in enumerate(between):
            could[level] |= torch.from_numpy((reach[w][:, None] & touched).any(0))
        found.append(Declared(could, must, _carried(between[-1], touched, w)))
    return found


def _carried(reach: BoolArray, touched: BoolArray, window: int) -> BoolArray:
    """(P,): from the window before, if the probe is there and not in this one too."""
    if window == 0 or not reach[window, window - 1]:
        return np.zeros(touched.shape[1], np.bool_)
    carried: BoolArray = touched[window - 1] & ~touched[window]
    return carried


def _between(subject: Subject, num_windows: int) -> list[BoolArray]:
    """(N, N) for every level: what may come from where in whole, and not by the attention in a window."""
    layers, memory, reading = subject.facts.num_layers, subject.strategy.memory, subject.strategy.reading
    nothing = np.zeros((num_windows, num_windows), np.bool_)
    others = ~np.eye(num_windows, dtype=np.bool_)
    carried = [memory.reach(num_windows, layer) & others for layer in range(1, layers + 1)]
    # What a reading joins, it joins behind the last layer; whole windows then hear of themselves too, but for a
    # causal model, where only what comes before a window is joined to it.
    joined = reading.reach(num_windows) if reading.joins else nothing
    joined = joined & others if subject.is_causal else joined
    return [*carried[:-1], carried[-1] | joined, carried[-1] | joined]


def _inside(
    subject: Subject, item: Item, w: int, probes: Sequence[Probe], changed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(V, W, P) twice: what may and what must come about by attention within a window."""
    attention, memory = subject.strategy.attention, subject.strategy.memory
    pattern = _pattern(subject, item, w)
    if attention.looks_ahead or not _applies(subject, pattern, len(item.windows[w]), w):
        return _loose(subject, changed, looks_ahead=attention.looks_ahead)
    # The tokens of a memory pass on what they hear, like any others.
    behind = memory.num_added - memory.num_front
    placed = F.pad(changed, (0, 0, memory.num_front, behind))
    own = slice(memory.num_front, memory.num_front + len(changed))
    spread = Spread(subject, len(placed))
    if pattern == attention.allowed:  # the same for all windows, whatever is in them
        could, must = spread(pattern, None, placed)
        return could[:, own], must[:, own]
    could, must = torch.zeros(2, subject.facts.num_layers + 1, *placed.shape, dtype=torch.bool)
    for p in placed.any(0).nonzero().flatten().tolist():
        other = _pattern(subject, item, w, probes[p])
        could[..., p : p + 1], must[..., p : p + 1] = spread(pattern, other, placed[:, p : p + 1])
    return could[:, own], must[:, own]


def _pattern(subject: Subject, item: Item, w: int, probe: Probe | None = None) -> Pattern:
    """Of one window, perhaps with a probe in it."""
    window = item.windows[w] if probe is None else probe.applied(item.windows[w], subject)
    return subject.strategy.attention.pattern(collate([window], None, subject.pad_id, [item.marks[w]]), 0)


def _applies(subject: Subject, pattern: Pattern, length: int, w: int) -> bool:
    """Whether the indices of the pattern are those of the window: keys in a cache come before them."""
    if w == 0 or subject.strategy.memory.num_cached == 0:
        return True
    place = torch.arange(length)
    return bool(pattern(place[:, None], place[None], length).all())


def _loose(subject: Subject, changed: torch.Tensor, *, looks_ahead: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Anything in the window, and in a causal model anything behind; nothing must."""
    levels = subject.facts.num_layers + 1
    whole = changed.any(0).expand_as(changed)
    could = changed.cummax(0).values if subject.is_causal and not looks_ahead else whole
    return could.expand(levels, -1, -1).clone(), changed.expand(levels, -1, -1).clone()


@dataclass(frozen=True, slots=True)
class Spread:
    """From the tokens that change to those that hear of it, layer by layer."""

    subject: Subject
    length: int

    def __call__(
        self, first: Pattern, second: Pattern | None, changed: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(V, W, P) of ``changed`` (W, P), under the pattern before and, if that differs, after the change."""
        could, must = [changed], [changed]
        # Whatever a pattern is made of: in a causal model it must not move a token before the one that changes.
        later = changed.cummax(0).values if self.subject.is_causal else torch.ones_like(changed)
        narrowed, exact = narrowed_layers(self.subject.model), self.subject.strategy.attention.exact
        for layer in range(self.subject.facts.num_layers):
            surely = exact and layer < HOPS and not narrowed[layer]
            heard, sure = self._layer(first, second, could[-1], must[-1], later)
            could.append(heard)
            must.append(sure if surely else must[-1])
        return torch.stack([*could[1:], could[-1]]), torch.stack([*must[1:], must[-1]])

    def _layer(
        self, first: Pattern, second: Pattern | None, could: torch.Tensor, must: torch.Tensor, later: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What a token heard it keeps; a token whose own pattern changes hears of it as well, if it may at all."""
        heard, sure = could.clone(), must.clone()
        key = torch.arange(self.length)[None]
        for start in range(0, self.length, ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, self.length))
            query = torch.arange(rows.start, rows.stop)[:, None]
            order = key <= query if self.subject.is_causal else torch.ones((), dtype=torch.bool)
            before = first(query, key, self.length) & order
            after = before if second is None else second(query, key, self.length) & order
            moved = (before != after).any(1, keepdim=True) & later[rows]
            heard[rows] |= _reaches(before | after, could) | moved
            sure[rows] |= _reaches(before & after, must)
        return heard, sure


def _reaches(pairs: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """(R, W) bool and (W, P) bool to (R, P)."""
    found: torch.Tensor = pairs.float() @ tokens.float() > 0
    return found


def narrowed_layers(model: object) -> list[bool]:
    """Which layers the model itself narrows to a sliding window, besides any pattern of ours."""
    config = model.config.get_text_config()  # type: ignore[attr-defined]
    kinds = getattr(config, "layer_types", None)
    if kinds:
        return [kind != "full_attention" for kind in kinds]
    return [getattr(config, "sliding_window", None) is not None] * num_layers(model)
