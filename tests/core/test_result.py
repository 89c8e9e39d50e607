"""``result.json`` is written and read back, in every version, and refused in one sentence where it is damaged."""

import json
from dataclasses import replace

import pytest

from ctxlab.core import invocation
from ctxlab.core.errors import UserError
from ctxlab.core.result import FILE, VERSION, Cost, Result, Verification, as_dict, parse, read, read_outcome, write
from ctxlab.core.types import Coverage

RESULT = Result(
    stage="train",
    task="ner",
    model="minilm",
    strategy="chunk",
    context_length=512,
    seed=1,
    cost=Cost(train_tokens=1000, train_seconds=2.5, flops=1e15),
    command=("ctxlab", "train", "task=ner"),
    resumed_from="step-00000001",
    git_sha="abc",
    versions={"torch": "2"},
    notes=("A note.",),
    metrics={"validation": {"f1": 0.5, "precision": 0.25}, "test": {"f1": 0.75}},
    primary_metric="f1",
    lower_is_better=False,
    coverage={"validation": Coverage(1.0, 0.5), "test": Coverage(1.0, 1.0)},
    checkpoint="checkpoints/step-00000002",
    breakdowns={"validation": {"by_length": [{"tokens": "1–256", "f1": 0.5}]}, "test": {}},
    learned={"spans": [{"layer": 1}]},
)
VERIFICATION = Verification(
    stage="verify",
    task="ner",
    model="minilm",
    strategy="chunk",
    context_length=512,
    seed=1,
    cost=Cost(verify_seconds=3.0),
    run=None,
    passed=False,
    failed=["reach"],
    checks={"reach": {"name": "reach", "passed": False}},
)


def plain(outcome):
    """The value after a round trip through JSON."""
    return json.loads(json.dumps(as_dict(outcome)))


@pytest.mark.parametrize("outcome", [RESULT, VERIFICATION])
def test_what_is_written_comes_back(tmp_path, outcome):
    write(tmp_path, outcome)
    assert plain(read_outcome(tmp_path)) == plain(outcome)
    assert read_outcome(tmp_path / FILE) == read_outcome(tmp_path)
    assert type(read_outcome(tmp_path)) is type(outcome)


def test_the_keys_are_those_that_scripts_rely_on():
    written = plain(RESULT)
    assert written["version"] == VERSION
    assert written["cost"] == {"train_tokens": 1000, "train_seconds": 2.5, "flops": 1e15}
    assert written["coverage"]["validation"] == {"tokens": 1.0, "labels": 0.5, "characters": 1.0}
    assert {"stage", "task", "model", "strategy", "context_length", "seed", "metrics", "primary_metric", "coverage",
            "cost", "checkpoint", "git_sha", "versions", "resumed_from", "command", "notes", "breakdowns", "learned",
            "version", "lower_is_better", "language", "chances"} == set(written)  # fmt: skip


def test_a_file_without_version_is_read():
    old = plain(RESULT)
    for name in ("version", "command", "lower_is_better"):
        del old[name]
    found = parse(old | {"model": None, "resumed_from": None}, "here")
    assert (found.version, found.model, found.lower_is_better, found.resumed_from) == (0, "pretrained", None, None)
    assert found.metrics == RESULT.metrics
    assert list(found.command) == []
    checked = plain(VERIFICATION)
    del checked["version"], checked["command"], checked["resumed_from"]
    assert parse(checked, "here").failed == ["reach"]


def test_the_primary_metric_is_that_of_validation_else_of_what_there_is():
    assert (RESULT.primary(), RESULT.primary("test"), RESULT.primary("train")) == (0.5, 0.75, None)
    assert replace(RESULT, metrics={"test": {"f1": 0.75}}).primary() == 0.75
    assert replace(RESULT, metrics={}).primary() is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"metrics": None}, "it has no metrics"),
        ({"metrics": {"test": {"f1": "high"}}}, "f1 is 'high'"),
        ({"metrics": {"test": {"f1": True}}}, "f1 is True"),
        ({"metrics": {"test": [1]}}, "test is [1]"),
        ({"seed": "1"}, "seed is '1'"),
        ({"coverage": {"test": {"tokens": 1.0}}}, "it has no labels"),
        ({"notes": "text"}, "notes is 'text'"),
        ({"cost": {"flops": "many"}}, "flops is 'many'"),
        ({"version": VERSION + 1}, "install a newer ctxlab"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path, change, why):
    (tmp_path / FILE).write_text(json.dumps(plain(RESULT) | change))
    with pytest.raises(UserError) as refusal:
        read(tmp_path)
    assert str(tmp_path / FILE) in str(refusal.value)
    assert why in str(refusal.value)


@pytest.mark.parametrize("text", ["", '{"torn', "[]", "3", "null", "\x00"])
def test_other_json_is_refused(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match="cannot be read as the result of a run"):
        read(tmp_path)


def test_a_missing_result_or_one_without_scores_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read as the result"):
        read(tmp_path)
    write(tmp_path, VERIFICATION)
    with pytest.raises(UserError, match="ctxlab verify, which has no scores"):
        read(tmp_path)


def test_costs_that_this_version_does_not_know_are_left_out():
    assert parse(plain(RESULT) | {"cost": {"flops": 1, "dollars": 2}}, "here").cost == Cost(flops=1)


def test_the_command_line_is_known_while_the_command_runs():
    assert invocation.command() == []
    with invocation.recorded_command(["ctxlab", "train", "run=a b"]):
        with invocation.recorded_command(["ctxlab", "eval"]):
            assert invocation.command() == ["ctxlab", "eval"]
        assert invocation.command() == ["ctxlab", "train", "run=a b"]
    assert invocation.command() == []
