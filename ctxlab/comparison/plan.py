"""The trainings of a comparison and their order."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ctxlab.core.errors import UserError

SPACING = 3.0
"""Ratio of neighbouring learning rates that are tried."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One training: a candidate under a seed, with one of the learning rates that are tried."""

    candidate: str
    """Its key, such as ``chunk-512``."""
    seed: int
    trial: int | None = None
    """Number from 1; None if a single learning rate is tried."""

    @property
    def name(self) -> str:
        """Name of its run directory."""
        trial = "" if self.trial is None else f"-trial-{self.trial}"
        return f"{self.candidate}-seed-{self.seed}{trial}"


def cells(candidates: Sequence[str], seeds: Sequence[int], num_trials: int = 1) -> list[Cell]:
    """Return every training in order: seed after seed, with candidates and trials shuffled within each seed.

    So a machine that becomes slower or faster over time favours no candidate, and a comparison that is stopped early
    has complete seeds.
    """
    trials: Sequence[int | None] = [None] if num_trials == 1 else range(1, num_trials + 1)
    found = []
    for seed in seeds:
        own = [Cell(candidate, seed, trial) for candidate in candidates for trial in trials]
        random.Random(f"cells of seed {seed}").shuffle(own)
        found += own
    return found


def learning_rate(base: float, trial: int | None) -> float:
    """Return the learning rate of a trial: ``base``, then a third, three times, a ninth, nine times, and so on."""
    if trial is None:
        return base
    power = trial // 2 * (-1 if trial % 2 == 0 else 1)
    return float(f"{base * SPACING**power:.4g}")


def baseline(wanted: str | None, candidates: Sequence[str]) -> str:
    """Return the key of the baseline: the candidate of that name, or the only one whose key begins or ends with it.

    Args:
        wanted: Value on the command line; None for the first candidate.
        candidates: Keys, such as ``chunk-512``.

    Raises:
        UserError: No candidate matches, or several do.
    """
    if wanted is None or wanted in candidates:
        return wanted or candidates[0]
    found = [key for key in candidates if key.startswith(f"{wanted}-") or key.endswith((f"-{wanted}", f"={wanted}"))]
    if len(found) == 1:
        return found[0]
    some = f"fits {len(found)} candidates" if found else "is no candidate"
    raise UserError(f"baseline={wanted} {some}: give one of {', '.join(found or candidates)}.")
