"""Which point is tried next: a grid, random points, and Optuna's samplers, without repeats on a finite space.

Every draw is seeded by the sweep's seed and the number of the trial, so that several processes never draw the same, and
a sweep that is killed and continued draws what it would have drawn.
"""

import hashlib
import math
import random
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from ctxlab.core.errors import UserError
from ctxlab.sweeping.parameters import Choice, Parameter, Range, Stored
from ctxlab.sweeping.space import Point, Space

ATTEMPTS = 10
"""How often a sampler is asked again where it proposes a point of a finite space that was tried before."""

SHUFFLED = 100_000
"""Largest space whose points are put into a random order at once."""

POPULATION = 10
"""Size of a generation of NSGA-II; Optuna's 50 would leave a usual sweep in its first, random one."""

SIGMA = 1 / 6
"""First step size of CMA-ES, as a fraction of each range: as Optuna's."""

_OPTUNA: dict[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": lambda seed: TPESampler(seed=seed),
    "gp": lambda seed: GPSampler(seed=seed),
    "nsgaii": lambda seed: NSGAIISampler(seed=seed, population_size=POPULATION),
}


def check(name: str, space: Space, num_objectives: int) -> None:
    """Refuse a sampler that cannot search the space.

    Raises:
        UserError: Names a sampler that can.
    """
    if name == "grid" and space.size is None:
        (first, *_) = [one.name for one in space.parameters if one.size is None]
        raise UserError(
            f"sweep.sampler=grid tries every point, and {first} has no end of them: give its values with choice, a "
            "step, or use sweep.sampler=tpe."
        )
    if name != "cmaes":
        return
    choices = [one.name for one in space.parameters if isinstance(one, Choice)]
    if choices or len(space.parameters) < 2:
        why = f"{choices[0]} is a choice" if choices else "the space has one key"
        raise UserError(
            f"sweep.sampler=cmaes searches two or more ranges of numbers, and {why}: use tpe, gp or random."
        )
    if num_objectives > 1:
        raise UserError("sweep.sampler=cmaes has one objective: use nsgaii, tpe or gp for several.")
    if find_spec("cmaes") is None:
        raise UserError("sweep.sampler=cmaes needs the package cmaes: pip install 'ctxlab[cmaes]', or use tpe.")


class Proposer(BaseSampler):
    """Proposes whole points, one for each trial."""

    def __init__(self, name: str, space: Space, seed: int) -> None:
        """Wrap a sampler.

        Args:
            name: ``grid``, ``random``, ``tpe``, ``gp``, ``cmaes`` or ``nsgaii``.
            space: The space.
            seed: Seed of the sweep.
        """
        self._name, self._space, self._seed = name, space, seed
        self._order = self._ordered()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the whole space: it is the same for all trials."""
        return {one.name: distribution(one) for one in self._space.parameters}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a point; on a finite space one that no other trial has, as long as there is one."""
        if self._order is not None:
            return dict(self._space.at(self._order[trial.number % len(self._order)]))
        taken = {
            _key(self._space, other.params)
            for other in study.get_trials(deepcopy=False)
            if other.number != trial.number and set(other.params) >= set(self._space.names)
        }
        for attempt in range(ATTEMPTS):
            point = self._proposed(study, trial, attempt)
            if _key(self._space, point) not in taken:
                return dict(point)
        unused = self._unused(taken, trial.number)
        return dict(unused or _asked(_OPTUNA["random"](derived(self._seed, trial.number)), study, trial, self._space))

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the value of a parameter that ``sample_relative`` left out, which it never does.

        Args:
            study: The study of the trial.
            trial: The trial.
            param_name: Name of the parameter.
            param_distribution: Its distribution.
        """
        sampler = RandomSampler(seed=derived(self._seed, trial.number))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _ordered(self) -> Sequence[int] | None:
        """Return the order of all points where their number alone decides; else None."""
        size = self._space.size
        if self._name == "grid":
            assert size is not None
            return range(size)
        if self._name != "random" or size is None or size > SHUFFLED:
            return None
        order = list(range(size))
        random.Random(self._seed).shuffle(order)
        return order

    def _proposed(self, study: optuna.Study, trial: FrozenTrial, attempt: int) -> Point:
        seed = derived(self._seed, trial.number, attempt)
        if self._name == "cmaes":
            return _evolved(study, self._space, seed)
        return _asked(_OPTUNA[self._name](seed), study, trial, self._space)

    def _unused(self, taken: set[tuple[Stored, ...]], number: int) -> Point | None:
        """Return a random point of a finite space that no trial has; None if there is none, or no end of points."""
        size = self._space.size
        if size is None:
            return None
        start = derived(self._seed, number) % size
        for index in range(size):
            point = self._space.at((start + index) % size)
            if _key(self._space, point) not in taken:
                return point
        return None


def _asked(sampler: BaseSampler, study: optuna.Study, trial: FrozenTrial, space: Space) -> Point:
    """Return a whole point of a sampler; what it does not choose together it chooses by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))
        for one in space.parameters:
            if one.name not in found:
                found[one.name] = sampler.sample_independent(study, trial, one.name, distribution(one))
    return {name: found[name] for name in space.names}


def suggest(trial: optuna.Trial, one: Parameter) -> Stored:
    """Return the value of a parameter in a trial, and store it if it was not."""
    if isinstance(one, Choice):
        return trial.suggest_categorical(one.name, one.texts)
    assert isinstance(one, Range)
    if one.whole:
        return trial.suggest_int(one.name, int(one.low), int(one.high), log=one.log, step=int(one.step or 1))
    return trial.suggest_float(one.name, one.low, one.high, log=one.log, step=one.step)


def distribution(one: Parameter) -> BaseDistribution:
    """Return a parameter as Optuna describes it."""
    if isinstance(one, Choice):
        return CategoricalDistribution(one.texts)
    assert isinstance(one, Range)
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log, step=int(one.step or 1))
    return FloatDistribution(one.low, one.high, log=one.log, step=one.step)


def derived(seed: int, *parts: int) -> int:
    """Return a seed of 32 bits that differs for every sequence of parts."""
    digest = hashlib.sha256(repr((seed, *parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _key(space: Space, point: Point) -> tuple[Stored, ...]:
    return tuple(point[name] for name in space.names)


def _evolved(study: optuna.Study, space: Space, seed: int) -> Point:
    """Return a point of CMA-ES (Hansen 2016, arXiv:1604.00772), whose state follows from the finished trials.

    Optuna's own sampler keeps the state in the storage as a pickle, which whoever can write there could replace by
    any code.
    """
    import cmaes
    import numpy as np

    ranges = [one for one in space.parameters if isinstance(one, Range)]
    bounds = np.asarray([[0.0, 1.0]] * len(ranges))
    optimizer = cmaes.CMA(mean=bounds.mean(axis=1), sigma=SIGMA, bounds=bounds, seed=seed)
    sign = 1.0 if study.direction == optuna.study.StudyDirection.MINIMIZE else -1.0
    done = [
        trial for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if trial.value is not None
    ]
    size = optimizer.population_size
    for start in range(0, len(done) - size + 1, size):
        generation = done[start : start + size]
        tried = [np.asarray([_unit(one, trial.params[one.name]) for one in ranges]) for trial in generation]
        figures = [sign * float(trial.values[0]) for trial in generation]
        optimizer.tell(list(zip(tried, figures, strict=True)))
    return {one.name: _from_unit(one, float(place)) for one, place in zip(ranges, optimizer.ask(), strict=True)}


def _unit(one: Range, stored: Stored) -> float:
    """Return the place of a value in its range, from 0 to 1."""
    ends = [math.log(end) if one.log else end for end in (one.low, one.high)]
    value = math.log(float(stored)) if one.log else float(stored)
    return (value - ends[0]) / (ends[1] - ends[0])


def _from_unit(one: Range, place: float) -> Stored:
    ends = [math.log(end) if one.log else end for end in (one.low, one.high)]
    value = ends[0] + place * (ends[1] - ends[0])
    value = math.exp(value) if one.log else value
    step = one.step or (1 if one.whole else None)
    if step is not None:
        value = one.low + round((value - one.low) / step) * step
    value = min(max(value, one.low), one.high)
    return int(value) if one.whole else value
