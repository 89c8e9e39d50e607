"""Every task and every preset: a run that lost all after its first checkpoint goes on to the same weights, to the bit.

A file in ``conf/task`` or ``conf/strategy`` is tested by existing. The runs read their documents twice, as some tasks
draw anew in every epoch what is masked or which candidates are read.
"""

import shutil

import pytest
import torch

from ctxlab.config import catalogue
from ctxlab.core.errors import UserError
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.training import checkpoint
from tests.contracts.task_runs import CONTEXT, MODELS, TINY, form, strategy_options, supports, task_options
from tests.training.runs import make_job

STEPS = 4
OPTIONS = (f"context={CONTEXT}", *TINY, "trainer.tokens_per_step=1024", f"trainer.max_steps={STEPS}",
           "trainer.save_every_steps=1", "trainer.keep_checkpoints=9", "optimizer.lr=3e-3")  # fmt: skip

TASKS = [(task, kind) for task in catalogue.options("task") for kind in MODELS if supports(task, kind)]
FORMS = {(task, form(task, kind).head): (task, kind) for task, kind in reversed(TASKS)}.values()
PRESETS = catalogue.options("strategy")
USUAL = {"rmt", "transformer_xl", "hierarchical", "adaptive_span", "progressive"}
"""Presets with modules of their own, a memory, or a context that grows."""


def slow(name, case):
    return pytest.param(*case, marks=pytest.mark.slow, id=name)


def draws_anew(task, kind):
    return type(form(task, kind)).resample is not BaseTask.resample


@pytest.mark.by_default(3)
@pytest.mark.parametrize(
    ("task", "kind"), [case if draws_anew(*case) else slow("-".join(case), case) for case in sorted(FORMS)]
)
def test_a_task_resumes_to_the_same_weights(task, kind, tmp_path):
    """By default those tasks that draw; the others go through the same code."""
    assert_resumes(tmp_path, f"task={task}", f"model={MODELS[kind]}", "strategy=chunk", *task_options(task))


@pytest.mark.by_default("rmt", "adaptive_span", "progressive")
@pytest.mark.parametrize("preset", [name if name in USUAL else slow(name, [name]) for name in PRESETS])
def test_a_preset_resumes_to_the_same_weights(preset, tmp_path):
    """On the first kind of model that it fits; a context that grows does so past the trained length."""
    options = [f"strategy={preset}", *strategy_options(preset)]
    if preset == "progressive":
        options += ["strategy/positions=yarn", "model.trained_length=32"]
    refusals = []
    for kind, model in MODELS.items():
        for task in {"decoder": ["lm"], "encoder_decoder": ["ner", "summarization"]}.get(kind, ["ner"]):
            try:
                return assert_resumes(tmp_path / f"{kind}-{task}", f"task={task}", f"model={model}", *options)
            except UserError as refusal:
                refusals.append(str(refusal))
    raise AssertionError("\n".join(refusals))


def assert_resumes(folder, *options):
    whole = make_job(folder, *OPTIONS, *options)
    assert whole.run().step == STEPS
    assert whole.state.epochs > 1
    cut = folder.with_name(f"{folder.name}-cut")
    shutil.copytree(folder, cut)
    for step in range(2, STEPS + 1):
        (cut / "checkpoints" / checkpoint.step_name(step) / "manifest.json").unlink()
    resumed = make_job(cut, *OPTIONS, *options, resume=True)
    assert resumed.state.step == 1
    resumed.run()
    expected, found = whole.weights(), resumed.weights()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
