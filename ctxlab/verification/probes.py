"""What is changed in a document to see who hears of it: blocks that cover it, and single tokens where faults show."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import torch

from ctxlab.core.types import ADDED, BoolArray, IntArray, Window
from ctxlab.verification.subject import Subject

EDGE_TOKENS = 2
"""Tokens at each end of a window that are probed."""

NUM_HUBS = 5
"""Tokens that most others are declared to see, probed with their neighbours."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """Tokens that change together."""

    name: str
    tokens: IntArray
    """Of the document; empty for those that stand in front of every window."""
    is_block: bool = False

    def changes(self, window: Window) -> BoolArray:
        """(W,) which tokens of a window it changes."""
        if len(self.tokens):
            return np.isin(window.token_index, self.tokens)
        first = int(np.argmax(window.token_index != ADDED))
        return np.arange(len(window)) < first

    def applied(self, window: Window, subject: Subject) -> Window:
        """The window with other tokens in their place."""
        changed = self.changes(window)
        ids = np.where(changed, subject.other(window.input_ids), window.input_ids)
        return Window(ids, window.token_index, window.begins)


def choose(
    subject: Subject, windows: Sequence[Window], num_tokens: int, num_blocks: int, num_single: int
) -> list[Probe]:
    """Blocks over the whole document, then what stands in front of windows, then single tokens.

    Of single tokens those at the ends of windows come first, then the ones that most see, then any.
    """
    bounds = np.unique(np.linspace(0, num_tokens, num_blocks + 1).round().astype(int))
    blocks = [Probe(f"tokens {a} to {b - 1}", np.arange(a, b), is_block=True) for a, b in pairwise(bounds)]
    front = [Probe("the tokens in front", np.zeros(0, np.int64))] if subject.example.before else []
    spread = np.random.default_rng(subject.seed).permutation(num_tokens)
    wanted = chain(_edges(windows), _hubs(subject, windows[0]), spread)
    known = {int(t) for window in windows for t in window.token_index if t != ADDED}
    single = [token for token in dict.fromkeys(int(t) for t in wanted) if token in known][:num_single]
    return [*blocks, *front, *(Probe(f"token {token}", np.array([token])) for token in sorted(single))]


def _edges(windows: Sequence[Window]) -> IntArray:
    """First and last document tokens of the first two windows and the last."""
    own = [window.token_index[window.token_index != ADDED] for window in (*windows[:2], windows[-1])]
    return np.concatenate([np.concatenate([tokens[:EDGE_TOKENS], tokens[-EDGE_TOKENS:]]) for tokens in own])


def _hubs(subject: Subject, window: Window) -> list[int]:
    """Document tokens of a window that are hubs."""
    near = hubs(subject, len(window))
    return [int(window.token_index[place]) for place in near if window.token_index[place] != ADDED]


def places(subject: Subject, length: int, count: int) -> list[int]:
    """Where to change the states of a window: its ends, its hubs, and evenly between."""
    ends = (0, length - 1, 1, length - 2)
    between = np.linspace(0, length - 1, count).round().astype(int).tolist()
    wanted = [place for place in (*ends, *hubs(subject, length), *between) if 0 <= place < length]
    return sorted(list(dict.fromkeys(wanted))[:count])


def hubs(subject: Subject, length: int) -> list[int]:
    """Places of a window that far more others see than is usual, with their neighbours."""
    key = torch.arange(length)
    seen = torch.zeros(length, dtype=torch.long)
    for start in range(0, length, 1024):
        query = torch.arange(start, min(start + 1024, length))[:, None]
        seen += subject.strategy.attention.allowed(query, key[None], length).sum(0)
    order = seen.argsort(descending=True, stable=True).tolist()
    most = [place for place in order if seen[place] > 1.5 * seen.median()][:NUM_HUBS]
    return [place + step for place in most for step in (0, -1, 1) if 0 <= place + step < length]
