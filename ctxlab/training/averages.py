"""The averaged weights of a training run: computed after every step, put into the model to be evaluated and saved.

Training goes on with its own weights, which are in ``averaging.safetensors`` of a checkpoint beside what the rule has
seen, so that a resumed run is the same to the bit. ``model.safetensors`` has the averaged ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ctxlab.core.contract import option
from ctxlab.core.optim import Averaging, Tuning
from ctxlab.training.checkpoint import AVERAGES

RAW, SEEN = "raw/", "seen/"
"""Prefixes in the file: the weights that training goes on with, and what the rule has seen."""


class Averages:
    """The state of a rule that averages the weights of a model; without a rule it does nothing."""

    def __init__(self, rule: Averaging | None = None, model: Any = None, tuning: Tuning | None = None) -> None:
        """Begin without any weights seen.

        Args:
            rule: The rule; None for the weights as they are.
            model: Model in training, on its device.
            tuning: Says what must hold of a mean of its parameters.
        """
        self.rule, self.model, self.tuning = rule, model, tuning
        self.seen: dict[str, torch.Tensor] = {}
        self._is_applied = False

    @property
    def is_active(self) -> bool:
        """Return whether there is a rule that keeps any weights."""
        return self.rule is not None and self.rule.copies > 0

    @property
    def weights(self) -> dict[str, torch.nn.Parameter]:
        """Return the trainable parameters by name."""
        return {name: one for name, one in self.model.named_parameters() if one.requires_grad}

    @torch.no_grad()
    def update(self, before: float, now: float) -> None:
        """Take the weights after a step; the arguments are shares of the budget spent before and after it."""
        if self.rule is not None and self.is_active:
            self.rule.update(self.seen, self.weights, before, now)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the averaged weights into the model until the end of the block; nested blocks do nothing."""
        mean = {} if self.rule is None or self._is_applied else self.rule.mean(self.seen)
        if not mean:
            yield
            return
        raw = self.raw()
        self._put(mean)
        self._is_applied = True
        try:
            yield
        finally:
            self._is_applied = False
            with torch.no_grad():
                for name, parameter in self.weights.items():
                    parameter.copy_(raw[name])

    def notes(self) -> list[str]:
        """Return a note for the report if training ended without an average, though there is a rule."""
        if self.rule is None or not self.is_active or self.rule.mean(self.seen):
            return []
        return [
            f"averaging={option(self.rule)} never began, as training ended before its share of the budget: the weights "
            "are those after the last step."
        ]

    def keep(self) -> None:
        """Put the averaged weights into the model for good: training has ended."""
        mean = {} if self.rule is None else self.rule.mean(self.seen)
        if mean:
            self._put(mean)

    @torch.no_grad()
    def _put(self, mean: Any) -> None:
        for name, parameter in self.weights.items():
            parameter.copy_(mean[name])
        if self.tuning is not None:
            self.tuning.constrain(self.model)

    def raw(self) -> dict[str, torch.Tensor]:
        """Return copies of the weights that are in the model now."""
        return {name: one.detach().clone() for name, one in self.weights.items()}

    def save(self, folder: Path) -> None:
        """Write the weights in the model and what the rule has seen to ``folder``, if it has seen any."""
        if not self.seen:
            return
        raw = {f"{RAW}{name}": one.detach().contiguous() for name, one in self.weights.items()}
        save_file(raw | {f"{SEEN}{name}": one.contiguous() for name, one in self.seen.items()}, folder / AVERAGES)

    @torch.no_grad()
    def load(self, folder: Path) -> None:
        """Restore what ``save`` wrote to ``folder``, if it wrote anything."""
        path = folder / AVERAGES
        if not self.is_active or not path.is_file():
            return
        saved = load_file(path)
        weights = self.weights
        for name, parameter in weights.items():
            parameter.copy_(saved[f"{RAW}{name}"])
        for name in (name for name in saved if name.startswith(SEEN)):
            key = name.removeprefix(SEEN)
            owner = weights.get(key.partition("/")[2])
            self.seen[key] = saved[name] if owner is None else saved[name].to(owner.device)
