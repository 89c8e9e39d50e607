"""A perfect model scores 1 under every reading that covers the document, its coverage where something is cut off, and 0
where it read or answers nothing. The other tasks have the same tests in ``tests/tasks`` (classification, code, multi,
qa, relation, regression, probes, translation, summarization) or with their metrics (rankings read in part, generated
turns).
"""

from dataclasses import replace

import numpy as np
import pytest

from ctxlab.config import catalogue
from ctxlab.core.types import GeneratedTokens
from ctxlab.data.parsing import split_documents
from ctxlab.evaluation.evaluator import metric
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.runtime.forward import window_targets
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.segments import Segments
from ctxlab.strategies.reading.truncate import Truncate
from ctxlab.tasks.generation import Generation
from tests.contracts.task_runs import form, records, supports
from tests.tasks.conftest import byte_level

APART_TESTED = {"classification", "code", "contrastive", "generation", "multi", "probe", "qa", "regression",
                "relation", "retrieval", "summarization", "translation"}  # fmt: skip
"""Tasks whose answers are no labels or tokens of the document: they have such tests of their own. All others are here,
each in its form for the first kind of model that it works with."""

TASKS = {
    task: next(kind for kind in ("encoder", "decoder", "encoder_decoder") if supports(task, kind))
    for task in catalogue.options("task")
    if task not in APART_TESTED
}

LANGUAGE = {"perplexity": 1.0, "loss": 0.0, "bits_per_character": 0.0, "seen_perplexity": 1.0}
"""Figures of a model that is sure of every token, and right; others are 1."""

APART = {"calibration_error", "mind_mrr", "auroc"}
"""Figures that perfect answers need not have at 1: an error, one with another normalisation, one of all classes."""


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def knowing(task, encoded):
    """(L, D) observed outputs of a model that is certain and correct."""
    if not task.labels:
        return np.tile(np.asarray([0, 1], np.float32), (len(encoded), 1))
    return 9 * (encoded.labels[:, None] == np.arange(len(task.labels))).astype(np.float32)


def scores(task, documents, tokenizer, reading, room, told=knowing):
    """Scores of answers from ``told`` under a reading with ``room`` tokens for the text."""
    predictions = []
    for document, encoded in zip(documents, task.encode(documents, tokenizer), strict=True):
        windows = reading.windows(encoded, len(encoded.before) + len(encoded.after) + room)
        observed = told(task, encoded)
        outputs = [observed[np.maximum(window.token_index, 0)] for window in windows]
        predictions.append(task.decode(document, encoded, reading.merge(windows, outputs, len(encoded))))
    return metric(task.metric)(documents, predictions)


@pytest.fixture(params=TASKS)
def given(request, tokenizer):
    """A task and documents of it."""
    task = form(request.param, TASKS[request.param])
    rows = [task.parse(row | {"id": str(n)}, "here", gold=True) for n, row in enumerate(records(request.param))]
    documents = split_documents(task, rows)
    task.learn_labels(documents)
    task.prepare(tokenizer)
    return task, documents


READINGS = [(Truncate(), 999), (Chunk(), 30), (Chunk(overlap_tokens=5), 30), (Chunk(5, "mean"), 30),
            (Segments(window=30), 60)]  # fmt: skip


@pytest.mark.parametrize(("reading", "room"), READINGS)
def test_a_perfect_model_is_perfect_under_every_reading_that_covers(reading, room, given, tokenizer):
    task, documents = given
    found = scores(task, documents, tokenizer, reading, room)
    assert found.coverage_labels == 1
    for name in found.metrics.keys() - APART:
        assert found.metrics[name] == pytest.approx(LANGUAGE.get(name, 1.0)), name


@pytest.mark.parametrize("keep", ["head", "tail", "middle"])
def test_where_something_is_cut_off_a_perfect_model_scores_its_coverage(keep, given, tokenizer):
    task, documents = given
    found = scores(task, documents, tokenizer, Truncate(keep), 30)
    assert found.coverage_labels < 1
    share = {"ner": "recall", "lm": "accuracy", "mlm": "accuracy"}.get(task.name)
    if share:
        assert found.metrics[share] == pytest.approx(found.coverage_labels)


def test_empty_answers_score_zero(given, tokenizer):
    """No entity, a label that is always wrong, the reversed order, a token that is absent."""
    task, documents = given

    def wrong(task, encoded):
        right = knowing(task, encoded)
        if task.name == "ner":
            return 9 * np.eye(len(task.labels), dtype=np.float32)[np.full(len(encoded), task.labels.index("O"))]
        return 9 - right if task.labels else np.tile(np.asarray([9, 0], np.float32), (len(encoded), 1))

    found = scores(task, documents, tokenizer, Chunk(), 30, wrong)
    name = {"lm": "accuracy", "mlm": "accuracy", "recommendation": "auc", "dialogue": "recall_at_1"}.get(task.name)
    assert found.metrics[name or task.primary_metric] == 0


@pytest.mark.parametrize(("reading", "room"), [(Truncate(), 9999), (Chunk(), 99), (Chunk(30), 99)])
def test_constrained_texts_meet_all_constraints_or_none(reading, room):
    """The target of the last window meets every constraint; an empty text meets none."""
    task, letters = (
        Generation(decoding={"max_new_tokens": 900}).for_kind("decoder"),
        byte_level("$A </s>", add_prefix_space=False),
    )
    task.prepare(letters)
    documents = [task.parse(row, "here", gold=True) for row in records("generation")]
    for share, met in ((slice(None), 1.0), (slice(0), 0.0)):
        predictions = []
        for document, encoded in zip(documents, task.encode(documents, letters), strict=True):
            added = len(encoded.before) + len(encoded.after) + encoded.room
            windows = reading.windows(encoded, added + room)
            texts = [GeneratedTokens(target[target != 1][share], 0.0) for target in window_targets(encoded, windows)]
            merged = reading.merge(windows, [np.zeros((len(w), 0), np.float32) for w in windows], len(encoded))
            predictions.append(task.decode(document, encoded, replace(merged, generated=texts)))
        found = metric(task.metric)(documents, predictions)
        assert found.metrics["constraints_met"] == found.metrics["all_met"] == met
        assert found.coverage_labels == 1
