"""Objectives: directions of the task and of costs, and figures that a result has or has not."""

from types import SimpleNamespace

import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.result import parse
from ctxlab.sweeping.objectives import read_objectives

TASK = SimpleNamespace(primary_metric="perplexity", lower_is_better=True)

RESULT = parse(
    {"stage": "train", "task": "lm", "model": "m", "strategy": "chunk", "context_length": 64, "seed": 1,
     "checkpoint": "c", "primary_metric": "perplexity", "metrics": {"validation": {"perplexity": 9.5, "exact": 0.5}},
     "coverage": {}, "cost": {"train_seconds": 2.5}},
    "here",
)  # fmt: skip


def test_directions_are_those_of_the_task_of_costs_and_given():
    given = ["primary", "train_seconds", "tokens_per_second", {"exact": "maximize"}]
    found = read_objectives(given, TASK)
    assert [(one.name, one.direction) for one in found] == [
        ("perplexity", "minimize"), ("train_seconds", "minimize"), ("tokens_per_second", "maximize"),
        ("exact", "maximize"),
    ]  # fmt: skip
    assert [one.of(RESULT) for one in (found[0], found[1], found[3])] == [9.5, 2.5, 0.5]
    assert str(found[2].of(RESULT)) == "nan"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["exact"], r"write {exact: maximize} or {exact: minimize}"),
        ([], "leaves nothing to optimise"),
        (["primary", "perplexity"], "perplexity twice"),
        ([{"exact": "up"}], "exact is up; give minimize or maximize"),
    ],
)
def test_what_is_no_objective_is_refused(given, says):
    with pytest.raises(UserError) as refused:
        read_objectives(given, TASK)
    assert says.replace("\\", "") in str(refused.value)


def test_a_figure_that_a_trial_does_not_report_is_named_with_the_nearest():
    (one,) = read_objectives([{"exakt": "maximize"}], TASK)
    with pytest.raises(UserError, match="did you mean 'exact'"):
        one.of(RESULT)
