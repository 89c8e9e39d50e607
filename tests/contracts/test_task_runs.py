"""Every task with every kind of model and every strategy: one step, scores, answers, and the same ones after reloading.
Tasks and strategies are found by listing ``conf/task`` and ``conf/strategy``. Combinations that cannot work are refused
in one sentence that names one that can.
"""

import json
import re

import pytest

from ctxlab.cli import main
from ctxlab.config import catalogue
from ctxlab.core.errors import UserError
from ctxlab.core.result import read
from ctxlab.evaluation import scores
from ctxlab.workbench.fit import check_kind
from tests.contracts.task_runs import (
    MODELS,
    assert_alike,
    command,
    evaluated,
    form,
    lines,
    records,
    supports,
    without_gold,
    write,
)  # fmt: skip
from tests.pictures import composed

TASKS, STRATEGIES = catalogue.options("task"), catalogue.options("strategy")
KINDS = [(task, kind) for task in TASKS for kind in MODELS]
SUPPORTED = [pair for pair in KINDS if supports(*pair)]
BY_HEAD = {(task, form(task, kind).head): (task, kind) for task, kind in reversed(SUPPORTED)}
PLAIN = [(*pair, "chunk") for pair in BY_HEAD.values()]
"""By default one kind of model for each head of a task; the others go through the same code."""

OTHERS = [(*pair, strategy) for pair in SUPPORTED for strategy in STRATEGIES if (*pair, strategy) not in PLAIN]
SLOW = [pytest.param(*case, True, marks=pytest.mark.slow, id="-".join(case)) for case in (*PLAIN, *OTHERS)]
CASES = [*(pytest.param(*case, False, id="-".join((*case, "predict"))) for case in PLAIN), *SLOW]
SINGLE = "trainer.tokens_per_forward=1"
"""One window at a time."""


def works(sentence):
    """Options that the message of a refusal suggests."""
    *_, advice = re.split(r"[:;] ", sentence)
    return re.findall(r"\b(?:strategy(?:/\w+|\.[\w.]+)?|model(?:\.path)?|context(?:\.length)?|task)=\S+", advice)


@pytest.mark.covering("task", "kind")
@pytest.mark.parametrize(("task", "kind", "strategy", "evaluates"), CASES)
def test_a_task_trains_scores_predicts_and_reloads(task, kind, strategy, evaluates, tmp_path, capsys):
    """What was reloaded answers the same one window at a time, and is scored the same."""
    run = tmp_path / "run"
    capsys.readouterr()
    with composed():
        status = main([*command(task, MODELS[kind], strategy), f"hydra.run.dir={run}"])
    if status:
        assert_refused(status, capsys.readouterr().err)
        assert strategy != "chunk"
        return
    found = json.loads((run / "result.json").read_text())
    assert found["metrics"].keys() == found["coverage"].keys() == found["breakdowns"].keys() == {"validation", "test"}
    for split in ("validation", "test"):
        assert found["primary_metric"] in found["metrics"][split]
        assert all(0 <= share <= 1 for share in found["coverage"][split].values())
        assert any(name.endswith("by_length") for name in found["breakdowns"][split])
        assert lines(run / "predictions" / f"{split}.jsonl")
        assert_figures_follow(run, split)
    if strategy == "chunk":
        assert found["coverage"]["test"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}
    assert (run / "test.png").is_file()
    answers = lines(run / "predictions" / "test.jsonl")
    if evaluates:
        again = evaluated(run, tmp_path / "single", SINGLE)
        assert_alike(lines(again / "predictions" / "test.jsonl"), answers)
        assert_figures_follow(again, "test")
        assert_alike(json.loads((again / "result.json").read_text())["metrics"]["test"], found["metrics"]["test"])
    asked = write(tmp_path / "asked.jsonl", [without_gold(record) for record in records(task)])
    output = tmp_path / "told.jsonl"
    words = ["predict", f"run={run}", f"input={asked}", f"output={output}", SINGLE, f"hydra.run.dir={tmp_path / 'p'}"]
    assert main(words) == 0
    assert_alike(lines(output), answers)


def assert_figures_follow(run, split):
    """All figures of the split can be computed from its scores file alone, whose units belong to records that were
    read."""
    units = scores.read(run / "scores" / f"{split}.jsonl")
    expected = read(run).metrics[split]
    found = scores.metrics(units)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-12, abs=1e-12), name
    assert len({unit.id for unit in units}) == len(units)
    predicted = {row["id"] for row in lines(run / "predictions" / f"{split}.jsonl")}
    assert predicted in ({unit.id for unit in units}, {unit.group for unit in units})


def assert_refused(status, error):
    """One sentence, after any notes on options without effect, that names an alternative."""
    assert status == 2
    assert "Traceback" not in error
    *warnings, sentence = error.strip().splitlines()
    assert all("is not used" in warning for warning in warnings), error
    assert works(sentence), sentence


@pytest.mark.parametrize(("task", "kind"), [pair for pair in KINDS if not supports(*pair)])
def test_another_kind_of_model_is_refused_with_one_that_does(task, kind):
    with pytest.raises(UserError) as refusal:
        check_kind(form(task, kind), kind)
    (named,) = [other for other, model in MODELS.items() if f"model={model}" in str(refusal.value)]
    assert supports(task, named)
