"""Which trainings a comparison consists of, and in which order they run."""

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
    """From 1; None where a single learning rate is tried."""

    @property
    def name(self) -> str:
        """Folder of its run directory."""
        trial = "" if self.trial is None else f"-trial-{self.trial}"
        return f"{self.candidate}-seed-{self.seed}{trial}"


def cells(candidates: Sequence[str], seeds: Sequence[int], num_trials: int = 1) -> list[Cell]:
    """Every training in its order: seed after seed, candidates and trials shuffled within each.

    So a machine that grows slower or faster over the hours favours no candidate, and a comparison that is stopped early
    has whole seeds.
    """
    trials: Sequence[int | None] = [None] if num_trials == 1 else range(1, num_trials + 1)
    found = []
    for seed in seeds:
        own = [Cell(candidate, seed, trial) for candidate in candidates for trial in trials]
        random.Random(f"cells of seed {seed}").shuffle(own)
        found += own
    return found


def learning_rate(base: float, trial: int | None) -> float:
    """That of a trial: ``base``, a third, three times, a ninth, nine times, and so on."""
    if trial is None:
        return base
    power = trial // 2 * (-1 if trial % 2 == 0 else 1)
    return float(f"{base * SPACING**power:.4g}")


def baseline(wanted: str | None, candidates: Sequence[str]) -> str:
    """The candidate that all others are held against: the one called so, or the only one that begins or ends so.

    Args:
        wanted: As on the command line; None for the first one.
        candidates: Keys, such as ``chunk-512``.

    Raises:
        UserError: None is called so, or several are.
    """
    if wanted is None or wanted in candidates:
        return wanted or candidates[0]
    found = [key for key in candidates if key.startswith(f"{wanted}-") or key.endswith(f"-{wanted}")]
    if len(found) == 1:
        return found[0]
    some = f"fits {len(found)} candidates" if found else "is no candidate"
    raise UserError(f"baseline={wanted} {some}: give one of {', '.join(found or candidates)}.")
