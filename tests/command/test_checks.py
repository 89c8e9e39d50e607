"""Groups of which several options may be chosen: the members of task=multi."""

import pytest

from ctxlab.command.compose import compose
from ctxlab.core.errors import UserError


def test_members_are_chosen_together_with_their_weights():
    task = compose("train", ["task=multi", "task/members=[ner,classification]", "task.weights.ner=2"]).task
    assert list(task.members) == ["ner", "classification"]
    assert dict(task.weights) == {"ner": 2, "classification": 1.0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task/members=[ner,ner]"], "names ner twice: name each member once"),
        (["task/members=[ner,nr]"], "there is no task/members 'nr'; did you mean 'ner'"),
        (["task/members=[ner,qa]"], "there is no task/members 'qa'; choices: classification, ner"),
        (["task.weights.ner=2"], "There is no key task.weights.ner; keys of task.weights: sentiment, topic"),
        (["task/members=[ner]", "task.members.ner.lables=[A]"], "task.members.ner.labels"),
    ],
)
def test_wrong_members_are_refused(words, message):
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        compose("train", ["task=multi", *words])
