"""``shots=2`` on the command line."""

import pytest

from ctxlab.command.compose import compose
from ctxlab.core.errors import UserError


@pytest.mark.by_default(1)
@pytest.mark.parametrize("task", ["qa", "classification", "nli"])
def test_shots_are_those_of_the_task(task):
    assert compose("eval", ["shots=3", f"task={task}"]).task.shots == 3


def test_null_and_the_long_name():
    assert compose("eval", ["task=classification", "shots=null"]).task.shots is None
    assert compose("eval", ["task=qa", "task.shots=1"]).task.shots == 1


@pytest.mark.slow
def test_a_sweep(ctxlab):
    outcome = ctxlab("eval", "-m", "task=qa", "model=tiny_llama", "shots=0,2")
    assert [config.task.shots for config, _ in outcome.calls] == [0, 2]


@pytest.mark.parametrize("words", [["shots=2"], ["task=ner", "shots=2"], ["-m", "task=qa,lm", "shots=0"]])
def test_a_task_without_examples_is_named(words):
    with pytest.raises(UserError, match=r"^shots=\d: task=(ner|lm) takes no solved examples; task=.*task=qa.* do\.$"):
        compose("eval", words)


def test_a_task_that_is_not_there_is_named_as_ever():
    with pytest.raises(UserError, match="there is no task 'qaa'"):
        compose("eval", ["task=qaa", "shots=2"])
