"""Samplers: no point of a finite space twice, whoever asks, and none that cannot search the space."""

from itertools import product

import pytest

from ctxlab.core.errors import UserError
from ctxlab.sweeping import samplers
from ctxlab.sweeping.samplers import Proposer
from ctxlab.sweeping.space import read_space
from ctxlab.sweeping.study import Place, SharedStudy

TWELVE, _ = read_space({"a": {"choice": ["x", "y", "z"]}, "b": {"int": [1, 4]}})

NUMBERS, _ = read_space({"lr": {"log": [1e-5, 1e-3]}, "n": {"int": [1, 8]}})


def opened(folder, name, space, seed=1, directions=("maximize",)):
    study = SharedStudy(Place("sqlite://", "s", folder, True), space, Proposer(name, space, seed))
    study.open({}, directions)
    return study


def points(study, number, score=lambda point: 0.0):
    """Return what a study proposes so many times."""
    found = []
    for _ in range(number):
        claimed = study.claim(number, ask=True)
        found.append(tuple(claimed.point.values()))
        study.finish(claimed, [score(claimed.point)])
    assert study.claim(number, ask=True) is None
    return found


@pytest.mark.by_default(2)
@pytest.mark.parametrize("name", ["grid", "random", "tpe", "nsgaii", "gp"])
def test_twelve_trials_on_twelve_points_are_all_of_them(name, tmp_path):
    """Optuna's TPE tries 6 of them, and its random sampler 7."""
    found = points(opened(tmp_path, name, TWELVE), 12)
    assert sorted(found) == sorted(product("xyz", range(1, 5)))
    if name == "grid":
        assert found == list(product("xyz", range(1, 5)))


def test_a_draw_depends_on_the_seed_and_the_number_alone(tmp_path):
    """Two processes with one seed would repeat each other, were the number of the trial not part of it."""
    first = points(opened(tmp_path, "random", NUMBERS), 4)
    assert len(set(first)) == 4
    assert points(opened(tmp_path, "random", NUMBERS), 4) == first
    assert points(opened(tmp_path, "random", NUMBERS, seed=2), 4) != first


def test_what_is_being_tried_is_not_proposed_again(tmp_path):
    study = opened(tmp_path, "tpe", TWELVE)
    running = [study.claim(12, ask=True) for _ in range(12)]
    assert len({tuple(one.point.values()) for one in running}) == 12


def test_cmaes_comes_near_the_best_and_keeps_no_pickle(tmp_path):
    """A bowl in the logarithm of the rate and in n; its bottom is known."""
    pytest.importorskip("cmaes")
    from math import log10

    study = opened(tmp_path, "cmaes", NUMBERS, directions=("minimize",))
    found = points(study, 36, lambda point: (log10(point["lr"]) + 4) ** 2 + (point["n"] - 6) ** 2 / 16)
    assert abs(log10(found[-1][0]) + 4) < 0.4
    assert abs(found[-1][1] - 6) <= 1
    assert all(not trial.system_attrs for trial in study.trials())


@pytest.mark.parametrize(
    ("name", "space", "num_objectives", "says"),
    [
        ("grid", NUMBERS, 1, "lr has no end of them"),
        ("cmaes", TWELVE, 1, "a is a choice"),
        ("cmaes", read_space({"n": {"int": [1, 9]}})[0], 1, "the space has one key"),
        ("cmaes", NUMBERS, 2, "has one objective"),
    ],
)
def test_a_sampler_that_cannot_search_the_space_is_refused(name, space, num_objectives, says):
    with pytest.raises(UserError, match=says):
        samplers.check(name, space, num_objectives)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(samplers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'ctxlab\[cmaes\]'"):
        samplers.check("cmaes", NUMBERS, 1)
