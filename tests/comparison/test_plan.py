"""Cells and their order, learning rates of trials, names of the baseline."""

import pytest

from ctxlab.comparison.plan import Cell, baseline, cells, learning_rate
from ctxlab.core.errors import UserError

CANDIDATES = ["chunk-512", "chunk-4096", "longformer-4096"]


def test_every_candidate_has_every_seed_once_and_seeds_come_one_after_the_other():
    found = cells(CANDIDATES, [4, 5], num_trials=2)
    assert sorted(found, key=str) == sorted(
        (Cell(candidate, seed, trial) for candidate in CANDIDATES for seed in (4, 5) for trial in (1, 2)), key=str
    )
    assert [cell.seed for cell in found] == [4] * 6 + [5] * 6


def test_the_order_within_a_seed_is_shuffled_differently_and_the_same_in_every_process():
    found = cells([f"c{number}" for number in range(8)], [1, 2])
    first, second = ([cell.candidate for cell in found if cell.seed == seed] for seed in (1, 2))
    assert first != sorted(first)
    assert first != second
    assert found == cells([f"c{number}" for number in range(8)], [1, 2])


def test_names_of_folders_tell_cells_apart():
    assert Cell("chunk-512", 3).name == "chunk-512-seed-3"
    assert Cell("chunk-512", 3, 2).name == "chunk-512-seed-3-trial-2"


def test_learning_rates_lie_around_the_one_given():
    assert [learning_rate(3e-4, trial) for trial in (1, 2, 3, 4, 5)] == [3e-4, 1e-4, 9e-4, 3.333e-5, 2.7e-3]
    assert learning_rate(3e-4, None) == 3e-4


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(None, "chunk-512"), ("chunk-4096", "chunk-4096"), ("longformer", "longformer-4096"), ("512", "chunk-512")],
)
def test_a_baseline_is_named_by_its_key_or_by_what_only_it_has(wanted, found):
    assert baseline(wanted, CANDIDATES) == found


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("chunk", r"baseline=chunk fits 2 candidates: give one of chunk-512, chunk-4096\."),
        ("dense", r"baseline=dense is no candidate: give one of chunk-512, chunk-4096, longformer-4096\."),
    ],
)
def test_what_names_no_candidate_or_several_is_refused(wanted, says):
    with pytest.raises(UserError, match=says):
        baseline(wanted, CANDIDATES)


def test_a_baseline_may_be_named_by_the_option_that_it_differs_in():
    assert (
        baseline("plain", ["chunk-512-experiment=lora", "chunk-512-experiment=plain"]) == "chunk-512-experiment=plain"
    )
