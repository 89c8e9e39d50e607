"""The heads of several tasks on one body: each answers as the library's model with the same body and head does."""

import copy

import pytest
import torch

from ctxlab.core.added_modules import attached
from ctxlab.core.model import TASK_MODULE
from ctxlab.core.task import HeadOf
from ctxlab.models.loading.heads import auto_class
from ctxlab.models.loading.joined import join
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama

TAGS = HeadOf("tags", "token_classification", ["O", "B-X", "I-X"])
TEXTS = HeadOf("texts", "sequence_classification", ["a", "b"])
MORE = HeadOf("more", "sequence_classification", ["p", "q", "r", "s"])
HEADS = [TAGS, TEXTS, MORE]
IDS = torch.arange(5, 25).view(2, 10)


@pytest.fixture(params=[TinyBert, TinyLlama, TinyGpt2])
def model(request):
    torch.manual_seed(0)
    made = request.param(hidden_size=32, num_layers=2).build(TEXTS.head, TEXTS.labels)
    join(made, TEXTS, HEADS, answers=TAGS.head)
    return made.eval()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_head_answers_as_the_librarys_model_does(model, number):
    """Oracle: the library's class with this head, to which the weights of body and head are given by name."""
    head = HEADS[number]
    config = copy.deepcopy(model.config)
    config.num_labels = len(head.labels)
    other = auto_class(head.head).from_config(config).eval()
    state = model.state_dict()
    prefix = f"ctxlab_parts.{TASK_MODULE}.{head.name}_head."
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    body = {name: value for name, value in state.items() if name.startswith(model.base_model_prefix)}
    head_weights = own or {n: v for n, v in state.items() if n not in body and not n.startswith("ctxlab_parts")}
    other.load_state_dict({n: v for n, v in {**body, **head_weights}.items() if n in other.state_dict()})
    with torch.no_grad():
        expected = other(input_ids=IDS).logits
        found = model(input_ids=IDS, member=torch.tensor(number)).logits
    assert torch.equal(found, expected)
    assert expected.shape[-1] == len(head.labels)


def test_a_pass_without_a_member_is_answered_for_every_token(model):
    with torch.no_grad():
        assert torch.equal(model(input_ids=IDS).logits, model(input_ids=IDS, member=0).logits)


def test_a_copy_has_a_body_and_heads_of_its_own(model):
    other = copy.deepcopy(model)
    with torch.no_grad():
        before = model(input_ids=IDS, member=0).logits
        for parameter in other.parameters():
            parameter.mul_(2)
        assert torch.equal(model(input_ids=IDS, member=0).logits, before)
        assert not torch.equal(other(input_ids=IDS, member=0).logits, before)


def test_nothing_is_saved_twice(model):
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    places = {id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False)}
    assert len(places) == len(names)
    assert attached(model, TASK_MODULE) is not None


def test_a_single_task_joins_nothing():
    made = TinyBert(hidden_size=32, num_layers=1).build(TAGS.head, TAGS.labels)
    join(made, TAGS, (), answers=TAGS.head)
    assert attached(made, TASK_MODULE) is None
    assert "forward" not in vars(made)
