"""Adapters with the same values compute what peft computes, on BERT, GPT-2, Llama and T5."""

import copy

import peft
import pytest
import torch
from peft.tuners.adalora.layer import RankAllocator

from tests.optim.test_efficient_tuning import MODELS, make, moved, rule_of, run

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # peft's own


def pair(kind, name, config, **options):
    """The same model with our rule, whose adapters are not zero, and with peft's."""
    ours, rule = make(kind).requires_grad_(False), rule_of(name, **options)
    base = copy.deepcopy(ours)
    torch.manual_seed(7)
    rule.install(ours)
    moved(ours)
    names = [one.name for one, _ in rule.adapters(ours)]
    settings = {"fan_in_fan_out": True} if kind == "gpt2" else {}
    theirs = peft.get_peft_model(base, config(target_modules=names, **settings))
    layers = {one.name: theirs.base_model.model.get_submodule(one.name) for one, _ in rule.adapters(ours)}
    return ours, theirs, [(adapter, layers[one.name]) for one, adapter in rule.adapters(ours)], rule


def difference(ours, theirs, kind):
    with torch.no_grad():
        found, expected = run(ours, kind), run(theirs, kind)
        assert not torch.allclose(found, run(make(kind), kind), atol=1e-4)
    return float((found - expected).abs().max() / expected.abs().max())


def copy_low_rank(adapter, layer):
    layer.lora_A["default"].weight.data.copy_(adapter.a)
    layer.lora_B["default"].weight.data.copy_(adapter.b)


@pytest.mark.by_default(3)
@pytest.mark.parametrize("scaling", ["standard", "rs"])
@pytest.mark.parametrize("kind", MODELS)
def test_lora_to_the_bit(kind, scaling):
    def config(**given):
        return peft.LoraConfig(r=4, lora_alpha=8, use_rslora=scaling == "rs", **given)

    ours, theirs, layers, _ = pair(kind, "lora", config, rank=4, alpha=8.0, scaling=scaling)
    for adapter, layer in layers:
        copy_low_rank(adapter, layer)
    assert difference(ours, theirs, kind) == 0
    merged = theirs.merge_and_unload()
    assert difference(ours, merged, kind) < 1e-5


@pytest.mark.parametrize("kind", MODELS)
def test_dora(kind):
    def config(**given):
        return peft.LoraConfig(r=4, lora_alpha=8, use_dora=True, **given)

    ours, theirs, layers, _ = pair(kind, "dora", config, rank=4, alpha=8.0)
    for adapter, layer in layers:
        copy_low_rank(adapter, layer)
        layer.lora_magnitude_vector["default"].weight.data.copy_(adapter.magnitude)
    assert difference(ours, theirs, kind) < 1e-6
    assert_same_gradients(
        ours,
        theirs,
        layers,
        kind,
        {
            "a": "lora_A.default.weight",
            "b": "lora_B.default.weight",
            "magnitude": "lora_magnitude_vector.default.weight",
        },
    )


@pytest.mark.parametrize("kind", MODELS)
def test_ia3(kind):
    def config(target_modules, **given):
        inner = [one for one in target_modules if one.split(".")[-1] in ("dense", "c_proj", "down_proj", "wo")]
        return peft.IA3Config(target_modules=target_modules, feedforward_modules=inner, **given)

    ours, theirs, layers, _ = pair(kind, "ia3", config)
    for adapter, layer in layers:
        layer.ia3_l["default"].data.copy_(adapter.scale.reshape(layer.ia3_l["default"].shape))
    assert difference(ours, theirs, kind) < 1e-6
    assert_same_gradients(ours, theirs, layers, kind, {"scale": "ia3_l.default"})


@pytest.mark.parametrize("kind", MODELS)
def test_vera(kind):
    ours, theirs, layers, _ = pair(kind, "vera", lambda **given: peft.VeraConfig(r=24, **given), rank=24)
    for adapter, layer in layers:
        (shared,) = adapter._shared
        layer.vera_A["default"].data = shared.a.clone()
        layer.vera_B["default"].data = shared.b.clone()
        layer.vera_lambda_d["default"].data.copy_(adapter.d)
        layer.vera_lambda_b["default"].data.copy_(adapter.b)
    assert difference(ours, theirs, kind) < 1e-6
    assert_same_gradients(ours, theirs, layers, kind, {"d": "vera_lambda_d.default", "b": "vera_lambda_b.default"})


def adaptive(kind):
    def config(**given):
        return peft.AdaLoraConfig(init_r=4, target_r=2, lora_alpha=8, total_step=10, tinit=1, tfinal=3, beta1=0.85,
                                  beta2=0.85, **given)  # fmt: skip

    options = {"rank": 2, "initial_rank": 4, "alpha": 8.0}
    ours, theirs, layers, rule = pair(kind, "adalora", config, **options)
    for adapter, layer in layers:
        layer.lora_A["default"].data.copy_(adapter.a)
        layer.lora_B["default"].data.copy_(adapter.b)
        layer.lora_E["default"].data.copy_(adapter.values[:, None])
    return ours, theirs, layers, rule


ADALORA = {"a": "lora_A.default", "b": "lora_B.default", "values": "lora_E.default"}


@pytest.mark.parametrize("kind", MODELS)
def test_adalora(kind):
    ours, theirs, layers, _ = adaptive(kind)
    assert difference(ours, theirs, kind) < 1e-4  # peft divides by the rank + 1e-5
    assert_same_gradients(ours, theirs, layers, kind, ADALORA)


def test_adalora_keeps_the_ranks_that_peft_keeps():
    """Over three steps with the same gradients, at the same budget after the last."""
    ours, theirs, layers, rule = adaptive("bert")
    allocator = RankAllocator(theirs.base_model.model, theirs.peft_config["default"], "default")
    budget = 5 * len(layers) // 2
    generator = torch.Generator().manual_seed(5)
    rule.budget = lambda progress, count: budget if progress > 0.1 else 4 * count
    for step in range(3):
        for adapter, layer in layers:
            for name, their in ADALORA.items():
                parameter = getattr(adapter, name)
                parameter.grad = torch.randn(parameter.shape, generator=generator)
                other = layer.get_parameter(their)
                other.grad = parameter.grad.reshape(other.shape).clone()
        rule.after_step(ours, 0.2 if step == 2 else 0.0)
        allocator.update_ipt(theirs.base_model.model)
    allocator.mask_to_budget(theirs.base_model.model, budget)
    kept = [adapter.kept.tolist() for adapter, _ in layers]
    assert kept == [(layer.lora_E["default"] != 0).flatten().tolist() for _, layer in layers]
    assert sum(map(sum, kept)) == budget
    assert all(bool((adapter.values == 0).eq(~adapter.kept).all()) for adapter, _ in layers)


def test_the_penalty_is_that_of_peft():
    ours, theirs, _, rule = adaptive("bert")
    ids = torch.arange(5, 27).reshape(2, 11)
    with torch.no_grad():
        plain = theirs.base_model.model(input_ids=ids, labels=ids % 2).loss
        penalized = theirs.base_model(input_ids=ids, labels=ids % 2).loss
        assert float(rule.penalty(ours)) == pytest.approx(float(penalized - plain), rel=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_pissa_starts_where_peft_starts(kind):
    """Singular vectors have no sign, so that products are compared."""
    model, rule = make(kind).requires_grad_(False), rule_of("lora", init="pissa", rank=4, alpha=8.0)
    base = copy.deepcopy(model)
    before = run(model, kind)
    rule.install(model)
    with torch.no_grad():
        assert torch.allclose(run(model, kind), before, rtol=1e-4, atol=1e-5)
    names = [one.name for one, _ in rule.adapters(model)]
    settings = {"fan_in_fan_out": True} if kind == "gpt2" else {}
    theirs = peft.get_peft_model(
        base, peft.LoraConfig(r=4, lora_alpha=8, init_lora_weights="pissa", target_modules=names, **settings)
    )
    for one, adapter in rule.adapters(model):
        layer = theirs.base_model.model.get_submodule(one.name)
        product = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
        assert torch.allclose(adapter.b @ adapter.a, product, atol=1e-5)
        assert torch.allclose(one.module.weight, layer.base_layer.weight, atol=1e-5)


def assert_same_gradients(ours, theirs, layers, kind, names):
    """The gradients of each adapter, to 1e-4 of the largest one in it."""
    for model in (ours, theirs):
        run(model, kind).square().mean().backward()
    for adapter, layer in layers:
        for name, other in names.items():
            found = getattr(adapter, name).grad
            expected = layer.get_parameter(other).grad.reshape(found.shape)
            assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()) + 1e-9), name
