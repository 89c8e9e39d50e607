"""Objectives other than the standard one work in the loop: each is compared with the same step worked out by hand. A
step of plain gradient descent with a learning rate of 1 moves the weights by the gradient that the loop computed, so
that the gradient of a whole step is compared (in double precision except for the task's loss).
"""

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ctxlab.config.keys.run import TrainerConfig
from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective, Term
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Loss
from ctxlab.core.types import NO_LABEL, Encoded
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.objectives.standard import Standard
from ctxlab.optim.schedules.constant import Constant as ConstantRate
from ctxlab.optim.tuning.full import Full as FullTuning
from ctxlab.runtime.device import make_accelerator
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.memory.recurrent import Recurrent
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.segments import Segments
from ctxlab.tasks.ner import NER
from ctxlab.training.job import Job
from ctxlab.training.loop import Trainer
from ctxlab.training.state import TrainState
from ctxlab.training.stream import Stream
from ctxlab.training.window_selection import window_chooser

WINDOW, EPSILON = 24, 0.3
LABELS = ["O", "B-X", "I-X"]


class Quiet(nullcontext):
    """A watcher that ignores everything."""

    def step(self, *_: Any) -> None: ...

    def row(self, *_: Any) -> None: ...


def model(seed: int = 3, dropout: float = 0.0) -> Any:
    source = TinyBert(hidden_size=16, num_layers=2, num_heads=2, trained_length=64, name="tiny_bert", seed=seed,
                      dropout=dropout, attention_dropout=0.0)  # fmt: skip
    return source.build("token_classification", LABELS).double()


def document(num_tokens: int, seed: int) -> Encoded:
    random = np.random.default_rng(seed)
    labels = np.where(random.random(num_tokens) < 0.7, random.integers(0, 3, num_tokens), NO_LABEL)
    return Encoded(random.integers(5, 60, num_tokens), np.arange(num_tokens), labels)


DOCUMENTS = [document(15, 0), document(9, 1)]
LONG = [document(90, 2), document(60, 3)]
"""Four windows, and three."""


def plain() -> Strategy:
    return Strategy("test", Chunk(), Keep(), Full(), NoMemory(), Constant())


def recurrent(model: Any) -> Strategy:
    memory = Recurrent(num_tokens=2, bptt_windows=2)
    memory.fit(WINDOW)
    memory.install(model)
    model.double()
    return Strategy("test", Segments(WINDOW), Keep(), Full(), memory, Constant())


def stepped(
    folder: Path, objective: Objective, model: Any, documents: Sequence[Encoded] = DOCUMENTS, **settings: Any
) -> tuple[dict[str, torch.Tensor], TrainState]:
    """The gradient of one step over all documents, by name, and the state of training after it."""
    linked = documents is LONG
    strategy, length = recurrent(model) if linked else plain(), 200 if linked else WINDOW
    task = NER()
    task.labels = LABELS
    unset = dict.fromkeys(TrainerConfig.__dataclass_fields__)
    given = {"max_steps": 1, "tokens_per_step": 1000, "save_every_steps": 9, "log_every_steps": 9,
             "keep_checkpoints": 1, "activation_checkpointing": False, "context_parallel": 1}  # fmt: skip
    folder.mkdir(exist_ok=True)
    model.train()
    job = Job(
        run_dir=folder,
        task=task,
        model=model,
        tokenizer=make_tokenizer(),
        strategy=strategy,
        objective=objective,
        tuning=FullTuning(),
        optimizer=torch.optim.SGD(model.parameters(), lr=1.0),
        schedule=ConstantRate(0.0),
        learning_rate=1.0,
        stream=Stream(
            documents,
            strategy.reading.windows,
            task.resample,
            window_chooser(strategy, task, generates=False),
            1000,
            seed=1,
        ),
        context_length=length,
        settings=TrainerConfig(**unset | given | settings),
        seed=1,
        document_ids=[str(i) for i in range(len(documents))],
        target_place=None,
        evaluate=None,
        configuration={},
        peak_bytes=lambda: 0,
    )
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    state = Trainer(job, make_accelerator("cpu", "fp32"), Quiet()).run(TrainState())
    return {name: before[name] - parameter.detach() for name, parameter in model.named_parameters()}, state


def loss_by_hand(model: Any, encoded: Encoded, embedded: torch.Tensor | None = None) -> torch.Tensor:
    """Sum of the cross entropy over the labels of a document in a pass of its own, perhaps from other embeddings."""
    ids = torch.from_numpy(encoded.input_ids)[None]
    given = {"input_ids": ids} if embedded is None else {"inputs_embeds": embedded}
    logits = model(**given).logits
    return F.cross_entropy(logits[0], torch.from_numpy(encoded.labels), ignore_index=NO_LABEL, reduction="sum")


def num_labels(documents: Sequence[Encoded] = DOCUMENTS) -> int:
    return sum(int((encoded.labels != NO_LABEL).sum()) for encoded in documents)


def gradient(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return {n: torch.zeros_like(p) if g is None else g for n, p, g in zip(names, parameters, found, strict=True)}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], tolerance: float = 1e-7) -> bool:
    assert one.keys() == other.keys()
    assert max(float(tensor.abs().max()) for tensor in other.values()) > 1e-3  # there is something to compare
    return all(torch.allclose(one[name], other[name], rtol=0, atol=tolerance) for name in one)


def test_the_standard_objective_is_the_mean_over_the_labels_of_the_step(tmp_path):
    found, _ = stepped(tmp_path, Standard(), model())
    hand = model().train()
    assert same(found, gradient(hand, sum(loss_by_hand(hand, d) for d in DOCUMENTS) / num_labels()))


class Adversarial(Objective):
    """Adversarial training: a step of length ε for each token along the gradient of the embeddings' output."""

    def __init__(self, epsilon: float = EPSILON) -> None:
        self.epsilon = epsilon
        self.heard: list[list[bool]] = []

    def start(self, model):
        self._outputs, self._added = [], None
        model.get_input_embeddings().register_forward_hook(self._hook)

    def _hook(self, module, args, output):
        if self._added is not None:
            return output + self._added.pop(0)
        output.retain_grad()
        self._outputs.append(output)
        return output

    def step(self, passes, items, task):
        self._outputs, added = [], []
        for passed in passes.run(items):
            yield Term(task.loss(passed.outputs, passed.labels), passed)
            self.heard.append([output.grad is not None for output in self._outputs])
            if passed.cut:
                added += [self.epsilon * F.normalize(output.grad, dim=-1) for output in self._outputs]
                self._outputs = []
        self._added = added
        for passed in passes.run(items):
            yield Term(task.loss(passed.outputs, passed.labels), passed)
        assert not self._added
        self._added = None


def test_without_a_perturbation_adversarial_training_is_the_standard_objective(tmp_path):
    assert same(*(stepped(tmp_path / o, v, model())[0] for o, v in (("a", Adversarial(0.0)), ("b", Standard()))))


class Twice(Objective):
    """Every term twice, of the same forward pass or of another."""

    def __init__(self, again: bool) -> None:
        self.again = again

    def step(self, passes, items, task):
        for passed in passes.run(items):
            loss = task.loss(passed.outputs, passed.labels)
            if not self.again:
                yield Term(loss, replace(passed, cut=False))
            yield Term(loss, passed)
        if self.again:
            yield from Standard().step(passes, items, task)


@pytest.mark.parametrize("documents", [DOCUMENTS, LONG], ids=["windows", "steps"])
@pytest.mark.parametrize("again", [False, True])
def test_every_term_twice_is_the_same_gradient(documents, again, tmp_path):
    once, _ = stepped(tmp_path / "once", Standard(), model(), documents)
    twice, state = stepped(tmp_path / "twice", Twice(again), model(), documents)
    assert same(twice, once)
    assert state.tokens == 2 * sum(map(len, documents))


def test_parts_that_fit_memory_add_up_whatever_the_objective(tmp_path):
    whole, _ = stepped(tmp_path / "whole", Adversarial(), model())
    parts, _ = stepped(tmp_path / "parts", Adversarial(), model(), tokens_per_forward=16)
    assert same(parts, whole)


class Uncut(Objective):
    """All terms first, and no gradient before the last."""

    def step(self, passes, items, task):
        for passed in passes.run(items):
            yield Term(task.loss(passed.outputs, passed.labels), replace(passed, cut=False))


def test_an_objective_without_cuts_loses_nothing(tmp_path):
    assert same(*(stepped(tmp_path / o, v, model())[0] for o, v in (("uncut", Uncut()), ("cut", Standard()))))


def test_where_windows_are_steps_the_gradient_is_there_after_every_cut(tmp_path):
    """Four windows with a cut after each second: gradients of both, then of both again."""
    objective = Adversarial(0.0)
    found, _ = stepped(tmp_path / "adversarial", objective, model(), LONG)
    assert objective.heard == [[False], [True, True], [False], [True, True]]
    assert same(found, stepped(tmp_path / "standard", Standard(), model(), LONG)[0])
    pushed, _ = stepped(tmp_path / "pushed", Adversarial(), model(), LONG)
    assert not same(pushed, found, tolerance=1e-4)


class Distilling(Objective):
    """The mean squared difference from the logits of a teacher, at the labelled tokens."""

    def __init__(self, teacher: Any) -> None:
        self.teacher = teacher.eval()

    def step(self, passes, items, task):
        told = passes.through(self.teacher, plain())
        for passed, other in zip(passes.run(items), told.run(items), strict=True):
            asked = passed.labels != NO_LABEL
            squares = (passed.outputs - other.outputs.detach()).square().mean(-1)
            yield Term(Loss((squares * asked).sum(), asked.sum()), passed)


def test_a_distilling_objective_runs_the_same_windows_through_its_teacher(tmp_path):
    found, _ = stepped(tmp_path, Distilling(model(seed=4)), model())
    hand, teacher, total = model().train(), model(seed=4).eval(), 0.0
    for encoded in DOCUMENTS:
        ids = torch.from_numpy(encoded.input_ids)[None]
        apart = (hand(ids).logits - teacher(ids).logits.detach())[0, torch.from_numpy(encoded.labels) != NO_LABEL]
        total = total + apart.square().sum() / len(LABELS)
    assert same(found, gradient(hand, total / num_labels()))


def test_distilling_a_model_into_itself_has_no_gradient(tmp_path):
    student = model()
    found, _ = stepped(tmp_path, Distilling(copy.deepcopy(student)), student)
    assert max(float(tensor.abs().max()) for tensor in found.values()) < 1e-15


class Choosy(Objective):
    """An objective that refuses every model."""

    def start(self, model):
        raise UserError("objective=choosy finds no dropout to draw: use model.dropout=0.1.")

    def step(self, passes, items, task):
        yield from ()


def test_an_objective_refuses_a_model_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="finds no dropout"):
        stepped(tmp_path / "run", Choosy(), model())
    assert list((tmp_path / "run").iterdir()) == []
