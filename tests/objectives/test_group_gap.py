"""A penalty on the gap between groups: a closed formula on linear models, the plain loss without it, whole steps."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.task import Loss
from ctxlab.objectives.group_gap import GroupGap
from tests.objectives.linear import Run
from tests.training.runs import make_job


class Squares:
    """A linear regression whose rows are documents: the loss of a row is (w·x − y)², and of a second kind weighs 2."""

    def __init__(self, rows, gold, passes=1):
        self.w = torch.randn(3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        self.x, self.y, self.passes = rows, gold, passes

    def run(self, items):
        for first in range(self.passes):
            own = list(range(first, len(items), self.passes))
            rows = tuple((row, 0) for row in own)
            yield Run((self.x[own] @ self.w)[:, None], self.y[own][:, None], cut=True, rows=rows)

    def loss(self, outputs, labels):
        return Loss(((outputs - labels) ** 2).sum(), torch.tensor(float(len(outputs)), dtype=torch.float64))


@pytest.fixture
def data():
    draw = np.random.default_rng(2)
    return torch.from_numpy(draw.normal(size=(7, 3))), torch.from_numpy(draw.normal(size=7))


GROUPS = ["a", "a", "b", None, "b", "c", "a"]
ITEMS = [SimpleNamespace(document=number) for number in range(7)]


def closed(w, x, y, strength):
    """The gradient of mean square error plus λ · variance of the groups' means, by hand."""
    residual = x @ w - y
    mean = 2 * x.T @ residual / len(y)
    losses, slopes = [], []
    for group in "abc":
        own = [n for n, name in enumerate(GROUPS) if name == group]
        losses.append(np.mean(residual[own] ** 2))
        slopes.append(2 * x[own].T @ residual[own] / len(own))
    losses, slopes = np.array(losses), np.array(slopes)
    spread = 2 / 3 * (losses - losses.mean()) @ slopes
    return np.mean(residual**2) + strength * losses.var(), mean + strength * spread


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("strength", [0.5, 4.0])
def test_loss_and_gradient_are_those_of_the_formula(data, strength, passes):
    task = Squares(*data, passes=passes)
    objective = GroupGap(strength, "dialect")
    objective.take_groups(GROUPS)
    total = weight = 0.0
    for term in objective.step(task, ITEMS, task):
        if isinstance(term.passed, Run) and term.loss.total.requires_grad:
            assert term.passed.cut
            term.loss.total.backward()
        else:
            assert not term.passed.cut
        total, weight = total + term.loss.total.item(), weight + float(term.loss.weight)
    loss, gradient = closed(task.w.detach().numpy(), *(one.numpy() for one in data), strength)
    assert total / weight == pytest.approx(loss, rel=1e-12)
    assert task.w.grad.numpy() / weight == pytest.approx(gradient, rel=1e-10)


def write(path, records):
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def records(count, seed=0, minority=0.15):
    """Texts of two dialects, which say the same with different words."""
    draw = np.random.default_rng(seed)
    words = {"north": ("moin", "tschuess"), "south": ("servus", "pfiati")}
    found = []
    for index in range(count):
        dialect = "south" if draw.random() < minority else "north"
        label = int(draw.integers(2))
        said = " ".join(["we", words[dialect][label], "there", "and", str(int(draw.integers(10)))])
        found.append({"id": f"d{seed}-{index}", "text": said, "label": ["come", "go"][label], "dialect": dialect})
    return found


@pytest.fixture
def options(tmp_path):
    source = write(tmp_path / "train.jsonl", records(24))
    return ("task=classification", "context=32", f"data.train_file={source}", "trainer.max_steps=2")


def test_without_a_penalty_it_is_the_plain_loss_to_the_bit(tmp_path, options):
    options = (*options, "trainer.tokens_per_forward=64", "trainer.tokens_per_step=128")
    plain = make_job(tmp_path / "plain", *options)
    plain.run()
    none = make_job(tmp_path / "none", *options, "objective=group_gap", "objective.strength=0")
    none.run()
    assert all(torch.equal(one, none.weights()[name]) for name, one in plain.weights().items())


def test_groups_are_those_of_the_field_and_a_step_is_one_pass(tmp_path, options):
    """Without a limit of its own a step is read whole, whatever its padding."""
    job = make_job(tmp_path / "run", *options, "objective=group_gap", "objective.field=dialect")
    expected = {one["id"]: one["dialect"] for one in records(24)}
    assert job.parts.objective._groups == [expected[document.id] for document in job.documents.train]
    assert job.run().step == 2


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("objective.strength=-1", "objective.field=dialect"), "objective.strength=-1 is out of range"),
        ((), "objective=group_gap needs groups"),
        (("objective.field=dialct",), "no training record has such a field; did you mean 'dialect'"),
        (("objective.field=dialect", "trainer.tokens_per_forward=32"), "trainer.tokens_per_forward=32 divides a step"),
        (("objective.field=dialect", "trainer.context_parallel=2"), "trainer.context_parallel=2"),
    ],
)
def test_bad_values_are_refused_in_a_sentence(tmp_path, options, capsys, more, sentence):
    words = ["train", "model=tiny_bert", "strategy=chunk", "tracking=none", *options, "objective=group_gap", *more]
    assert main([*words, f"hydra.run.dir={tmp_path / 'x'}"]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error


def test_a_field_with_one_value_has_no_gap(tmp_path, options):
    source = write(tmp_path / "one.jsonl", [{**one, "dialect": "north"} for one in records(24)])
    with pytest.raises(UserError, match=r"objective\.field=dialect has 1 different text or number"):
        make_job(tmp_path / "x", *options, f"data.train_file={source}", "objective=group_gap",
                 "objective.field=dialect")  # fmt: skip


def test_a_step_that_does_not_fit_is_refused(tmp_path, options):
    job = make_job(tmp_path / "run", *options, "objective=group_gap", "objective.field=dialect")
    epoch = job.trainer.job.stream.epoch(0, 32)
    with pytest.raises(UserError, match=r"would be divided into .* forward passes, and this objective compares"):
        job.trainer.accumulation.step(epoch, epoch.steps[0], tokens_per_forward=16)


@pytest.mark.slow
def test_the_audited_gap_shrinks(tmp_path):
    """Oracle: the gap of the audit of a run without a penalty, of the same data, seed and steps."""
    gaps = {}
    sources = {name: write(tmp_path / f"{name}.jsonl", records(count, seed, minority))
               for name, count, seed, minority in (("train", 300, 1, 0.05), ("test", 200, 2, 0.5))}  # fmt: skip
    for strength in (0, 4):
        run, audit = tmp_path / f"run{strength}", tmp_path / f"audit{strength}"
        data = [f"data.{name}_file={path}" for name, path in sources.items()]
        words = ["train", "task=classification", "model=tiny_bert", "strategy=chunk", "context=32", *data]
        words += ["trainer.max_steps=60", "trainer.tokens_per_step=512", "optimizer.lr=1e-3", "tracking=none"]
        chosen = ["objective=group_gap", f"objective.strength={strength}", "objective.field=dialect"]
        assert main([*words, *chosen, f"hydra.run.dir={run}"]) == 0
        asked = ["audit", f"run={run}", "audit=groups", "audit.groups.field=dialect", "audit.fail=false"]
        assert main([*asked, "tracking=none", f"hydra.run.dir={audit}"]) == 0
        found = json.loads((audit / "audit.json").read_text())
        gaps[strength] = abs(found["checks"]["groups"]["compared"][0]["difference"])
    assert gaps[4] < gaps[0] - 0.1
