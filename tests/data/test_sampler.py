import cProfile
import pstats

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.data import sampler
from ctxlab.data.sampler import plan_epoch, plan_members, split_forward
from tests.data.padding import padding_share

lengths_lists = st.lists(st.integers(1, 5000), max_size=120)
budgets = st.integers(1, 20_000)


@given(lengths=lengths_lists, budget=budgets, seed=st.integers(-3, 2**64), epoch=st.integers(0, 5))
def test_every_item_once_within_the_budget_and_again_the_same(lengths, budget, seed, epoch):
    plan = plan_epoch(lengths, budget, seed, epoch)
    assert sorted(item for step in plan for item in step) == list(range(len(lengths)))
    assert all(step for step in plan)
    assert all(len(step) == 1 or sum(lengths[i] for i in step) <= budget for step in plan)
    state = np.random.get_state()[1].copy()
    assert plan_epoch(tuple(lengths), budget, seed, epoch) == plan
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@given(lengths=lengths_lists, budget=budgets)
def test_forward_passes_hold_padding_within_the_budget(lengths, budget):
    items = list(range(0, len(lengths), 2))
    parts = split_forward(items, lengths, budget)
    assert sorted(i for part in parts for i in part) == items
    assert all(len(p) == 1 or len(p) * max(lengths[i] for i in p) <= budget for p in parts)
    longest = [lengths[i] for part in parts for i in part]
    assert longest == sorted(longest, reverse=True)


def test_seed_and_epoch_change_the_order_and_the_batches():
    lengths = np.random.default_rng(0).integers(2000, 3500, 70).tolist()
    plans = [plan_epoch(lengths, 8192, seed, epoch) for seed, epoch in [(1, 0), (1, 1), (2, 0)]]
    assert len({str(plan) for plan in plans}) == 3
    assert len({frozenset(frozenset(step) for step in plan) for plan in plans}) == 3
    # Steps do not come sorted by length.
    means = [np.mean([lengths[i] for i in step]) for step in plans[0]]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.6


def padded(lengths, budget, epoch=0):
    plan = plan_epoch(lengths, budget, 1, epoch)
    forwards = [part for step in plan for part in split_forward(step, lengths, budget)]
    return padding_share(lengths, forwards), len(forwards), len(plan)


@pytest.mark.parametrize("budget", [4096, 8192, 16384])
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_long_documents_in_one_piece(budget, epoch):
    lengths = np.random.default_rng(epoch).integers(2000, 3500, 70).tolist()
    share, _, _ = padded(lengths, budget, epoch)
    assert share < 0.05


@pytest.mark.parametrize("budget", [4096, 8192, 16384])
@pytest.mark.parametrize("window", [256, 512, 1024, 2048])
def test_full_windows_with_short_last_ones(budget, window):
    documents = np.random.default_rng(window).integers(2000, 3500, 70)
    lengths = [min(window, int(n) - start) for n in documents for start in range(0, int(n), window)]
    share, forwards, steps = padded(lengths, budget)
    assert share < 0.05
    assert forwards < 1.7 * steps  # little padding is not bought with many small passes
    plan = plan_epoch(lengths, budget, 1, 0)
    assert sum(lengths) / len(plan) > 0.9 * budget


@pytest.mark.parametrize("budget", [4096, 16384])
def test_short_documents_of_every_length(budget):
    lengths = np.exp(np.random.default_rng(0).normal(5.5, 1.2, 1600)).astype(int).clip(10, 4096).tolist()
    assert padded(lengths, budget)[0] < 0.05


def test_padding_by_hand():
    assert padding_share([4, 2, 1], [[0, 1], [2]]) == pytest.approx(1 - 7 / 9)
    assert padding_share([], []) == 0.0


def plan_item_by_item(lengths, tokens_per_step, seed, epoch, *, sort_all=False):
    """The plan as it was first written, one item after the other."""
    random = np.random.default_rng((seed % 2**63, epoch))
    sizes = np.asarray(lengths, dtype=np.int64)
    jitter = 0.0 if sort_all else sampler.JITTER
    keys = sizes * random.uniform(1 - jitter, 1 + jitter, len(sizes))
    shuffled = random.permutation(len(sizes)).tolist()
    pools = [shuffled] if sort_all else runs_of(shuffled, sizes, sampler.STEPS_PER_POOL * tokens_per_step)
    steps = [
        step
        for pool in pools
        for step in runs_of(sorted(pool, key=keys.__getitem__, reverse=True), sizes, tokens_per_step)
    ]
    return [steps[i] for i in random.permutation(len(steps))]


def runs_of(items, sizes, budget):
    runs, left = [], 0
    for item in items:
        size = int(sizes[item])
        if not runs or size > left:
            runs.append([])
            left = budget
        runs[-1].append(item)
        left -= size
    return runs


@given(
    lengths=st.lists(st.integers(0, 600), max_size=300), budget=st.integers(1, 2000), seed=st.integers(-3, 2**64),
    epoch=st.integers(0, 5), sort_all=st.booleans(),
)  # fmt: skip
def test_the_plan_is_that_of_the_definition(lengths, budget, seed, epoch, sort_all):
    expected = plan_item_by_item(lengths, budget, seed, epoch, sort_all=sort_all)
    assert plan_epoch(lengths, budget, seed, epoch, sort_all=sort_all) == expected


def test_the_plan_of_many_pools_is_that_of_the_definition():
    lengths = np.random.default_rng(3).integers(1, 512, 20_000).tolist()
    for budget in (512, 4096):  # a hundred pools, and some
        assert plan_epoch(lengths, budget, 7, 2) == plan_item_by_item(lengths, budget, 7, 2)


def test_large_corpora_stay_mixed():
    lengths = np.random.default_rng(0).integers(10, 512, 20_000).tolist()
    first = [item for step in plan_epoch(lengths, 8192, 1, 0)[:200] for item in step]
    assert 0.4 < np.mean(first) / 10_000 < 1.6


def test_the_work_grows_with_the_corpus_and_not_with_its_square():
    def calls(count):
        lengths = np.random.default_rng(0).integers(10, 512, count).tolist()
        profile = cProfile.Profile()
        profile.runcall(plan_epoch, lengths, 8192, 1, 0)
        return pstats.Stats(profile).total_calls

    assert calls(16_000) < 6 * calls(4000)


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ValueError, match="tokens_per_step=0"):
        plan_epoch([1], 0, 1, 0)


SOME = st.lists(st.tuples(st.integers(1, 900), st.integers(0, 2)), min_size=1, max_size=60)


@given(items=SOME, budget=st.integers(1, 3000), seed=st.integers(0, 2**40), epoch=st.integers(0, 3))
def test_a_step_has_items_of_one_member_and_no_pass_repeats_one(items, budget, seed, epoch):
    """Oracle: each member's steps, cut into its passes, are a partition of its items."""
    lengths, members = [size for size, _ in items], [member for _, member in items]

    def plan():
        return plan_members(lengths, members, [1.0, 2.0, 5.0], tokens_per_step=budget, seed=seed, epoch=epoch)

    assert plan() == plan()
    for number in set(members):
        own, seen = {i for i, member in enumerate(members) if member == number}, set()
        for step in (one for one in plan() if members[one[0]] == number):
            assert {members[i] for i in step} == {number}
            if seen == own:
                seen = set()
            assert not seen & set(step)
            seen |= set(step)


def test_members_are_drawn_by_their_shares():
    """Oracle: the binomial's standard error of 4,000 draws is 0.0069 at a share of 0.75."""
    plan = plan_members([10] * 4000, [0] * 3900 + [1] * 100, [1.0, 3.0], tokens_per_step=10, seed=1, epoch=0)
    assert len(plan) == 4000
    assert np.mean([step[0] >= 3900 for step in plan]) == pytest.approx(0.75, abs=0.03)


def test_a_single_member_has_the_plan_of_a_task_without_any():
    lengths = list(range(1, 90))
    assert plan_members(lengths, [0] * 89, [4.0], tokens_per_step=200, seed=3, epoch=2) == plan_epoch(
        lengths, 200, 3, 2
    )
