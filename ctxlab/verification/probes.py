"""Chooses what is changed in a document to measure its influence: blocks that cover it, and single tokens."""

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
"""Tokens that most others are declared to attend to, probed with their neighbours."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A set of tokens that are changed together."""

    name: str
    tokens: IntArray
    """Indices into the document; empty for the tokens before the document in every window."""
    is_block: bool = False

    def changes(self, window: Window) -> BoolArray:
        """Return (W,) bool: which tokens of a window it changes."""
        if len(self.tokens):
            return np.isin(window.token_index, self.tokens)
        first = int(np.argmax(window.token_index != ADDED))
        return np.arange(len(window)) < first

    def applied(self, window: Window, subject: Subject) -> Window:
        """Return the window with these tokens replaced."""
        changed = self.changes(window)
        ids = np.where(changed, subject.other(window.input_ids), window.input_ids)
        return Window(ids, window.token_index, window.begins)


def choose(
    subject: Subject, windows: Sequence[Window], num_tokens: int, num_blocks: int, num_single: int
) -> list[Probe]:
    """Return blocks that cover the document, then the tokens before it in every window, then single tokens.

    Single tokens are taken at the ends of windows first, then hubs, then at random.

    Args:
        subject: What is verified.
        windows: Windows of the document.
        num_tokens: Tokens of the document.
        num_blocks: Number of blocks.
        num_single: Number of single tokens.
    """
    bounds = np.unique(np.linspace(0, num_tokens, num_blocks + 1).round().astype(int))
    blocks = [Probe(f"tokens {a} to {b - 1}", np.arange(a, b), is_block=True) for a, b in pairwise(bounds)]
    front = [Probe("the tokens before the document", np.zeros(0, np.int64))] if subject.example.before else []
    spread = np.random.default_rng(subject.seed).permutation(num_tokens)
    wanted = chain(_edges(windows), _hubs(subject, windows[0]), spread)
    known = {int(t) for window in windows for t in window.token_index if t != ADDED}
    single = [token for token in dict.fromkeys(int(t) for t in wanted) if token in known][:num_single]
    return [*blocks, *front, *(Probe(f"token {token}", np.array([token])) for token in sorted(single))]


def _edges(windows: Sequence[Window]) -> IntArray:
    """Return the first and last document tokens of the first two windows and the last one."""
    own = [window.token_index[window.token_index != ADDED] for window in (*windows[:2], windows[-1])]
    return np.concatenate([np.concatenate([tokens[:EDGE_TOKENS], tokens[-EDGE_TOKENS:]]) for tokens in own])


def _hubs(subject: Subject, window: Window) -> list[int]:
    """Return the document tokens of a window that are hubs."""
    near = hubs(subject, len(window))
    return [int(window.token_index[place]) for place in near if window.token_index[place] != ADDED]


def places(subject: Subject, length: int, count: int) -> list[int]:
    """Return indices of states of a window to change: its ends, its hubs, and evenly spread ones."""
    ends = (0, length - 1, 1, length - 2)
    between = np.linspace(0, length - 1, count).round().astype(int).tolist()
    wanted = [place for place in (*ends, *hubs(subject, length), *between) if 0 <= place < length]
    return sorted(list(dict.fromkeys(wanted))[:count])


def hubs(subject: Subject, length: int) -> list[int]:
    """Return indices of a window that far more tokens attend to than usual, with their neighbours."""
    key = torch.arange(length)
    seen = torch.zeros(length, dtype=torch.long)
    for start in range(0, length, 1024):
        query = torch.arange(start, min(start + 1024, length))[:, None]
        seen += subject.strategy.attention.allowed(query, key[None], length).sum(0)
    order = seen.argsort(descending=True, stable=True).tolist()
    most = [place for place in order if seen[place] > 1.5 * seen.median()][:NUM_HUBS]
    return [place + step for place in most for step in (0, -1, 1) if 0 <= place + step < length]
