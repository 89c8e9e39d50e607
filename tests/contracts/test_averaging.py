"""Every rule of averaging: what is evaluated and exported is its mean, and training goes on as without it, to the bit.

A file in ``conf/averaging`` is tested by existing. The oracle of the mean is numpy over the raw weights of every step.
"""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ctxlab.config import catalogue
from ctxlab.core.model import ADDED_MODULES
from ctxlab.optim.averaging.none import NoAveraging
from ctxlab.optim.averaging.swa import SWA
from ctxlab.training import checkpoint
from ctxlab.training.averages import Averages
from tests.training.runs import make_job

STEPS = 5
OPTIONS = ("context=64", "data.documents=2", "data.validation_documents=1", "data.words_per_document=60",
           "model.hidden_size=16", "trainer.tokens_per_step=128",
           f"trainer.max_steps={STEPS}", "trainer.save_every_steps=1", "trainer.keep_checkpoints=9",
           "trainer.eval_every_steps=2", "optimizer.lr=3e-2", "scheduler=constant",
           "scheduler.warmup_share=0")  # fmt: skip

SHORT = {"ema": ["averaging.half_life=0.3"], "swa": ["averaging.start=0.5"],
         "last": ["averaging.points=2", "averaging.every=0.4"]}  # fmt: skip
"""Options under which the few steps of these runs differ from each other; a new rule has its defaults."""

COUNTS = {
    "none": [0, 0, 0, 0, 1],
    "ema": [0.5 ** ((1 - n / STEPS) / 0.3) for n in range(1, STEPS + 1)],
    "swa": [0, 0, 1, 1, 1],
    "last": [0, 1, 0, 1, 0],
}
"""How much the weights after each step count in the mean at the end."""

RULES = catalogue.options("averaging")
PARTS = {
    "full": [],
    "lora": ["tuning=lora"],
    "adalora": ["tuning=adalora", "tuning.initial_rank=4", "tuning.rank=2", "tuning.start=0.1", "tuning.end=0.8"],
    "head": ["tuning=head"],
    "memory": ["strategy=rmt", "data.words_per_document=120", "model.trained_length=32"],
    "spans": ["strategy=adaptive_span"],
}


def words(rule, part="full"):
    return (*OPTIONS, f"averaging={rule}", *SHORT.get(rule, ()), *PARTS[part])


def logged(folder, *options, **settings):
    """A run, and the raw weights after each of its steps."""
    job = make_job(folder, *options, **settings)
    path = []
    step = job.watching.step

    def watch(progress, state):
        path.append({name: tensor.clone() for name, tensor in job.bench.model.state_dict().items()})
        step(progress, state)

    job.watching.step = watch
    job.run()
    return job, path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The raw weights of a run without averaging, by part."""
    found = {}

    def of(part):
        if part not in found:
            found[part] = logged(tmp_path_factory.mktemp(part) / "run", *words("none", part))
        return found[part]

    return of


def same(one, other):
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def cases(pairs, usual):
    return [pytest.param(*pair, marks=() if pair in usual else pytest.mark.slow) for pair in pairs]


EVERY = [(rule, part) for rule in RULES if rule != "none" for part in PARTS]
USUAL = {(rule, "full") for rule in RULES} | {("ema", part) for part in ("adalora", "memory")}


@pytest.mark.parametrize(("rule", "part"), cases(EVERY, USUAL))
def test_the_mean_is_in_the_model_and_training_goes_on_without_it(rule, part, plain, tmp_path):
    whole, path = plain(part)
    job, raw = logged(tmp_path / "run", *words(rule, part))
    for one, other in zip(path, raw, strict=True):
        same(one, other)
    if rule not in COUNTS:
        return
    counts, trained = np.array(COUNTS[rule]) / sum(COUNTS[rule]), dict(job.bench.model.named_parameters())
    kept = {name for name in job.weights() if name.endswith(".kept")}
    for name, found in job.weights().items():
        if name not in trained or not trained[name].requires_grad:
            assert torch.equal(found, whole.weights()[name]), name  # frozen weights and buffers are the last ones
            continue
        expected = sum(c * step[name].double().numpy() for c, step in zip(counts, raw, strict=True))
        if f"{name.rpartition('.')[0]}.kept" in kept and name.endswith(".values"):
            expected = expected * raw[-1][f"{name.rpartition('.')[0]}.kept"].numpy()
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6, err_msg=name)
    assert any(ADDED_MODULES in name for name in trained) == (part not in ("full", "head"))
    assert any(not torch.equal(job.weights()[name], raw[-1][name]) for name in trained)


@pytest.mark.by_default("ema")
@pytest.mark.parametrize("rule", ["none", "ema", pytest.param("swa", marks=pytest.mark.slow),
                                  pytest.param("last", marks=pytest.mark.slow)])  # fmt: skip
def test_the_last_checkpoint_has_what_was_evaluated(rule, tmp_path):
    job = make_job(tmp_path / "run", *words(rule))
    scored = []
    evaluate = job.trainer.job.evaluate

    def watch():
        scored.append(job.weights())
        return evaluate()

    object.__setattr__(job.trainer.job, "evaluate", watch)
    job.run()
    folder = tmp_path / "run" / "checkpoints" / checkpoint.step_name(STEPS)
    saved = load_file(folder / "model.safetensors")
    same(saved, {name: scored[-1][name] for name in saved})
    same(scored[-1], job.weights())
    assert (folder / checkpoint.AVERAGES).is_file() == (rule != "none")


RESUMED = [("last", "full", 3), ("swa", "full", 1), ("ema", "adalora", 3)]


@pytest.mark.parametrize(
    ("rule", "part", "kept"),
    cases([*((rule, part, kept) for rule in RULES for part in PARTS for kept in (1, 3))], set(RESUMED)),
)
def test_a_run_resumes_to_the_same_bits(rule, part, kept, tmp_path):
    """After all checkpoints but the first ones are lost, before a mean has begun or after."""
    whole = make_job(tmp_path / "whole", *words(rule, part))
    whole.run()
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    for step in range(kept + 1, STEPS + 1):
        shutil.rmtree(tmp_path / "cut" / "checkpoints" / checkpoint.step_name(step))
    resumed = make_job(tmp_path / "cut", *words(rule, part), resume=True)
    assert resumed.state.step == kept
    resumed.run()
    same(whole.weights(), resumed.weights())
    name = f"checkpoints/{checkpoint.step_name(STEPS)}"
    for file in sorted(one.name for one in (tmp_path / "whole" / name).glob("*.safetensors")):
        same(load_file(tmp_path / "whole" / name / file), load_file(tmp_path / "cut" / name / file))


@pytest.mark.slow
def test_the_same_init_seed_means_the_same_head_and_another_order(tmp_path):
    """Without it a seed draws both; a pretrained body is the same anyway."""
    jobs = [
        make_job(tmp_path / name, "task=relation", *options)
        for name, options in (("a", ["seed=1"]), ("b", ["seed=2", "init_seed=1"]), ("c", ["seed=2"]))
    ]
    trained = {name for name, _ in jobs[0].bench.model.named_parameters()}
    first, other, alone = ({name: job.weights()[name] for name in trained} for job in jobs)
    same(first, other)
    own = [name for name, tensor in first.items() if not torch.equal(tensor, alone[name])]
    assert own
    assert all(ADDED_MODULES in name for name in own)
    orders = [job.trainer.job.stream.epoch(0, job.bench.length).steps for job in jobs]
    assert orders[0] != orders[1] == orders[2]


def test_a_mean_that_never_began_is_noted():
    model, late = torch.nn.Linear(1, 1), Averages(SWA(0.9), torch.nn.Linear(1, 1))
    late.update(0.0, 0.5)
    assert "averaging=swa never began" in late.notes()[0]
    late.update(0.5, 1.0)
    assert late.notes() == Averages().notes() == Averages(NoAveraging(), model).notes() == []
