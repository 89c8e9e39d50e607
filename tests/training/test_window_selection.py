"""Which windows are trained on: cases worked out by hand, and that the loss gives those left out no weight."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ctxlab.command.compose import compose
from ctxlab.config.build import build
from ctxlab.core.errors import UserError
from ctxlab.core.passes import Item
from ctxlab.core.task import Task
from ctxlab.core.types import ADDED, NO_LABEL, Encoded, Window
from ctxlab.runtime.forward import Passes, make_items, model_call
from ctxlab.training.stream import Stream
from ctxlab.training.window_selection import SkippedWindows, choose_windows, window_chooser
from tests.training.runs import make_job


def item(*labels, targets=None):
    """Windows of two tokens each, with ``labels`` of the first."""
    windows = [Window(np.array([7, 8]), np.array([i, ADDED]), begins=i == 0) for i in range(len(labels))]
    rows = [np.array([label, NO_LABEL]) for label in labels]
    written = [np.arange(n) for n in (targets or [0] * len(labels))]
    return Item(0, windows, rows, [np.zeros(2, int)] * len(labels), written)


def strategy(*, joins=False, sequential=False):
    return SimpleNamespace(reading=SimpleNamespace(joins=joins), memory=SimpleNamespace(sequential=sequential))


class Any:
    """A task that learns from every label."""

    def has_loss(self, labels):
        return bool((labels != NO_LABEL).any())


NONE = NO_LABEL


@pytest.mark.parametrize(
    ("labels", "alone", "memory", "joined"),
    [
        ((1, NONE, 0, NONE), [0, 2], [0, 1, 2], [0, 1, 2, 3]),
        ((NONE, NONE, NONE, 3), [3], [0, 1, 2, 3], [0, 1, 2, 3]),
        ((2, NONE, NONE, NONE), [0], [0], [0, 1, 2, 3]),
        ((NONE, NONE), [], [], []),
    ],
)
def test_memories_and_readings_decide_which_windows_are_needed(labels, alone, memory, joined):
    cases = [(strategy(), alone), (strategy(sequential=True), memory), (strategy(joins=True), joined)]
    for parts, expected in cases:
        assert window_chooser(parts, Any(), generates=False)(item(*labels)) == expected


def test_targets_of_a_generative_task_decide_which_windows_are_needed():
    choose = window_chooser(strategy(), Any(), generates=True)
    assert choose(item(1, 1, 1, targets=[0, 4, 0])) == [1]
    assert choose(item(NONE, NONE, targets=[1, 0])) == [0]
    assert choose(item(1, 1)) == []


def test_windows_are_left_out_with_all_of_their_fields():
    given = [item(NONE, 5, NONE), item(NONE), item(6)]
    kept, skipped = choose_windows(given, window_chooser(strategy(), Any(), generates=False))
    assert [(len(one), [row[0] for row in one.labels]) for one in kept] == [(2, [5]), (2, [6])]
    assert kept[0].windows[0] is given[0].windows[1]
    assert len(kept[0].marks) == len(kept[0].targets) == 1
    assert skipped == SkippedWindows(windows=3, tokens=6, all_windows=5, all_tokens=10)
    assert skipped.note() == (
        "3 of 5 training windows (60.0% of the tokens of an epoch) have no label or target and were skipped."
    )
    assert SkippedWindows(0, 0, 5, 10).note() is None


def test_documents_without_any_target_are_refused():
    encoded = Encoded(np.array([7, 8]), np.array([0, 1]), np.array([NONE, NONE]))
    read = lambda document, length: [Window(document.input_ids, np.arange(2))]  # noqa: E731
    choose = window_chooser(strategy(), Any(), generates=False)
    stream = Stream([encoded], read, lambda one, seed: one, choose, tokens_per_step=8, seed=1)
    with pytest.raises(UserError, match=r"No label or target of the 1 training documents .* context.length=64; give"):
        stream.epoch(0, 64)


WRITTEN = ("task=generation", "model=tiny_gpt2", "task.decoding.max_new_tokens=16", "context=96",
           "trainer.max_epochs=1")  # fmt: skip


def test_targets_that_continue_a_document_are_trained_on_at_its_end_alone(tmp_path, monkeypatch):
    """Counted at the model's inputs: one row for each document, which has one text, with all of its tokens."""
    job = make_job(tmp_path, *WRITTEN)
    monkeypatch.setattr(job.trainer, "_evaluate", lambda *_: False)
    rows, tokens, forward = [], [], job.bench.model.forward

    def spied(*args, **inputs):
        rows.append(len(inputs["input_ids"]))
        tokens.append(int(inputs["attention_mask"].sum()))
        return forward(*args, **inputs)

    job.bench.model.forward = spied
    state = job.run()
    encoded = job.bench.encode(job.documents.train)
    assert sum(rows) == len(encoded) == 6
    assert sum(tokens) == state.tokens
    windows = [job.bench.strategy.reading.windows(one, 96) for one in encoded]
    assert sum(map(len, windows)) > 3 * len(encoded)
    last = sum(len(row[-1]) + len(one.target[: one.room]) - 1 for row, one in zip(windows, encoded, strict=True))
    assert state.tokens == last
    left = sum(map(len, windows)) - len(encoded)
    assert job.trainer.notes(state)[0].startswith(f"{left:,} of {sum(map(len, windows)):,} training windows (")


TASKS = {
    "ner": ("task=ner",),
    "ner-entities": ("task=ner", "task.outside_weight=0"),
    "qa": ("task=qa",),
    "qa-answers": ("task=qa", "task.no_answer_weight=0"),
    "mlm": ("task=mlm", "task.masked_share=0.02"),
    "classification": ("task=classification",),
    "dialogue": ("task=dialogue", "task.negatives=1"),
    "relation": ("task=relation",),
    "lm": ("task=lm", "model=tiny_gpt2"),
    "generation": WRITTEN,
    "qa-written": ("task=qa", "model=tiny_gpt2", "context=128"),
    "translation": ("task=translation", "model=tiny_t5"),
}


@pytest.mark.by_default(3)
@pytest.mark.parametrize("name", TASKS)
def test_what_is_left_out_has_no_weight_in_the_loss(name, tmp_path):
    job = make_job(tmp_path, "data.documents=3", *TASKS[name])
    bench, choose = (
        job.bench,
        window_chooser(job.bench.strategy, job.bench.task, generates=job.bench.target_place is not None),
    )
    encoded = [bench.task.resample(one, seed) for seed, one in enumerate(bench.encode(job.documents.train))]
    read = bench.strategy.reading.windows
    items = [one for i, d in enumerate(encoded) for one in make_items(i, d, read(d, bench.length))]
    passes = Passes(bench.strategy, model_call(bench.model), 0, torch.device("cpu"), bench.target_place)
    for one in items:
        (passed,) = passes.run([one])
        weight = float(bench.task.loss(passed.outputs, passed.labels).weight)
        assert (weight > 0) == bool(choose(one)) or name == "relation"  # a window with one entity has no pair
        assert weight == 0 or choose(one)


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "labels", "teaches"),
    [
        (("task=ner",), [0, 0, NONE], True),
        (("task=ner",), [NONE, NONE], False),
        (("task=ner", "task.outside_weight=0"), [0, 0, NONE], False),
        (("task=ner", "task.outside_weight=0"), [0, 3, NONE], True),
        (("task=qa",), [0, 0, NONE], True),
        (("task=qa",), [NONE, NONE], False),
        (("task=qa", "task.no_answer_weight=0"), [0, 0, NONE], False),
        (("task=qa", "task.no_answer_weight=0"), [0, 2, NONE], True),
    ],
)
def test_a_window_without_counted_labels_teaches_nothing(options, labels, teaches):
    task = build(compose("train", list(options)).task, Task)
    assert task.has_loss(np.array(labels)) == teaches
