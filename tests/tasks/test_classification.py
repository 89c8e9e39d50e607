"""The task classification: records, labels, loss, and how windows become one answer."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ctxlab.command.compose import compose
from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Document, Merged
from ctxlab.data.encode import encode_documents
from ctxlab.evaluation.evaluator import evaluate
from ctxlab.runtime.reader import Reader
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.forms import combine
from ctxlab.workbench.parts import make_strategy
from tests.tasks.conftest import word_piece

HERE = "train.jsonl line 3"


def parsed(task, *records, gold=True):
    return [task.parse(record, f"line {i}", gold=gold) for i, record in enumerate(records, start=1)]


@pytest.mark.parametrize(
    ("options", "record", "says"),
    [
        ({}, {"id": "a", "text": "x", "n": 1}, r"no field 'label', only text, n: .*task.label_field=<field>"),
        ({}, {"id": "a", "text": "x"}, r"looks like a record for task=lm"),
        ({}, {"text": "x", "lable": "a"}, r"task.label_field=lable"),
        ({}, {"label": "x", "body": "a"}, r"no field 'text'.*task.text_field="),
        ({}, {"text": " ", "label": "a"}, r"'text' of train.jsonl line 3 is an empty text"),
        ({}, {"text": 3, "label": "a"}, r"'text' of train.jsonl line 3 is of type int"),
        ({}, {"text": "x", "label": ""}, r"'label' of train.jsonl line 3 has a label that is an empty text"),
        ({}, {"text": "x", "label": None}, r"'label' of train.jsonl line 3 has a label that is empty"),
        ({}, {"text": "x", "label": 0.5}, r"label that is of type float"),
        ({}, {"text": "x", "label": ["a"]}, r"of type list: give one label, or set task.multi_label=true"),
        ({"labels": ["a", "b"]}, {"text": "x", "label": "c"}, r"label 'c' in the field 'label'.*task.labels=\[a,b\]"),
        ({"multi_label": True}, {"text": "x", "labels": "a"}, r"'labels' of .* is of type str: give a list"),
        ({"multi_label": True}, {"text": "x", "labels": ["a", 1]}, r"mixes text .* and whole numbers"),
        ({}, {"tokens": ["a"], "tags": ["O"]}, r"looks like a record for task=ner"),
        ({}, {"premise": "a", "hypothesis": "b", "label": 1}, r"looks like a record for task=nli"),
    ],
)
def test_bad_records_are_named(options, record, says):
    with pytest.raises(UserError, match=says) as caught:
        Classification(**options).parse(record, HERE, gold=True)
    assert HERE in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"labels": []}, "task.labels"),
        ({"labels": ["a", "a"]}, "repeats"),
        ({"combine": "median"}, "task.combine=median is not one of mean, max, attention"),
        ({"labels": [f"l{i}" for i in range(64)], "multi_label": True}, "64 labels"),
    ],
)
def test_bad_options_are_named(options, says):
    with pytest.raises(UserError, match=says):
        Classification(**options)


def test_a_column_of_mixed_types_is_named_with_both_places():
    with pytest.raises(UserError, match=r"'label' mixes whole numbers \(line 1\) and text \(line 2\)"):
        parsed(Classification(), {"text": "x", "label": 1}, {"text": "y", "label": "1"})


def test_labels_are_learned_in_order():
    task = Classification()
    task.learn_labels(parsed(task, *({"text": "x", "label": n} for n in (10, 9, 2, 9))))
    assert task.labels == ["2", "9", "10"]
    with pytest.raises(UserError, match="label '3' in the field 'label' of line 1"):
        task.check_labels(parsed(Classification(), {"text": "x", "label": 3}))
    given = Classification(labels=["spam", "ham"])
    given.learn_labels(parsed(given, {"text": "x", "label": "ham"}))
    assert given.labels == ["spam", "ham"]


def test_truth_values_are_labels():
    task = Classification()
    task.learn_labels(parsed(task, {"text": "x", "label": True}, {"text": "y", "label": False}))
    assert task.labels == ["false", "true"]


def test_one_label_alone_is_nothing_to_learn():
    task = Classification()
    with pytest.raises(UserError, match="only the label 'a' in 'label'"):
        task.learn_labels(parsed(task, {"text": "x", "label": "a"}))


def test_every_token_has_the_label_of_the_document(family):
    tokenizer, before, after = family
    task = Classification(labels=["x", "y"])
    documents = parsed(task, {"text": "the town", "label": "y"})
    (encoded,) = task.encode(documents, tokenizer)
    assert set(encoded.labels.tolist()) == {1}
    assert (encoded.before, encoded.after, encoded.query) == (before, after, ())
    (bare,) = task.encode(parsed(task, {"text": "the town"}, gold=False), tokenizer)
    assert set(bare.labels.tolist()) == {NO_LABEL}


def test_sets_of_labels_survive_the_cache(tokenizer, tmp_path):
    """Sixty-three labels are stored as bits of one number, which 32 bits do not hold."""
    task = Classification(labels=[f"l{i}" for i in range(63)], multi_label=True)
    documents = parsed(task, {"text": "the town", "labels": ["l0", "l62"]}, {"text": "the", "labels": []})
    for _ in range(2):
        one, none = encode_documents(task, documents, tokenizer, tmp_path)
        assert set(one.labels.tolist()) == {1 + 2**62}
        assert set(none.labels.tolist()) == {0}


def test_loss_is_one_cross_entropy_a_window():
    task = Classification(labels=["a", "b", "c"])
    outputs = torch.randn(3, 3, requires_grad=True)
    labels = torch.tensor([[NO_LABEL, 2, 2], [NO_LABEL] * 3, [NO_LABEL, 0, NO_LABEL]])
    loss = task.loss(outputs, labels)
    expected = F.cross_entropy(outputs[[0, 2]], torch.tensor([2, 0]), reduction="sum")
    torch.testing.assert_close(loss.total, expected)
    assert loss.weight == 2
    nothing = task.loss(outputs, torch.full((3, 3), NO_LABEL))
    nothing.total.backward()
    assert nothing.total == nothing.weight == 0


def test_loss_of_several_labels_is_the_mean_of_binary_ones():
    task = Classification(labels=["a", "b", "c"], multi_label=True)
    outputs = torch.randn(2, 3)
    loss = task.loss(outputs, torch.tensor([[NO_LABEL, 0b101], [NO_LABEL, 0]]))
    gold = torch.tensor([[1.0, 0, 1], [0, 0, 0]])
    expected = F.binary_cross_entropy_with_logits(outputs, gold, reduction="none").mean(dim=1).sum()
    torch.testing.assert_close(loss.total, expected)
    assert loss.weight == 2


LOGITS = np.log(np.asarray([[0.8, 0.1, 0.1]] * 3 + [[0.1, 0.6, 0.3]], np.float32))
"""Of a document of four tokens: three in one window, one in another."""


def test_mean_of_log_probabilities_by_tokens():
    weights = np.asarray([0.8**3 * 0.1, 0.1**3 * 0.6, 0.1**3 * 0.3]) ** 0.25
    assert combine.mean(LOGITS + 7, several=False) == pytest.approx(weights / weights.sum(), rel=1e-5)


def test_max_of_probabilities():
    assert combine.maximum(LOGITS, several=False) == pytest.approx(np.asarray([0.8, 0.6, 0.3]) / 1.7, rel=1e-5)


def test_attention_weights_by_entropy():
    def weight(p):
        return 1 + sum(x * np.log(x) for x in p) / np.log(3)

    first, second = (0.8, 0.1, 0.1), (0.1, 0.6, 0.3)
    one, other = 3 * weight(first), weight(second)
    expected = (one * np.asarray(first) + other * np.asarray(second)) / (one + other)
    assert combine.attention(LOGITS, several=False) == pytest.approx(expected, rel=1e-5)
    undecided = np.zeros((5, 3), np.float32)
    assert combine.attention(undecided, several=False) == pytest.approx([1 / 3] * 3)
    # A window that knows outweighs any number of windows that know nothing.
    sure = np.concatenate([np.zeros((999, 3)), [[30, 0, 0]]]).astype(np.float32)
    assert combine.attention(sure, several=False)[0] == pytest.approx(1, abs=1e-4)
    assert combine.mean(sure, several=False)[0] < 0.35


def test_several_labels_are_combined_one_by_one():
    logits = np.asarray([[2, -1], [0, 3]], np.float32)
    p = 1 / (1 + np.exp(-logits))
    assert combine.mean(logits, several=True) == pytest.approx(1 / (1 + np.exp(-logits.mean(axis=0))), rel=1e-5)
    assert combine.maximum(logits, several=True) == pytest.approx(p.max(axis=0))
    weights = 1 + (p * np.log(p) + (1 - p) * np.log(1 - p)) / np.log(2)
    expected = (weights * p).sum(axis=0) / np.maximum(weights, 1e-12).sum(axis=0)
    assert combine.attention(logits, several=True) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("rule", combine.RULES)
@pytest.mark.parametrize("several", [False, True])
def test_one_window_is_its_own_answer(rule, several):
    logits = np.tile(np.asarray([[1.0, -2.0, 0.5]], np.float32), (6, 1))
    expected = combine.probabilities(logits[:1], several=several)[0]
    assert combine.RULES[rule](logits, several=several) == pytest.approx(expected, rel=1e-5)


def test_without_a_read_window_there_is_no_answer(tokenizer):
    task = Classification(labels=["a", "b"])
    document = Document("d", {"text": "the town", "gold": ("a",)}, HERE)
    (encoded,) = task.encode([document], tokenizer)
    prediction = task.decode(document, encoded, Merged(np.zeros((2, 0), np.float32), np.zeros(2, bool)))
    assert (prediction.answer.chosen, list(prediction.seen)) == ((), [False])
    assert task.record(document, prediction) == {"id": "d", "label": None, "probabilities": None, "share_read": 0.0}
    read = task.decode(document, encoded, Merged(np.asarray([[0, 1], [0, 0]], np.float32), np.asarray([True, False])))
    record = task.record(document, read)
    assert (record["label"], record["share_read"]) == ("b", 0.5)
    assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)


# A model that knows: a word of the document tells its class, and it says so wherever it sees that word.

KEYS = ("x", "y", "z")


def documents(task, length=90):
    """One for each class and place, with the word that decides the class at that place."""
    made = []
    for place in (0, 17, 40, 55, length - 1):
        for key in KEYS:
            words = ["the", "town", "time"] * (length // 3)
            words[place] = key
            text = " ".join(words)
            start = len(" ".join(words[:place])) + (place > 0)
            gold = {"labels": [key]} if task.primary_metric == "micro_f1" else {"label": key}
            probes = [{"start": start, "end": start + 1, "distance": place}]
            made.append(task.parse({"id": f"{key}-{place}", "text": text, "probes": probes, **gold}, HERE, gold=True))
    return made


class Knowing(torch.nn.Module):
    """Certain of the class whose word it sees, undecided without one."""

    def __init__(self, tokenizer, *, several):
        super().__init__()
        self.ids, self.several = torch.tensor(tokenizer.convert_tokens_to_ids(list(KEYS))), several

    def forward(self, input_ids, attention_mask):
        seen = ((input_ids[..., None] == self.ids) & (attention_mask[..., None] == 1)).any(dim=1)
        return SimpleNamespace(logits=40.0 * seen - (0.5 if self.several else 0.0))


@cache
def parts_of(strategy, *options):
    return make_strategy(compose("train", [f"strategy={strategy}", *options]).strategy)


def evaluated(task, strategy, *options, context=32, tokens_per_forward=128):
    tokenizer = word_piece()
    split = documents(task)
    task.learn_labels(split)
    parts = parts_of(strategy, *options)
    model = Knowing(tokenizer, several=task.primary_metric == "micro_f1")
    reader = Reader(model, parts, context, tokens_per_forward, 0, torch.device("cpu"), task.reduce_outputs)
    return evaluate(reader, task, split, task.encode(split, tokenizer))


@pytest.mark.by_default(2)
@pytest.mark.parametrize("rule", combine.RULES)
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    ("strategy", "options", "context"),
    [
        ("truncate", [], 128),
        ("chunk", [], 32),
        ("chunk", ["strategy.reading.overlap_tokens=8"], 32),
        ("chunk", ["strategy.reading.overlap_tokens=8", "strategy.reading.merge=mean"], 32),
        ("chunk", ["strategy/reading=segments", "strategy.reading.window=16"], 64),
    ],
)
def test_a_perfect_model_is_right_under_every_reading_that_covers(rule, several, strategy, options, context):
    found = evaluated(Classification(combine=rule, multi_label=several), strategy, *options, context=context)
    metrics = dict(found.scores.metrics)
    metrics.pop("calibration_error", None)
    assert set(metrics.values()) == {1.0}
    assert (found.coverage.tokens, found.coverage.labels) == (1.0, 1.0)


@pytest.mark.by_default(2)
@pytest.mark.parametrize("keep", ["head", "tail", "middle", "head_tail"])
def test_where_evidence_is_cut_off_scores_are_at_chance(keep):
    """Documents whose evidence was read are right; of the others one in three, as the first class is a guess."""
    found = evaluated(Classification(), "truncate", f"strategy.reading.keep={keep}")
    covered = found.coverage.labels
    assert 0 < covered < 1
    assert found.scores.metrics["accuracy"] == pytest.approx(covered + (1 - covered) / 3)
    several = evaluated(Classification(multi_label=True), "truncate", f"strategy.reading.keep={keep}")
    assert several.scores.metrics["exact_match"] == pytest.approx(several.coverage.labels) == pytest.approx(covered)


def test_answers_do_not_depend_on_the_batch():
    one, many = (evaluated(Classification(), "chunk", tokens_per_forward=n) for n in (1, 4096))
    for a, b in zip(one.predictions, many.predictions, strict=True):
        assert (a.answer.probabilities == b.answer.probabilities).all()
