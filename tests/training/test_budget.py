"""Budgets compose."""

from types import SimpleNamespace

from ctxlab.training.budget import Budget
from ctxlab.training.state import TrainState


def test_the_first_limit_to_be_reached_counts():
    state = TrainState(step=10, epochs=1.5, seconds=30.0, tokens=1000, flops=2e12)
    assert Budget(max_steps=100).progress(state) == 0.1
    assert Budget(max_epochs=3).progress(state) == 0.5
    assert Budget(max_seconds=40).progress(state) == 0.75
    assert Budget(max_tokens=4000).progress(state) == 0.25
    assert Budget(max_flops=1e13).progress(state) == 0.2
    composed = Budget(max_steps=100, max_epochs=3, max_seconds=40, max_tokens=4000, max_flops=1e13)
    assert composed.progress(state) == 0.75
    assert composed.nearest(state) == "trainer.max_seconds=40"
    assert Budget(max_steps=5).progress(state) == 1.0
    assert Budget().progress(state) == 0.0


def test_three_thirds_of_a_pass_are_a_whole_pass():
    """0.1 + 0.2 is not 0.3 in floating point: rounding must not cost a further step."""
    state = TrainState()
    for _ in range(10):
        state.count_step(10)
        state.begin_pass(16)
    assert state.epochs != 1.0
    assert Budget(max_epochs=1).progress(state) == 1.0


LIMITS = ("max_steps", "max_epochs", "max_seconds", "max_tokens", "max_flops")


def test_without_any_limit_a_run_has_three_epochs():
    limits = dict.fromkeys(LIMITS)
    assert Budget.of(SimpleNamespace(**limits)) == Budget(max_epochs=3)
    for name in LIMITS:
        assert Budget.of(SimpleNamespace(**{**limits, name: 9})) == Budget(**{name: 9})
