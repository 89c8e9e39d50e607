"""Parts of another run: what of its directory cannot be read is named with the file."""

import pytest

from ctxlab.command.compose import compose
from ctxlab.core.errors import UserError
from ctxlab.workbench.other_run import parts_of
from ctxlab.workbench.parts import make_parts


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "other is not the directory of a run"),
        ("stage: plan\n", "other is no training run"),
        ("[", "config.yaml is missing or damaged"),
        ("stage: train\ntask: 3\n", "config.yaml: 3 is not a component"),
        ("stage: train\ntask: {_target_: ctxlab.tasks.ner.Nre}\n", "config.yaml: task: _target_ ctxlab.tasks.ner.Nre"),
        ("stage: train\n", "config.yaml is damaged"),
    ],
)
def test_each_way_of_being_no_run_is_said(text, says, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    if text is not None:
        (folder / "config.yaml").write_text(text)
    parts = make_parts(compose("train", ["model=tiny_bert", "tracking=none"]), tmp_path)
    with pytest.raises(UserError) as caught:
        parts_of("objective.run", str(folder), parts)
    assert str(caught.value).startswith("objective.run=")
    assert says in str(caught.value)
