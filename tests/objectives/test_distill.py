"""Distillation against the same step by hand, with a teacher that reads other windows, and through the command."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import ADDED, NO_LABEL, Merged
from ctxlab.objectives.distill import Distill, _fill
from ctxlab.objectives.standard import Standard
from ctxlab.runtime.teacher import RunTeacher, at_tokens
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.reading.truncate import Truncate
from ctxlab.tasks.ner import NER
from ctxlab.workbench.teaching import _check
from tests.objectives.linear import seeded
from tests.training.runs import make_job
from tests.training.test_objectives import (
    DOCUMENTS,
    LONG,
    WINDOW,
    document,
    gradient,
    loss_by_hand,
    model,
    num_labels,
    plain,
    same,
)

READ = [document(40, 4), document(30, 5)]
"""Two windows each for the student, one for a teacher of twice its context."""


def taught(teacher, documents, *, share=1.0, temperature=2.0, strategy=None, length=WINDOW, columns=None, own=True):
    objective = Distill("somewhere", temperature, share)
    objective.take_teacher(RunTeacher(teacher, strategy or plain(), length, columns=columns, reads_documents=own))
    objective.learn(NER(), lambda: documents)
    return objective


@pytest.mark.parametrize("documents", [DOCUMENTS, READ], ids=["one window", "two windows"])
@pytest.mark.parametrize("own", [True, False])
def test_an_identical_student_has_no_gradient(documents, own, tmp_path):
    student = model()
    found, state = seeded(tmp_path, taught(copy.deepcopy(student), documents, own=own), student, documents)
    assert max(float(tensor.abs().max()) for tensor in found.values()) < 1e-7
    assert state.tokens == 2 * sum(map(len, documents))  # what the teacher reads is paid for


def by_hand(teacher, documents, reach, temperature=2.0, order=(0, 1, 2)):
    """The gradient of T² · KL over the windows of a student, from a teacher that reads ``reach`` tokens at once."""
    hand, total = model().train(), 0.0
    for encoded in documents:
        ids, labels = torch.from_numpy(encoded.input_ids)[None], torch.from_numpy(encoded.labels)
        told = teacher(ids[:, :reach]).logits.detach()[0][:, list(order)]
        for window in plain().reading.windows(encoded, WINDOW):
            at = torch.from_numpy(window.token_index)
            own = hand(torch.from_numpy(window.input_ids)[None]).logits[0]
            asked = (labels[at] != NO_LABEL) & (at < reach)
            p = (told[at[asked]] / temperature).softmax(-1)
            apart = (p * (p.log() - (own[asked] / temperature).log_softmax(-1))).sum()
            total = total + temperature**2 * apart
    return gradient(hand, total / num_labels(documents))


def test_a_long_reader_teaches_a_short_one(tmp_path):
    """A teacher that has both windows of a document in one of its own."""
    teacher = model(seed=4)
    found, _ = seeded(tmp_path, taught(teacher, READ, length=2 * WINDOW), model(), READ)
    expected = by_hand(teacher, READ, reach=2 * WINDOW)
    assert same(found, expected)
    assert not same(found, by_hand(teacher, [document(24, 4), document(24, 5)], reach=WINDOW), tolerance=1e-4)
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in teacher.parameters())


def test_what_the_teacher_never_read_teaches_nothing(tmp_path):
    short = Strategy("test", Truncate("head"), Keep(), Full(), NoMemory(), Constant())
    teacher = model(seed=4)
    found, _ = seeded(tmp_path, taught(teacher, READ, strategy=short, length=16), model(), READ)
    assert same(found, by_hand(teacher, READ, reach=16))


def test_labels_in_another_order_are_sorted(tmp_path):
    teacher = model(seed=4)
    found, _ = seeded(tmp_path, taught(teacher, READ, length=2 * WINDOW, columns=[2, 0, 1]), model(), READ)
    assert same(found, by_hand(teacher, READ, reach=2 * WINDOW, order=(2, 0, 1)))


def test_a_share_mixes_both_losses(tmp_path):
    """A quarter of the gradient by hand, and three quarters of the plain one."""
    teacher = model(seed=4)
    found, _ = seeded(tmp_path, taught(teacher, DOCUMENTS, share=0.25, temperature=3.0), model())
    hand = model().train()
    plain_gradient = gradient(hand, sum(loss_by_hand(hand, d) for d in DOCUMENTS) / num_labels())
    apart = by_hand(teacher, DOCUMENTS, reach=WINDOW, temperature=3.0)
    assert same(found, {name: 0.75 * plain_gradient[name] + 0.25 * apart[name] for name in apart})


def test_windows_that_are_steps_are_taught_each_by_its_own(tmp_path):
    """A share that rounds to 0 is the plain loss, though the teacher has read everything in other windows."""
    found, _ = seeded(tmp_path / "distill", taught(model(seed=4), LONG, share=1e-12), model(), LONG)
    assert same(found, seeded(tmp_path / "standard", Standard(), model(), LONG)[0])


def test_a_window_learns_the_mean_of_what_is_said_at_its_tokens():
    merged = Merged(np.arange(8, dtype=np.float32).reshape(4, 2), np.array([True, True, False, True]))
    index = np.array([ADDED, 1, 2, 3])
    mean, seen = at_tokens(merged, index, is_of_window=True)
    assert mean.tolist() == [4.0, 5.0]  # of (2, 3) and (6, 7)
    assert seen.all()
    each, seen = at_tokens(merged, index, is_of_window=False)
    assert seen.tolist() == [False, True, False, True]
    assert each[seen].tolist() == [[2.0, 3.0], [6.0, 7.0]]
    assert at_tokens(merged, np.array([2]), is_of_window=True)[0] is None
    assert at_tokens(None, index, is_of_window=False)[0] is None


TINY = ("task=ner", "model=tiny_bert", "strategy=chunk", "tracking=none", "data.documents=4", "model.hidden_size=32",
        "data.validation_documents=1", "data.test_documents=0", "data.words_per_document=80", "trainer.precision=fp32",
        "data.evidence_distance=[16]", "trainer.tokens_per_step=512", "trainer.max_steps=2")  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A finished run that reads a document at once."""
    folder = tmp_path_factory.mktemp("teacher") / "run"
    assert main(["train", *TINY, "context=128", f"hydra.run.dir={folder}"]) == 0
    return folder


def test_a_run_teaches_another_through_the_command(teacher, tmp_path, monkeypatch):
    """Its path may be relative, and its weights are neither trained nor saved with those of the student."""
    monkeypatch.chdir(teacher.parent)
    before = load_file(teacher / "checkpoints/step-00000002/model.safetensors")
    run = tmp_path / "run"
    options = [*TINY, "context=32", "objective=distill", "objective.run=run", "model.seed=5"]
    assert main(["train", *options, f"hydra.run.dir={run}"]) == 0
    saved = load_file(run / "checkpoints/step-00000002/model.safetensors")
    assert saved.keys() == before.keys()
    after = load_file(teacher / "checkpoints/step-00000002/model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)
    monkeypatch.chdir(tmp_path)
    assert main(["train", f"resume={run}", "trainer.max_steps=3"]) == 0


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["objective.run=null"], r"needs a teacher: give objective\.run=<directory of a training run>"),
        (["objective.run=nowhere"], r"objective\.run=nowhere is not the directory of a run"),
        (["task.labels=[PER,LOC,NEW]"], "was trained for other labels"),
        (["task=mlm"], "was trained for task=ner, and this run is for task=mlm"),
        (["task=relation"], "which task=relation with these options does not make"),
        (["objective.share=0"], r"objective\.share=0 is out of range"),
        (["objective.temperature=0"], r"objective\.temperature=0 is no temperature"),
    ],
)
def test_what_cannot_teach_is_refused_in_a_sentence(teacher, options, says, tmp_path):
    with pytest.raises(UserError, match=says):
        make_job(tmp_path / "run", *TINY, "objective=distill", f"objective.run={teacher}", *options)


def test_another_tokenizer_is_refused_in_a_sentence():
    plain = SimpleNamespace(reading=SimpleNamespace(fuses=False))
    one, other = (
        SimpleNamespace(task=NER(["X"]), tokenizer=SimpleNamespace(get_vocab=lambda words=words: words), strategy=plain)
        for words in ({"a": 0}, {"a": 1})
    )
    _check(one, one, "run")
    with pytest.raises(UserError, match=r"objective\.run=run has another tokenizer"):
        _check(one, other, "run")


def test_windows_of_another_width_are_filled_as_far_as_they_go():
    outputs = torch.zeros(3, 2)
    _fill(outputs, torch.ones(5, 2))
    assert outputs.eq(1).all()
    _fill(outputs, torch.full((2, 2), 7.0))
    assert outputs.tolist() == [[7, 7], [7, 7], [1, 1]]
