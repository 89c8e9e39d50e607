"""Budgets of a comparison: one, shared by trials, and enough for a step."""

from dataclasses import replace

import pytest

from ctxlab.config.keys.comparing import BudgetConfig
from ctxlab.core.errors import UserError
from ctxlab.workbench.candidates import Candidate
from ctxlab.workbench.comparing.budget import START_SECONDS, Budget
from ctxlab.workbench.comparing.candidate_checks import CheckedCandidate, Work
from ctxlab.workbench.comparing.limit import within_limit

WORK = Work(step_tokens=1000, step_flops=1e9, step_seconds=3.0, peak_bytes=1000)


def given(**budget: float) -> BudgetConfig:
    return BudgetConfig(**{"seconds": None, "tokens": None, "flops": None, "steps": None, **budget})


def checked(work: Work) -> CheckedCandidate:
    return CheckedCandidate(Candidate("chunk-64", "chunk at 64", [], None), work=work)


@pytest.mark.parametrize(
    ("budget", "trials", "word"),
    [
        ({"seconds": 120.0}, 1, "trainer.max_seconds=120.0"),
        ({"seconds": 120.0}, 3, "trainer.max_seconds=40.0"),
        ({"steps": 100}, 3, "trainer.max_steps=33"),
        ({"tokens": 5000}, 1, "trainer.max_tokens=5000"),
        ({"flops": 1e15}, 2, "trainer.max_flops=500000000000000.0"),
    ],
)
def test_a_cell_gets_the_share_of_its_trial(budget, trials, word):
    assert Budget.of(given(**budget), trials).word == word


def test_a_budget_is_needed_and_one_only():
    with pytest.raises(UserError, match=r"add budget\.seconds=120"):
        Budget.of(given(), 1)
    with pytest.raises(UserError, match=r"budget\.seconds=1 and budget\.steps=2 cannot both"):
        Budget.of(given(seconds=1, steps=2), 1)
    with pytest.raises(UserError, match=r"budget\.steps=2 cannot be shared by trials=3: give at least 3"):
        Budget.of(given(steps=2), 3)


def test_a_budget_that_pays_for_no_step_is_refused_with_one_that_does():
    Budget.of(given(tokens=1000), 1).check([checked(WORK)])
    with pytest.raises(
        UserError, match=r"budget\.tokens=999 is too small for one step .* give budget\.tokens=100000 for"
    ):
        Budget.of(given(tokens=999), 1).check([checked(WORK)])
    with pytest.raises(UserError, match=r"a step of chunk at 64, the cheapest, takes about 1e\+09"):
        Budget.of(given(flops=1e8), 1).check([checked(WORK)])
    Budget.of(given(seconds=0.31), 1).check([checked(WORK)])  # a step takes 3 seconds, as far as can be told
    with pytest.raises(UserError, match=r"budget\.seconds=0\.29 is too small for one step"):
        Budget.of(given(seconds=0.29), 1).check([checked(WORK)])


def test_seconds_of_a_cell_are_its_start_three_passes_a_step_and_the_scoring():
    """10 steps of 1,000 tokens at 3 ms each, and 2,000 tokens scored at 1 ms."""
    assert Budget.of(given(steps=10), 1).seconds(WORK, 2000) == pytest.approx(START_SECONDS + 30 + 2)
    assert Budget.of(given(tokens=10_000), 1).seconds(WORK, 2000) == pytest.approx(START_SECONDS + 30 + 2)
    assert Budget.of(given(seconds=60), 2).seconds(WORK, 2000) == pytest.approx(START_SECONDS + 30 + 2)


def test_a_limit_refuses_what_certainly_exceeds_it_and_is_refused_if_that_is_all():
    larger = replace(WORK, peak_bytes=3000)
    found = within_limit("1kB", 1000, [checked(WORK), checked(larger)])
    assert [one.refused[:18] for one in found] == ["", "it needs about 0 M"]
    assert [one.runs for one in found] == [True, False]
    assert within_limit(None, None, found) == found
    assert not within_limit("900B", 900, [checked(WORK)])[0].refused  # predictions may be a tenth too high
    with pytest.raises(UserError, match=r"limit\.memory=899 can be met by no candidate: the smallest needs about"):
        within_limit("899", 899, [checked(WORK), checked(larger)])
