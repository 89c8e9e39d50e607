"""Every tuning rule on every kind of model: what it starts from, what it trains, and what its checkpoint computes."""

import copy

import pytest
import torch

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core.added_modules import attach
from ctxlab.core.architecture import learned_tables, note_installed, recompute_activations
from ctxlab.core.errors import UserError
from ctxlab.core.model import ADDED_MODULES, TUNING_MODULE
from ctxlab.core.optim import Tuning
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5

MODELS = {
    "bert": (TinyBert, "token_classification"),
    "gpt2": (TinyGpt2, "causal_lm"),
    "llama": (TinyLlama, "causal_lm"),
    "t5": (TinyT5, "seq2seq_lm"),
}
REFUSED = {("bitfit", "llama"): "finds no biases to train in this LlamaForCausalLM, which has norms, embeddings",
           ("bitfit", "t5"): "finds no biases to train in this T5ForConditionalGeneration",
           ("head", "gpt2"): "nothing to train", ("head", "t5"): "nothing to train"}  # fmt: skip
MOVES = {"prefix", "prompt"}
"""Rules whose new values change the outputs at the start."""
RULES = catalogue.options("tuning")
FITTING = [(rule, kind) for rule in RULES for kind in MODELS if (rule, kind) not in REFUSED]


def make(kind):
    """A tiny model whose biases are not zero, as they are when it is new."""
    source, head = MODELS[kind]
    model = source(hidden_size=32, num_layers=2).build(head, ["O", "B-X"] if "token" in head else [])
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def rule_of(name, **options):
    """The rule of a YAML file, with some of its values replaced."""
    return build({**catalogue.read(catalogue.option_file("tuning", name)), **options}, Tuning)


def run(model, kind):
    ids = torch.arange(5, 27).reshape(2, 11)
    return model(input_ids=ids, **({"labels": ids} if kind == "t5" else {})).logits


@torch.no_grad()
def moved(model):
    """The same model with its adapters somewhere else, as after training."""
    generator = torch.Generator().manual_seed(3)
    for parameter in getattr(model, ADDED_MODULES, torch.nn.ModuleDict()).parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return model


def adapters(model):
    modules = getattr(model, ADDED_MODULES, {})
    return list(modules[TUNING_MODULE].parameters()) if TUNING_MODULE in modules else []


@pytest.mark.covering
@pytest.mark.parametrize(("name", "kind"), FITTING)
def test_nothing_changes_at_the_start_and_merged_weights_compute_the_same(name, kind):
    """The oracle of a checkpoint is the library: its weights in a model that never saw the rule."""
    model, rule = make(kind).requires_grad_(False), rule_of(name)
    before = run(model, kind)
    rule.install(model)
    assert any(parameter.requires_grad for parameter in model.parameters())
    with torch.no_grad():
        assert torch.equal(before, run(model, kind)) == (name not in MOVES)
        after = run(moved(model), kind)
        assert bool(adapters(model)) != torch.equal(before, after)
        plain = make(kind)
        plain.load_state_dict(rule.export(model))
        computed = run(plain, kind)
    if rule.merges:
        assert torch.allclose(computed, after, rtol=1e-5, atol=1e-5)
    else:
        assert torch.equal(computed, before)


@pytest.mark.covering
@pytest.mark.parametrize(("name", "kind"), FITTING)
def test_what_is_saved_restores_the_model_to_the_bit(name, kind):
    saved, other, rule = make(kind), make(kind), rule_of(name)
    torch.manual_seed(1)
    rule.install(saved)
    moved(saved)
    torch.manual_seed(2)
    rule.install(other)
    other.load_state_dict(rule.export(saved), strict=False)  # as a checkpoint is read: merged weights first
    rule.load(other, {key: tensor.clone() for key, tensor in rule.save(saved).items()})
    found, expected = other.state_dict(), saved.state_dict()
    assert found.keys() == expected.keys()
    assert [key for key in found if not torch.equal(found[key], expected[key])] == []


@pytest.mark.by_default(3)
@pytest.mark.parametrize(("name", "kind"), FITTING)
def test_gradients_are_the_same_when_activations_are_computed_twice(name, kind):
    found = []
    for again in (False, True):
        model = make(kind)
        torch.manual_seed(4)
        rule_of(name).install(model)
        moved(model).double().train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        if again:
            recompute_activations(model)
        run(model, kind).square().sum().backward()
        trained = {key: p.grad for key, p in model.named_parameters() if p.requires_grad}
        assert all(p.grad is None for p in model.parameters() if not p.requires_grad)
        found.append({key: gradient for key, gradient in trained.items() if gradient is not None})
    assert found[0].keys() == found[1].keys()
    assert all(torch.allclose(found[0][key], found[1][key], rtol=1e-6, atol=1e-9) for key in found[0])


@pytest.mark.covering
@pytest.mark.parametrize(("name", "kind"), FITTING)
def test_every_adapter_gets_a_gradient_and_the_body_none(name, kind):
    model, rule = make(kind), rule_of(name)
    rule.install(model)
    moved(model)
    run(model, kind).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in adapters(model))
    groups = rule.groups(model)
    listed = [id(p) for group in groups for p in group.parameters]
    assert sorted(listed) == sorted(id(p) for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(("name", "kind"), REFUSED)
def test_an_art_that_changes_nothing_is_refused(name, kind):
    with pytest.raises(UserError, match=REFUSED[name, kind]):
        rule_of(name).install(make(kind))


EFFICIENT = [name for name in RULES if "train" in catalogue.read(catalogue.option_file("tuning", name))]


@pytest.mark.parametrize("name", EFFICIENT)
def test_modules_of_the_strategy_and_lengthened_positions_learn_too(name):
    model = make("bert")
    attach(model, "memory", torch.nn.Linear(2, 2))
    rule_of(name).install(model)
    (table,) = learned_tables(model)
    trains = catalogue.read(catalogue.option_file("tuning", name))["train"]
    assert table.module.weight.requires_grad == ("embeddings" in trains)
    assert all(p.requires_grad for p in getattr(model, ADDED_MODULES)["memory"].parameters())
    model = make("bert")
    note_installed(model.config, "positions", {"name": "tile", "trained_length": 512, "length": 1024})
    rule_of(name).install(model)
    (table,) = learned_tables(model)
    assert table.module.weight.requires_grad
    weights = {id(module.weight) for module in model.bert.encoder.modules() if isinstance(module, torch.nn.Linear)}
    assert not any(p.requires_grad for p in model.parameters() if id(p) in weights)


def test_more_of_the_body_is_trained_on_request():
    model = make("bert")
    rule_of("lora", train=["norms", "positions"]).install(model)
    body = {key for key, p in model.named_parameters() if p.requires_grad and key.startswith("bert.")}
    norms = {key for key, _ in model.named_parameters() if "LayerNorm" in key}
    assert body == norms | {"bert.embeddings.position_embeddings.weight"}


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("bert", {"targets": ["qkv"]}, r"targets=qkv is no matrix of this BertForTokenClassification: use "
         r"tuning.targets=all, or some of attention.self.query, .*output.dense\."),
        ("bert", {"targets": ["LayerNorm"]}, "targets=LayerNorm is no matrix"),
        ("bert", {"targets": []}, r"targets=\[\] adapts nothing"),
        ("bert", {"rank": 33}, r"rank=33 does not fit bert\.encoder\.layer\.0\.attention\.self\.query, a matrix of 32 "
         "× 32: use 1 to 32"),
        ("gpt2", {"targets": ["lm_head"]}, r"lm_head of this GPT2LMHeadModel is the table of its token embeddings"),
        ("t5", {"targets": ["lm_head"]}, r"lm_head of this T5ForConditionalGeneration is the table .* \(tied\)"),
        ("llama", {"train": ["positions"]}, "finds no positions to train in this LlamaForCausalLM, which has norms"),
        ("bert", {"train": ["gains"]}, "train=gains is not one of lengthened, norms, positions, embeddings, biases"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused_by_name(kind, options, said):
    with pytest.raises(UserError, match=said):
        rule_of("lora", **options).install(make(kind))


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("lora", {"rank": 0}, "tuning.rank=0 must be above 0"),
        ("lora", {"dropout": 1.0}, "tuning.dropout=1.0 must be at least 0 and below 1"),
        ("lora", {"lr_ratio": 0.0}, "tuning.lr_ratio=0.0 must be above 0"),
        ("lora", {"scaling": "other"}, "scaling=other is not standard or rs"),
        ("adalora", {"rank": 20}, "rank=20 must be 1 to tuning.initial_rank=12"),
        ("adalora", {"start": 0.6}, "start=0.6 must be at least 0 and below tuning.end=0.5"),
        ("adalora", {"orthogonality": -1.0}, "orthogonality=-1.0 must be at least 0"),
        ("adapter", {"size": 0}, "size=0 must be above 0"),
    ],
)
def test_values_outside_their_range_are_refused(name, options, said):
    with pytest.raises(UserError, match=said):
        rule_of(name, **options)


def test_a_list_of_targets_is_adapted_and_nothing_else():
    model = make("bert")
    rule = rule_of("lora", targets=["query", "0.output.dense"])
    rule.install(model)
    assert [one.name for one, _ in rule.adapters(model)] == [
        "bert.encoder.layer.0.attention.self.query",
        "bert.encoder.layer.0.output.dense",
        "bert.encoder.layer.1.attention.self.query",
    ]


def test_b_learns_faster_than_a_where_that_is_asked_for():
    model, rule = make("gpt2"), rule_of("lora", lr_scale=2.0, lr_ratio=16.0)
    rule.install(model)
    scales = {id(p): group.lr_scale for group in rule.groups(model) for p in group.parameters}
    assert {scales[id(adapter.a)] for _, adapter in rule.adapters(model)} == {2.0}
    assert {scales[id(adapter.b)] for _, adapter in rule.adapters(model)} == {32.0}


def test_a_copy_of_a_model_calls_adapters_of_its_own():
    model, rule = make("bert"), rule_of("vera")
    rule.install(model)
    copied = copy.deepcopy(model)
    before = run(model, "bert")
    moved(copied)
    assert torch.equal(run(model, "bert"), before)
    assert not torch.equal(run(copied, "bert"), before)
    assert torch.allclose(run(copied.double(), "bert").float(), run(copied.float(), "bert"), atol=1e-5)
