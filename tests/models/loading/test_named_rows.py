"""Trained heads matched by the names of their labels; the oracle is the model as Transformers itself loads it."""

import json

import pytest
import torch
import transformers as tf

from ctxlab.core.model import NEW_HEAD, WEIGHTS_NOTES
from ctxlab.models.loading.named_rows import match
from ctxlab.models.pretrained import Pretrained
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
IDS = torch.arange(5, 45)[None]


def saved(tmp_path, head, labels, source=TinyBert, **config):
    """Folder of a model as another tool might save it, with head weights far from their initial ones."""
    model = source().build(head, labels)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("classifier", "score")):
                parameter.normal_(generator=torch.Generator().manual_seed(len(name)))
    model.save_pretrained(tmp_path)
    source().tokenizer().save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return str(tmp_path)


def logits(model, **ids):
    with torch.no_grad():
        return model.eval()(**(ids or {"input_ids": IDS})).logits


@pytest.mark.parametrize("source", [TinyBert, TinyLlama, TinyGpt2])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [0, 3, 4, 1, 2], [4, 3, 2, 1, 0]])
def test_outputs_of_a_tagger_go_by_name(tmp_path, source, order):
    path = saved(tmp_path, "token_classification", [TAGS[i] for i in order], source)
    model = Pretrained(path).build("token_classification", TAGS)
    theirs = logits(tf.AutoModelForTokenClassification.from_pretrained(path))
    for place, tag in enumerate(TAGS):
        torch.testing.assert_close(logits(model)[..., place], theirs[..., order.index(TAGS.index(tag))])
    assert model.config.id2label == dict(enumerate(TAGS))
    notes = getattr(model.config, WEIGHTS_NOTES, [])
    assert len(notes) == (order != sorted(order))
    assert not getattr(model, NEW_HEAD, False)


@pytest.mark.parametrize("source", [TinyBert, TinyLlama])
def test_classes_go_by_name_whatever_the_capitals(tmp_path, source):
    path = saved(tmp_path, "sequence_classification", ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"], source)
    model = Pretrained(path).build("sequence_classification", ["entailment", "neutral", "contradiction"])
    theirs = logits(tf.AutoModelForSequenceClassification.from_pretrained(path, pad_token_id=0))
    torch.testing.assert_close(logits(model), theirs.flip(-1))


def test_some_outputs_by_name_and_others_new(tmp_path):
    path = saved(tmp_path, "token_classification", TAGS)
    model = Pretrained(path).build("token_classification", ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG"])
    theirs = logits(tf.AutoModelForTokenClassification.from_pretrained(path))
    torch.testing.assert_close(logits(model)[..., :3], theirs[..., [0, 3, 4]])
    assert float(model.classifier.weight[3:].detach().std()) == pytest.approx(0.02, rel=0.5)
    (note,) = getattr(model.config, WEIGHTS_NOTES)
    assert "3 labels were taken by name; those of B-ORG, I-ORG started at random" in note
    assert getattr(model, NEW_HEAD)


@pytest.mark.parametrize(
    ("head", "labels", "asked"),
    [
        ("sequence_classification", ["entailment", "neutral", "contradiction"], ["0", "1", "2"]),
        ("token_classification", ["O", "B-X", "I-X"], ["start", "end", "none"]),
    ],
)
def test_a_head_of_other_labels_is_not_taken_by_place(tmp_path, head, labels, asked):
    torch.manual_seed(0)
    model = Pretrained(saved(tmp_path, head, labels)).build(head, asked)
    assert float(model.classifier.weight.detach().std()) == pytest.approx(0.02, rel=0.5)
    (note,) = getattr(model.config, WEIGHTS_NOTES)
    assert "has other labels" in note
    assert getattr(model, NEW_HEAD)


def test_the_projection_of_a_tagger_is_not_used_for_a_classifier(tmp_path):
    """The projection has the same name and size, but no pooler before it."""
    path = saved(tmp_path, "token_classification", ["O", "B-X", "I-X"])
    model = Pretrained(path).build("sequence_classification", ["a", "b", "c"])
    assert float(model.classifier.weight.detach().std()) == pytest.approx(0.02, rel=0.5)
    assert any("came without its pooler" in note for note in getattr(model.config, WEIGHTS_NOTES))
    body = tf.AutoModel.from_pretrained(path, add_pooling_layer=False)
    with torch.no_grad():
        assert torch.equal(model.bert(IDS).last_hidden_state, body.eval()(IDS).last_hidden_state)


def test_outputs_without_names_go_by_number_or_place(tmp_path):
    path = saved(tmp_path, "sequence_classification", ["LABEL_0", "LABEL_1", "LABEL_2"])
    theirs = logits(tf.AutoModelForSequenceClassification.from_pretrained(path))
    for labels in (["0", "1", "2"], ["a", "b", "c"]):
        model = Pretrained(path).build("sequence_classification", labels)
        assert torch.equal(logits(model), theirs)
        assert "has no label names" in getattr(model.config, WEIGHTS_NOTES)[0]


def test_notes_on_the_head_of_a_model(tmp_path):
    path = saved(tmp_path, "token_classification", TAGS)
    assert Pretrained(path).head_labels("token_classification") == TAGS
    assert Pretrained(path).head_labels("sequence_classification") == []
    assert Pretrained(path).head_labels("causal_lm") == []
    assert TinyBert().head_labels("token_classification") == []


def test_names_by_hand():
    assert match(["A", "b"], ["a", "B"]) == {"a": 0, "B": 1}
    assert match(["a", "A"], ["A", "x"]) == {"A": 1}
    assert match(["LABEL_0", "LABEL_1"], ["1", "0"]) == {"1": 1, "0": 0}
    assert match(["x"], ["y"]) == {}
