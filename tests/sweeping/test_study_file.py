"""``study.json``: written and read again it is the same, and what is no such file is refused."""

import json

import pytest

from ctxlab.core.errors import UserError
from ctxlab.sweeping import study_file
from ctxlab.sweeping.study_file import Smallest, StudyRecord, TrialRecord

RECORD = StudyRecord(
    task="ner", model="tiny", name="ner", storage="sqlite:///x.db", command=["ctxlab", "sweep"],
    space={"lr": {"log": [1e-5, 1e-3]}}, sampler="tpe", objectives={"f1": "maximize"}, selection_split="validation",
    reported_split=None, num_trials=2,
    trials=[
        TrialRecord(number=0, state="finished", parameters={"lr": 1e-4}, values=[0.5],
                    metrics={"validation": {"f1": 0.5}}, run="trials/0000", seconds=2.5, reason=None),
        TrialRecord(number=1, state="failed", parameters={}, values=[], metrics={},
                    run=None, seconds=None, reason="no"),
    ],
    best=[0], importance={}, importance_note="not known", experiment="conf/experiment/best.yaml", notes=["a note"],
    smallest=Smallest(key="lr", best=1e-4, smallest=None, margin=0.01, rows=[{"value": 1e-4}], sentence="not known"),
    conclusion="done",
)  # fmt: skip


def test_what_is_written_is_read_again(tmp_path):
    study_file.write(tmp_path, RECORD)
    assert study_file.read(tmp_path) == RECORD
    assert study_file.read(tmp_path / "study.json").trial(1).reason == "no"


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"version": 99}), json.dumps({"version": 1, "task": 3})])
def test_what_is_no_study_is_refused_with_its_name(text, tmp_path):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(UserError, match=r"study\.json"):
        study_file.read(tmp_path)
