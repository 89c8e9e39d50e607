"""The vectors of known types, against embeddings that are changed by hand."""

import copy

import pytest
import torch

from ctxlab.core.added_modules import attach
from ctxlab.core.errors import UserError
from ctxlab.core.types import FIRST_KNOWN, SENTENCE
from ctxlab.knowledge.gazetteers.module import KnownTypes
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama

IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 0]])
BEGIN, CONTINUE, OTHER = (1 << (FIRST_KNOWN + bit) for bit in (0, 1, 3))
MARKS = torch.tensor([[BEGIN, CONTINUE | SENTENCE, 0, SENTENCE], [BEGIN | OTHER, 0, 0, 0]])


@pytest.fixture(params=[TinyBert, TinyLlama])
def model(request):
    torch.manual_seed(0)
    return request.param().build("token_classification", ["O", "B-X", "I-X"])


def given(model, keeps_marks=False) -> KnownTypes:
    module = KnownTypes(2, model.get_input_embeddings().weight.shape[1])
    attach(model, "knowledge", module)
    module.watch(model, keeps_marks=keeps_marks)
    return module


def test_zero_vectors_change_no_bit(model):
    before = model(input_ids=IDS).logits
    given(model)
    assert torch.equal(model(input_ids=IDS, marks=MARKS).logits, before)
    assert torch.equal(model(input_ids=IDS).logits, before)


def test_each_mark_adds_its_vector(model):
    embedded = model.get_input_embeddings()(IDS).detach()
    module = given(model)
    with torch.no_grad():
        module.vectors.normal_()
    begin, follow, _, other = module.vectors.detach()
    embedded[0, 0] += begin
    embedded[0, 1] += follow
    embedded[1, 0] += begin + other
    expected = model(inputs_embeds=embedded).logits
    assert torch.allclose(model(input_ids=IDS, marks=MARKS).logits, expected, atol=1e-6)
    assert not torch.allclose(model(input_ids=IDS).logits, expected, atol=1e-3)  # nothing is left of an earlier pass


def test_vectors_that_are_used_have_gradients(model):
    module = given(model)
    model(input_ids=IDS, marks=MARKS).logits.square().sum().backward()
    assert (module.vectors.grad.abs().sum(1) > 0).tolist() == [True, True, False, True]


def test_a_copy_of_the_model_has_its_own_vectors(model):
    given(model)
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.ctxlab_parts["knowledge"].vectors.fill_(1.0)
    before, after = (one(input_ids=IDS, marks=MARKS).logits for one in (model, other))
    assert not torch.equal(before, after)
    assert torch.equal(before, model(input_ids=IDS).logits)


def test_marks_stay_for_an_attention_part_that_wants_them(model):
    """It was installed before, and takes them away; both receive them."""
    seen = []

    def take(_model, args, kwargs):
        seen.append(kwargs.get("marks"))
        return args, {name: value for name, value in kwargs.items() if name != "marks"}

    model.register_forward_pre_hook(take, with_kwargs=True)
    module = given(model, keeps_marks=True)
    with torch.no_grad():
        module.vectors.normal_()
    marked, plain = model(input_ids=IDS, marks=MARKS).logits, model(input_ids=IDS).logits
    assert torch.equal(seen[0], MARKS)
    assert not torch.equal(marked, plain)


def test_a_model_that_does_not_use_its_embeddings_is_refused(model):
    given(model)
    with pytest.raises(UserError, match=r"knowledge=gazetteer has no effect in model type `(bert|llama)`"):
        model(inputs_embeds=model.base_model.get_input_embeddings().weight[IDS], marks=MARKS)
