"""The tasks lm and mlm: records, labels, masks, and the figures kept of the logits."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Document, Merged
from ctxlab.data.encode import fingerprint
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.tasks.forms import vocabulary
from ctxlab.tasks.lm import LM
from ctxlab.tasks.mlm import MLM, unmasked
from ctxlab.tasks.ner import NER
from tests.tasks.conftest import byte_level

TEXT = "the town the time " * 200


@pytest.fixture
def bert():
    """A tokenizer with a mask token."""
    return make_tokenizer()


def document(name="d", text=TEXT):
    return Document(name, {"text": text}, "here")


@pytest.mark.parametrize("task", [LM(), MLM()])
@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"id": "a"}, "no field 'text', only an id"),
        ({"body": "x"}, "task.text_field=<field>"),
        ({"texts": "x"}, "task.text_field=texts"),
        ({"text": "  \n"}, "empty text"),
        ({"text": None}, "is empty"),
        ({"text": ["a"]}, "of type list"),
        ({"text": "a\ud800"}, "surrogate"),
        ({"tokens": ["a"], "tags": ["O"]}, "looks like a record for task=ner"),
        ({"document": "a", "summaries": []}, "looks like a record for task=summarization"),
        ({"turns": []}, "looks like a record for task=dialogue"),
    ],
)
def test_bad_records_are_named(task, record, says):
    with pytest.raises(UserError, match=says) as caught:
        task.parse(record, "train.jsonl line 3", gold=True)
    assert "train.jsonl line 3" in str(caught.value)


def test_records_of_plain_text_are_told_from_words():
    with pytest.raises(UserError, match="looks like a record for task=lm"):
        NER().parse({"id": "a", "text": "x"}, "train.jsonl line 3", gold=True)
    assert LM(text_field="body").parse({"body": "x", "label": 1}, "o", gold=True).fields == {"text": "x"}


def test_labels_are_the_next_tokens(family):
    tokenizer, before, _ = family
    (encoded,) = LM().encode([document()], tokenizer)
    assert encoded.labels[:-1].tolist() == encoded.input_ids[1:].tolist()
    assert encoded.labels[-1] == NO_LABEL
    assert (encoded.before, encoded.after) == (before, ())


def test_masks_have_their_rates(bert):
    task = MLM()
    task.prepare(bert)
    (encoded,) = task.encode([document()], bert)
    original = np.asarray(bert(TEXT, add_special_tokens=False)["input_ids"])
    chosen = encoded.labels != NO_LABEL
    count = round(0.15 * len(original))
    assert chosen.sum() == count
    assert (encoded.labels[chosen] == original[chosen]).all()
    assert (encoded.input_ids[~chosen] == original[~chosen]).all()
    assert (encoded.input_ids == bert.mask_token_id).sum() == round(0.8 * count)
    assert not (set(bert.all_special_ids) - {bert.mask_token_id}) & set(encoded.input_ids.tolist())
    changed = (encoded.input_ids != original).sum()
    assert round(0.8 * count) <= changed <= round(0.9 * count)
    assert (unmasked(encoded) == original).all()


def test_masks_are_pure_and_new_every_epoch(bert):
    task = MLM()
    task.prepare(bert)
    (one,) = task.encode([document()], bert)
    (again,) = MLM().encode([document()], bert)
    (other,) = task.encode([document("e")], bert)
    assert (one.input_ids == again.input_ids).all()
    assert (one.labels != other.labels).any()
    first, same, second = (task.resample(encoded, seed) for encoded, seed in ((one, 1), (other, 1), (one, 2)))
    assert (first.input_ids == same.input_ids).all()  # whatever was masked before
    assert (first.labels == same.labels).all()
    assert (first.labels != second.labels).any()
    assert (unmasked(second) == unmasked(one)).all()
    assert (first.ends == one.ends).all()


def test_the_share_is_part_of_the_cache_key(bert):
    keys = {fingerprint(MLM(masked_share=share), [document()], bert) for share in (0.15, 0.3)}
    assert len(keys) == 2
    with pytest.raises(UserError, match="masked_share=1"):
        MLM(masked_share=1.0)


def test_a_single_token_is_masked(bert):
    (encoded,) = MLM().encode([document(text="the")], bert)
    assert (encoded.labels != NO_LABEL).sum() == 1


def test_without_a_mask_token_there_is_no_mlm():
    with pytest.raises(UserError, match=r"no mask token.*model=minilm"):
        MLM().prepare(byte_level("$A", add_prefix_space=False))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_and_gradient_are_those_of_cross_entropy(dtype, monkeypatch):
    monkeypatch.setattr(vocabulary, "ROWS_AT_ONCE", 7)
    torch.manual_seed(0)
    outputs = torch.randn(3, 11, 19, dtype=dtype, requires_grad=True)
    labels = torch.randint(0, 19, (3, 11))
    labels[0, ::2] = labels[2] = NO_LABEL
    loss = LM().loss(outputs, labels)
    (3 * loss.total).backward()
    expected = F.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="sum")
    torch.testing.assert_close(loss.total, expected.float())
    torch.testing.assert_close(outputs.grad, 3 * torch.autograd.grad(expected, outputs)[0], rtol=1e-5, atol=1e-6)
    assert loss.weight == (labels != NO_LABEL).sum()


def test_a_batch_without_labels_costs_nothing():
    outputs = torch.full((1, 4, 5), float("nan"), requires_grad=True)
    loss = MLM().loss(outputs, torch.full((1, 4), NO_LABEL))
    loss.total.backward()
    assert loss.total == loss.weight == outputs.grad.abs().sum() == 0


def test_observed_are_likelihood_and_rank_in_slices(monkeypatch):
    rows = []
    real = F.cross_entropy

    def counted(logits, gold, **options):
        rows.append(len(logits))
        return real(logits, gold, **options)

    monkeypatch.setattr(vocabulary, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(vocabulary.F, "cross_entropy", counted)
    outputs = torch.randn(2, 9, 13)
    labels = torch.randint(0, 13, (2, 9))
    labels[1, 3] = NO_LABEL
    seen = LM().reduce_outputs(outputs, labels)
    log_p = outputs.log_softmax(-1)
    for b in range(2):
        for w in range(9):
            gold = labels[b, w]
            expected = (0, 0) if gold == NO_LABEL else (-log_p[b, w, gold], outputs[b, w].argmax() == gold)
            assert seen[b, w].tolist() == pytest.approx([float(x) for x in expected], abs=1e-6)
    assert max(rows) == 5
    assert sum(rows) == 17


def merged(values, seen):
    return Merged(np.asarray(values, np.float32), np.asarray(seen))


def test_what_was_not_read_is_charged(tokenizer):
    task = LM()
    task.prepare(tokenizer)
    (encoded,) = task.encode([document(text="the town time s")], tokenizer)
    prediction = task.decode(document(), encoded, merged([[1, 1], [2, 0], [0, 0], [0, 0]], [True, True, False, False]))
    scores = prediction.answer
    uniform = np.log(len(tokenizer))
    assert scores.nll.tolist() == pytest.approx([1, 2, uniform])
    assert scores.correct.tolist() == [True, False, False]
    assert scores.position.tolist() == [1, 2, 3]
    assert scores.characters.tolist() == [5, 5, 2]
    record = task.record(document(), prediction)
    assert json.loads(json.dumps(record))["nll"] == pytest.approx((3 + uniform) / 3)
    assert (record["tokens"], record["asked"], record["seen"], record["characters"]) == (4, 3, 2, 12)
    assert record["nll_by_position"] == [pytest.approx((3 + uniform) / 3, abs=1e-4)]


def test_masked_tokens_that_were_not_read_are_charged(bert):
    task = MLM()
    task.prepare(bert)
    (encoded,) = task.encode([document()], bert)
    half = np.arange(len(encoded)) < len(encoded) // 2
    scores = task.decode(document(), encoded, merged(np.ones((len(encoded), 2)), half)).answer
    asked = np.flatnonzero(encoded.labels != NO_LABEL)
    assert scores.position.tolist() == asked.tolist()
    assert scores.nll.tolist() == pytest.approx(np.where(half[asked], 1, np.log(len(bert))).tolist())
    assert scores.correct.tolist() == half[asked].tolist()


@pytest.mark.parametrize("task", [LM, MLM])
def test_blank_records_are_left_out_and_said(task):
    """As in WikiText, where half of the rows are blank."""
    made = task(text_field="body")
    texts = ["", " = Boats = \n", " \n", "The boat left."]
    records = [Record({"body": text}, f"a row {row}") for row, text in enumerate(texts, start=1)]
    for gold in (True, False):
        assert [record.origin for record in made.admit(records, gold=gold)] == ["a row 2", "a row 4"]
    assert made.notes == ["2 of 4 records are blank texts and were left out."]
    with pytest.raises(UserError, match="every record from a row 1 on is blank"):
        made.admit(records[:1], gold=True)
    missing = [Record({"other": "x"}, "a row 1")]
    assert made.admit(missing, gold=True) == missing  # and is refused by its field when it is parsed
