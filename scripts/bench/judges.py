"""Documents of eight sentences of which one decides, and Shapley values by their definition."""

import itertools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ctxlab.core.explanation import SENTENCE, TOKEN, WORD, Subject, Target
from ctxlab.explanation.shapley import Shapley

SENTENCES = 8
SIDES = {"wet": "rain", "dry": "sun"}
"""Label → word of the sentence that decides."""

PEOPLE = ("She", "He", "We", "They")
DEEDS = ("sold", "had", "found", "lost")
THINGS = ("tea", "rope", "wool", "salt", "ink", "tin", "oil", "hats")
SIZES = {"train": 600, "validation": 40, "test": 60}


def write_judgements(folder: Path) -> None:
    """Write documents whose label a sentence decides (``judged``), and the same with drawn labels (``drawn``)."""
    for seed, (split, count) in enumerate(SIZES.items()):
        draw = np.random.default_rng(seed)
        records = [_record(draw, f"{split}-{index}") for index in range(count)]
        for name in ("judged", "drawn"):
            if name == "drawn":
                records = [{**one, "label": str(draw.choice(list(SIDES)))} for one in records]
            text = "".join(json.dumps(one) + "\n" for one in records)
            (folder / f"{name}-{split}.jsonl").write_text(text)


def _record(draw: np.random.Generator, name: str) -> dict[str, Any]:
    label = str(draw.choice(list(SIDES)))
    said = f"{draw.choice(PEOPLE)} had {SIDES[label]} there just then."
    place = int(draw.integers(SENTENCES))
    others = [
        f"{draw.choice(PEOPLE)} {draw.choice(DEEDS)} {draw.choice(THINGS)} there just then."
        for _ in range(SENTENCES - 1)
    ]
    text = " ".join([*others[:place], said, *others[place:]])
    start = text.index(said)
    probe = {"start": start, "end": start + len(said), "distance": len(text[:start].split())}
    return {"id": name, "text": text, "label": label, "probes": [probe]}


class Game(Subject):
    """A document of sentences whose score is a function of which of them are there."""

    def __init__(self, worth: Callable[[frozenset[int]], float], count: int) -> None:
        self.worth, self.num_tokens = worth, count
        each = [np.array([i]) for i in range(count)]
        self.units = {TOKEN: each, WORD: each, SENTENCE: each}

    def scores(self, target: Target, hidden: Sequence[Any]) -> Any:
        """Return the worth of each variant."""
        del target
        whole = range(self.num_tokens)
        return np.array([self.worth(frozenset(whole) - frozenset(own.tolist())) for own in hidden])

    def path(self, target: Target, shares: Any, baseline: str) -> Any:
        """Have no gradients."""
        raise NotImplementedError

    def attended(self, target: Target, longest: int) -> Any:
        """Have no attention."""
        raise NotImplementedError


def enumeration_error(games: int = 10, count: int = 7) -> float:
    """Return the largest difference of Shapley values of random games from the mean over all orders of the players."""
    worst = 0.0
    for seed in range(games):
        table = np.random.default_rng(seed).normal(size=1 << count)

        def worth(there: frozenset[int], table: Any = table) -> float:
            return float(table[sum(1 << player for player in there)])

        target = Target("all", np.zeros(0, np.int64), lambda rows: rows.sum())
        values = Shapley(exact=10, permutations=2, most=60, seed=0).attribute(Game(worth, count), target).values
        by_orders = np.zeros(count)
        for order in itertools.permutations(range(count)):
            for place, player in enumerate(order):
                by_orders[player] += worth(frozenset(order[: place + 1])) - worth(frozenset(order[:place]))
        worst = max(worst, float(np.abs(values - by_orders / math.factorial(count)).max()))
    return worst
