"""Weights of an earlier run in a new one; the oracle is a checkpoint made by hand, by the library alone."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertForTokenClassification

from ctxlab.core.added_modules import attach
from ctxlab.core.errors import UserError
from ctxlab.core.model import ADDED_MODULES, WEIGHTS_NOTES
from ctxlab.models.loading.started import Started
from ctxlab.optim.tuning.full import Full
from ctxlab.optim.tuning.lora import Lora

SIZES = {
    "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 20,
}  # fmt: skip
OLD, NEW = ["O", "B-PER", "I-PER"], ["B-ORG", "B-PER", "I-ORG", "I-PER", "O"]


def saved(folder, kind=BertForTokenClassification, labels=OLD, **notes):
    torch.manual_seed(5)
    model = kind(BertConfig(**SIZES, id2label=dict(enumerate(labels)), label2id={n: i for i, n in enumerate(labels)}))
    for name, value in notes.items():
        setattr(model.config, name, value)
    model.save_pretrained(folder)
    return model.state_dict()


def started(folder, dropout=None):
    return Started(folder, folder, "mine", dropout=dropout, attention_dropout=0.0)


def notes(model):
    return list(getattr(model.config, WEIGHTS_NOTES, ()))


def test_head_rows_follow_the_names_of_their_labels_not_their_places(tmp_path):
    before = saved(tmp_path)
    torch.manual_seed(1)
    model = started(tmp_path).build("token_classification", NEW)
    for row, name in enumerate(NEW):
        for part in ("weight", "bias"):
            new = getattr(model.classifier, part)[row]
            if name in OLD:
                assert new.equal(before[f"classifier.{part}"][OLD.index(name)])
            else:
                assert all(not new.equal(old) for old in before["classifier.weight"])
    body = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("bert.")}
    assert body
    assert all(tensor.equal(before[name]) for name, tensor in body.items())
    (note,) = notes(model)
    assert "taken by name" in note
    assert "B-ORG, I-ORG started at random" in note


def test_notes_on_how_the_run_before_began_are_not_repeated_and_others_are(tmp_path):
    old = "Of the head of model `x` the outputs of 1 labels were taken by name; those of B-PER started at random."
    saved(tmp_path, weights_notes=["quantised", old], beginning_notes=[old])
    assert notes(started(tmp_path).build("token_classification", OLD)) == ["quantised"]


@pytest.mark.parametrize("head", ["sequence_classification", "token_classification", "question_answering"])
def test_a_head_of_another_kind_is_new_and_noted(tmp_path, head):
    before = saved(tmp_path, BertForMaskedLM, labels=["LABEL_0", "LABEL_1"])
    model = started(tmp_path).build(head, [] if head == "question_answering" else ["no", "yes"])
    assert model.state_dict()["bert.embeddings.word_embeddings.weight"].equal(
        before["bert.embeddings.word_embeddings.weight"]
    )
    said = " ".join(notes(model))
    assert ("qa_outputs" if head == "question_answering" else "classifier") + " started at random" in said
    assert ("pooler" in said) == (head == "sequence_classification")


def test_a_projection_of_the_same_name_and_size_for_another_head_is_new(tmp_path):
    """A tagger of three tags has a ``classifier`` of just the size that three classes need."""
    before = saved(tmp_path)
    model = started(tmp_path).build("sequence_classification", ["a", "b", "c"])
    assert model.classifier.weight.shape == before["classifier.weight"].shape
    assert not model.classifier.weight.equal(before["classifier.weight"])
    assert any("classifier started at random" in note for note in notes(model))


def test_an_architecture_without_the_head_is_refused(tmp_path):
    saved(tmp_path)
    with pytest.raises(UserError, match="has no seq2seq_lm head"):
        started(tmp_path).build("seq2seq_lm", [])


class Memory(torch.nn.Module):
    def __init__(self, tokens, value):
        super().__init__()
        self.start = torch.nn.Parameter(torch.full((tokens, 8), value))


def with_module(folder, family, tensor):
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, f"{ADDED_MODULES}.{family}.start": tensor}, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(("tokens", "said"), [(2, None), (3, "another size of it"), (None, "left behind")])
def test_a_module_is_taken_whole_or_noted(tmp_path, tokens, said):
    saved(tmp_path)
    with_module(tmp_path, "memory", torch.full((2, 8), 7.0))
    source = started(tmp_path)
    model = source.build("token_classification", OLD)
    if tokens:
        attach(model, "memory", Memory(tokens, 1.0))
    found = source.load_added_modules(model, "ner")
    if said:
        assert len(found) == 1
        assert "(memory)" in found[0]
        assert said in found[0]
    else:
        assert found == []
    if tokens:
        assert set(getattr(model, ADDED_MODULES)["memory"].start.unique().tolist()) == {7.0 if tokens == 2 else 1.0}


@pytest.mark.parametrize(
    ("labels", "task", "types", "taken"),
    [(OLD, "relation", ["PER"], True), (OLD, "", ["PER"], False), (OLD, "relation", ["ORG"], False),
     (["O", "I-PER", "B-PER"], "relation", ["PER"], False)],
)  # fmt: skip
def test_a_task_s_module_is_taken_only_where_its_rows_stand_for_the_same(tmp_path, labels, task, types, taken):
    saved(tmp_path, ctxlab={"task": {"types": ["PER"], "facts": 3}})
    with_module(tmp_path, "task", torch.full((2, 8), 7.0))
    source = started(tmp_path)
    model = source.build("token_classification", labels)
    assert model.config.ctxlab == {}  # what was installed in the run before is not in this one
    model.config.ctxlab = {"task": {"types": types, "facts": 9}}
    attach(model, "task", Memory(2, 1.0))
    found = source.load_added_modules(model, task)
    assert bool(found) != taken
    assert (getattr(model, ADDED_MODULES)["task"].start == (7.0 if taken else 1.0)).all()


def adapted(model, rank=2):
    rule = Lora(rank, 4.0, "standard", "random", dropout=0.0, lr_scale=1.0, lr_ratio=1.0, targets="all", train=[])
    rule.install(model)
    return rule


def test_adapters_of_the_same_rule_go_on_and_others_are_merged(tmp_path):
    saved(tmp_path)
    base = started(tmp_path).build("token_classification", OLD)
    rule = adapted(base)
    for _, adapter in rule.adapters(base):
        torch.nn.init.normal_(adapter.b)
    run = tmp_path / "run"
    base.save_pretrained(run, state_dict=rule.export(base))
    save_file({name: tensor.contiguous() for name, tensor in rule.save(base).items()}, run / "tuning.safetensors")
    ids = torch.arange(6)[None]
    expected = base(input_ids=ids).logits
    for rank, rule_for in ((2, adapted), (1, lambda model: adapted(model, 1)), (0, None)):
        source = started(run)
        model = source.build("token_classification", OLD)
        found = source.load_tuning(model, rule_for(model) if rule_for else Full())
        torch.testing.assert_close(model(input_ids=ids).logits, expected)
        assert bool(found) == (rank != 2)
        if rank == 2:
            (one, _), *_ = rule.adapters(model)
            assert one.weight.equal(load_file(run / "tuning.safetensors")[f"{one.name}.base_weight"])
        else:
            assert "merged into the weights; those of this run's tuning= start anew" in found[0]


def test_adapters_that_cannot_be_merged_and_are_not_wanted_are_noted(tmp_path):
    saved(tmp_path, ctxlab={"unmerged": {"name": "reft"}})
    save_file({"x": torch.zeros(1)}, tmp_path / "tuning.safetensors")
    source = started(tmp_path)
    model = source.build("token_classification", OLD)
    assert "unmerged" not in json.dumps(model.config.ctxlab)
    (note,) = source.load_tuning(model, Full())
    assert "tuning=reft, which cannot be merged" in note
