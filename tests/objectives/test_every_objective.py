"""What holds for every objective of ``conf/objective``: a resumed run is the same to the bit, every head that it serves
is trained, and any other one is refused in a sentence.
"""

import math

import pytest
import torch

from ctxlab.cli import main
from ctxlab.config import catalogue
from ctxlab.config.build import locate
from ctxlab.core.errors import UserError
from tests.contracts.task_runs import TINY, task_options
from tests.training.runs import SMALL, make_job, stopped_and_resumed

OBJECTIVES = catalogue.options("objective")
HEADS = {
    "one label": ("task=classification", "model=tiny_bert"),
    "positions": ("task=qa", "model=tiny_bert"),
    "marked places": ("task=probe", "task.form=marking", "model=tiny_bert"),
    "masked tokens": ("task=mlm", "model=tiny_bert"),
    "next token": ("task=lm", "model=tiny_gpt2"),
    "target of an encoder-decoder": ("task=summarization", "model=tiny_t5", *task_options("summarization")),
    "pairs of mentions": ("task=relation", "model=tiny_bert"),
}
"""Besides the labels of tokens, which the test of resuming has."""

USUAL = {("smart", "one label"), ("smart", "target of an encoder-decoder"), ("distill", "one label"),
         ("weighted", "next token"), ("distill", "pairs of mentions")}  # fmt: skip
"""What each kind of objective does with a head; the others are like one of them."""

CASES = [
    pytest.param(name, head, marks=[] if (name, head) in USUAL else pytest.mark.slow, id=f"{name}-{head}")
    for name in OBJECTIVES
    for head in HEADS
    if name != "standard"
]


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """The directory of a finished run with these options, for an objective with a teacher."""
    made = {}

    def teacher(*options):
        if options not in made:
            made[options] = tmp_path_factory.mktemp("teacher") / "run"
            assert main(["train", *options, "trainer.max_steps=1", f"hydra.run.dir={made[options]}"]) == 0
        return made[options]

    return teacher


def wants_teacher(name):
    return "run" in catalogue.read(catalogue.option_file("objective", name))


def of_groups(name):
    """Options of an objective that compares groups: each document is one."""
    return ["objective.field=id"] if "field" in catalogue.read(catalogue.option_file("objective", name)) else []


@pytest.mark.by_default("fgm")
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_resumed_run_is_the_same(name, teachers, tmp_path):
    options = (
        f"objective={name}",
        *of_groups(name),
        "model.dropout=0.2",
        "trainer.max_steps=3",
        "trainer.activation_checkpointing=true",
    )
    if wants_teacher(name):
        options += (f"objective.run={teachers(*SMALL, 'context=128', 'data.validation_documents=0')}",)
    whole = make_job(tmp_path / "whole", *options)
    whole.run()
    _, second = stopped_and_resumed(tmp_path / "cut", *options, stop_after=1)
    expected, found = whole.weights(), second.weights()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert whole.state.flops == second.state.flops
    assert whole.state.tokens == second.state.tokens


@pytest.mark.parametrize(("name", "head"), CASES)
def test_every_head_is_trained_or_refused(name, head, teachers, tmp_path):
    options = [*TINY, *HEADS[head], "strategy=chunk", "context=64", "model.dropout=0.2"]
    plain = make_job(tmp_path / "plain", *options)
    serves = locate(catalogue.read(catalogue.option_file("objective", name))["_target_"]).serves
    if serves is not None and plain.bench.task.predicts not in serves:
        named = ["objective.run=anything"] if wants_teacher(name) else of_groups(name)
        with pytest.raises(UserError, match=f"objective={name} works on predictions of .* does not make"):
            make_job(tmp_path / "run", *options, f"objective={name}", *named)
        return
    named = [f"objective.run={teachers(*options)}"] if wants_teacher(name) else of_groups(name)
    assert norm(make_job(tmp_path / "run", *options, f"objective={name}", *named)) != norm(plain)


def norm(job):
    """The norm of the gradient of a step."""
    state = job.run()
    assert state.step == 1
    assert math.isfinite(state.gradient_norm)
    assert state.gradient_norm > 0
    return state.gradient_norm
